"""What a session can be exported as."""

from __future__ import annotations

from collections.abc import Callable

from sessions.interchange import (
    aiperf_out,
    guidellm_out,
    llm_d_out,
    perfetto_out,
    sglang_out,
    tables_out,
    vllm_out,
)
from sessions.interchange.stored_run import StoredRun

SHAPES: dict[str, Callable[[StoredRun], dict[str, bytes]]] = {
    "vllm": vllm_out.write,
    "guidellm": guidellm_out.write,
    "aiperf": aiperf_out.write,
    "sglang": sglang_out.write,
    "llm-d": llm_d_out.write,
    "csv": tables_out.csv_rows,
    "jsonl": tables_out.json_lines,
    "perfetto": perfetto_out.write,
}
"""By name: what makes its files. A single file has no name; several are those of a directory."""
DIRECTORIES = ("aiperf",)
_BADGED = ("vllm", "guidellm", "aiperf", "sglang", "llm-d", "csv", "perfetto")
"""Those that have a place for a run's badges."""
_TOOLS = ("vllm", "guidellm", "aiperf", "sglang", "llm-d")
_MEANT = {
    "IMPORTED": "another tool measured it",
    "SIMULATED": "nothing of it was measured on a real server",
}


def lost(shape: str, run: StoredRun) -> list[str]:
    """What a reader of that shape will miss, a sentence each."""
    said = []
    if run.summary.badges:
        place = "" if shape in _BADGED else ", and a reader of the file cannot tell"
        said.append(f"{', '.join(run.summary.badges)}: {_MEANT[run.summary.badges[0]]}{place}")
    if run.not_sent and shape != "guidellm":
        said.append(f"{len(run.not_sent)} requests that were not sent are left out")
    if shape in ("vllm", "aiperf", "sglang") and any(one.chunk_tokens for one in run.requests):
        said.append("how many tokens each chunk bore has no place there: gaps are between chunks")
    if shape == "sglang":
        said.append("when each request was sent has no place there, so that nothing of it can be replayed")
    if shape == "llm-d":
        said.append("it has statistics and no single requests, so that nothing of it can be replayed")
    if shape == "guidellm":
        said.append("the times of chunks between first and last token have no place there")
    if shape in _TOOLS and run.summary.plan is not None:
        said.append("the stages of its plan are one run there")
    elif shape in _TOOLS and run.summary.load_changes:
        said.append(f"its {run.summary.load_changes} changes of load have no place there")
    return said
