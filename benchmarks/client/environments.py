"""Python environments of the peers: one each, under a cache directory, made only when asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ttftop-benchmarks"

REQUIREMENTS = {
    "httpx": ["httpx==0.28.1"],
    "aiohttp": ["aiohttp==3.14.5"],
    # Its load client is a compiled extension inside the wheel, which needs none of the 100 dependencies.
    "sglang_rust": ["--no-deps", "sglang==0.5.23"],
    "guidellm": ["guidellm==0.8.1"],
    "aiperf": ["aiperf==0.13.0"],
    "vllm": ["vllm==0.32.0"],
}


def python_of(name: str) -> Path | None:
    """The interpreter of the environment of a peer; None while it is not installed."""
    python = CACHE / name / "bin" / "python"
    return python if (CACHE / name / "installed").exists() and python.exists() else None


def install(name: str) -> str | None:
    """Makes the environment of a peer; returns why it could not be made, None when it stands."""
    if python_of(name) is not None:
        return None
    directory = CACHE / name
    directory.parent.mkdir(parents=True, exist_ok=True)
    print(f"installing {name} into {directory}", file=sys.stderr)
    steps = [
        [sys.executable, "-m", "venv", str(directory)],
        [str(directory / "bin" / "python"), "-m", "pip", "install", "-q", *REQUIREMENTS[name]],
    ]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if "ERROR" in line] or done.stderr.splitlines()
            return lines[-1][:160] if lines else f"exit code {done.returncode}"
    (directory / "installed").touch()
    return None
