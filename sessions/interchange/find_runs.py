"""Which tool wrote a file, by what stands in it, and the runs that it holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sessions.interchange import (
    aiperf,
    evalscope,
    genai_bench,
    guidellm,
    inference_perf,
    llm_d,
    llmperf,
    sglang,
    vllm,
)
from sessions.interchange.documents import (
    NEED,
    Document,
    ImportFailed,
    Told,
    files_below,
    name_of,
    read_document,
)
from sessions.interchange.imported_run import ImportedRun

MOST_RUNS = 1000
_ENDINGS = (".json", ".jsonl", ".db")


class Tool(NamedTuple):
    name: str
    matches: Callable[[Document], bool]
    read: Callable[[Document], list[ImportedRun]]
    whole_directory: bool = False
    """Its files of one directory are one run."""


TOOLS = (
    Tool("vLLM bench serve", vllm.matches, vllm.read),
    Tool("GuideLLM", guidellm.matches, guidellm.read),
    Tool("AIPerf", aiperf.matches, aiperf.read, whole_directory=True),
    Tool("SGLang bench_serving", sglang.matches, sglang.read),
    Tool("genai-bench", genai_bench.matches, genai_bench.read),
    Tool("inference-perf", inference_perf.matches, inference_perf.read),
    Tool("evalscope perf", evalscope.matches, evalscope.read),
    Tool("llmperf", llmperf.matches, llmperf.read),
    Tool("llm-d", llm_d.matches, llm_d.read),
)


def tool_of(document: Document) -> Tool | None:
    """None where none of `TOOLS` wrote it."""
    return next((tool for tool in TOOLS if tool.matches(document)), None)


def find_runs(path: Path) -> list[ImportedRun]:
    """The runs in a file, or in all files of a directory and below it.

    Raises:
        ImportFailed: it cannot be read, or no tool that is known wrote it.
    """
    if not _is_directory(path):
        document = read_document(path)
        tool = tool_of(document)
        if tool is None:
            raise ImportFailed(f"{name_of(path)}: need a result file of {_known()}")
        runs = tool.read(document)
    else:
        runs = _of_directory(path)
        if not runs:
            raise ImportFailed(f"{name_of(path)}: need a result file in it, of {_known()}")
    if not runs:
        raise ImportFailed(f"{name_of(path)}: there is no run in it; {NEED}")
    if len(runs) > MOST_RUNS:
        raise ImportFailed(
            f"{name_of(path)}: {len(runs)} runs, more than {MOST_RUNS}; give some of its files"
        )
    return runs


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # such as a name that is too long: reading it says so
        return False


def _known() -> str:
    names = [tool.name for tool in TOOLS]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _of_directory(directory: Path) -> list[ImportedRun]:
    runs: list[ImportedRun] = []
    taken: list[Path] = []
    told: Told = {}
    for path in files_below(directory):
        if path.suffix not in _ENDINGS or any(path.is_relative_to(place) for place in taken):
            continue
        try:
            document = read_document(path, told)
        except ImportFailed:
            continue  # not every file beside results is one
        tool = tool_of(document)
        if tool is None:
            continue
        runs += tool.read(document)
        if tool.whole_directory:
            taken.append(path.parent)
        if len(runs) > MOST_RUNS:
            break
    return runs
