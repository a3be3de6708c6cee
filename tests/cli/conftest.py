"""The command as a person runs it: a process with its own HOME and no terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    directory = tmp_path / "home"
    directory.mkdir()
    return directory


@pytest.fixture
def ttftop(home: Path) -> Command:
    """Runs `ttftop ARGUMENTS` to its end; `stdin` is no terminal, and neither is anything else."""

    def run(*arguments: str, timeout_s: float = 60.0, **more: str) -> subprocess.CompletedProcess[str]:
        keys = ("TTFTOP_API_KEY", "OPENAI_API_KEY", "XDG_DATA_HOME", "NO_COLOR", "COLUMNS")
        environment = {name: value for name, value in os.environ.items() if name not in keys}
        return subprocess.run(
            [sys.executable, "-m", "tui.cli", *arguments],
            cwd=ROOT,
            env={**environment, "HOME": str(home), **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    return run
