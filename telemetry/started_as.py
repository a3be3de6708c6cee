"""Which server a process was started as, by the name of its program, or of the script or module that it runs.

No other word counts: a model, a directory and a prompt may hold any name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SERVERS = (
    ("vllm", "vLLM"),
    ("sglang", "SGLang"),
    ("sglang_router", "SGLang"),
    ("llama-server", "llama.cpp"),
    ("llama_cpp", "llama.cpp"),
    ("text-generation", "TGI"),
    ("ollama", "Ollama"),
    ("lmdeploy", "LMDeploy"),
    ("aphrodite", "Aphrodite"),
    ("trtllm", "TensorRT-LLM"),
    ("litellm", "LiteLLM"),
    ("mlc_llm", "MLC LLM"),
    ("llamafile", "llamafile"),
    ("koboldcpp", "KoboldCpp"),
    ("loadgen.simulator", "simulator"),
)
_SIMULATES = ("ttftop", "tui.cli")
"""With `simulate` as the next word."""
_WEB_SERVERS = ("uvicorn", "gunicorn", "hypercorn")
"""Of a program that says no more of itself: a GET harms none of these."""
_RUNS_A_SCRIPT = re.compile(r"(python|pypy|\.?ape)[\w.-]*")
"""Interpreters; `ape` is what runs a llamafile where the kernel does not."""
_OPTION = re.compile(r"-[bBdEiIOPqRsSuvx]*([cmWX])(.*)", re.DOTALL)
"""Of python: the option with a value that ends a word like `-um`, and that value. Source: `python --help`."""


def started_as(words: Sequence[str]) -> str:
    """The server by its name on the screen; empty where the process is none that is known."""
    name, following = _run(words)
    if following == "simulate" and any(_is(name, each) for each in _SIMULATES):
        return "simulator"
    if name.endswith(".llamafile"):
        return "llamafile"
    return next((said for word, said in _SERVERS if _is(name, word)), "")


def is_web_server(words: Sequence[str]) -> bool:
    """Whether it is a server of HTTP whose application may be any."""
    name, _ = _run(words)
    return any(_is(name, word) for word in _WEB_SERVERS)


def _is(name: str, word: str) -> bool:
    """`vllm`, `vllm.entrypoints.x`, `vllm::worker`, but neither `vllm_finetune.py` nor `tune_vllm.py`."""
    return re.match(re.escape(word) + r"(?!\w)", name) is not None


def _run(words: Sequence[str]) -> tuple[str, str]:
    """What runs, in lower case and without its directory, and the word behind it."""
    # A process may have written a title over its words: `VLLM::EngineCore`, `gunicorn: master [a/b:app]`.
    program = _base(re.split(r"::|: ", words[0])[0]) if words else ""
    if not _RUNS_A_SCRIPT.fullmatch(program):
        return program, "".join(words[1:2])
    at = 1
    while at < len(words) and words[at].startswith("-"):
        option = _OPTION.fullmatch(words[at])
        at += 1
        if option is None:
            continue
        letter, value = option.groups()
        if letter == "c":
            return "", ""
        if letter == "m":
            rest = [value, *words[at:]] if value else list(words[at:])
            return "".join(rest[:1]).lower(), "".join(rest[1:2])
        at += not value
    return _base("".join(words[at : at + 1])), "".join(words[at + 1 : at + 2])


def _base(path: str) -> str:
    return path.rpartition("/")[2].lower()
