"""The command as a person runs it: with its own HOME and no terminal."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.tui.terminal import RawTerminal
from tui.cli import main

Command = Callable[..., "subprocess.CompletedProcess[str]"]
OnTerminal = Callable[..., RawTerminal]

ROOT = Path(__file__).parents[2]
NOT_OURS = ("TTFTOP_API_KEY", "OPENAI_API_KEY", "XDG_DATA_HOME", "NO_COLOR", "COLUMNS")
"""What the environment of the tests must not say to the command."""


@contextlib.contextmanager
def child(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that is gone when the block is left, also by a failure: nobody waits for one that never ends."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    directory = tmp_path / "home"
    directory.mkdir()
    return directory


@pytest.fixture
def ttftop(home: Path) -> Command:
    """Runs `ttftop ARGUMENTS` to its end; `stdin` is no terminal, and neither is anything else."""

    def run(*arguments: str, timeout_s: float = 60.0, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
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


@pytest.fixture
def on_terminal(home: Path) -> Iterator[OnTerminal]:
    """`on_terminal(*arguments, **environment)`: `ttftop ARGUMENTS` on a terminal of 100x30."""
    with contextlib.ExitStack() as opened:

        def run(*arguments: str, **more: str) -> RawTerminal:
            environment = {"HOME": str(home), "XDG_DATA_HOME": str(home), "TERM": "xterm-256color", **more}
            argv = [sys.executable, "-m", "tui.cli", *arguments]
            return opened.enter_context(RawTerminal(argv, (100, 30), {**os.environ, **environment}, ROOT))

        yield run


def read_until_running(terminal: RawTerminal, home: Path) -> None:
    """The screen is open, and the one run in `home` has put on its load."""
    terminal.read_until(b"LIVE")
    told = (home / "ttftop" / "sessions").glob
    while not any(b'"running"' in path.read_bytes() for path in told("*/host.jsonl")):
        terminal.read_for(0.05)


def tell_to_finish(terminal: RawTerminal, by: bytes = b"q") -> None:
    """As a person ends a run on its screen: no more load, and what is under way is waited for. `by` Q where
    another has started it."""
    terminal.write(by)
    terminal.read_until(b"finish")
    terminal.write(b"f")


class NoSupervisor:
    """In the place of the supervisor that is started before it is known whether a run will be."""

    def __enter__(self) -> NoSupervisor:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def take(self) -> NoReturn:
        raise AssertionError("a run is started")


@pytest.fixture
def typed(home: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """As `ttftop`, in this process: for what is refused before a run, or only read. No run can be started."""

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
        with monkeypatch.context() as here, open(os.devnull) as nothing:
            for name in NOT_OURS:
                here.delenv(name, raising=False)
            for name, value in {"HOME": str(home), **more}.items():
                here.setenv(name, value)
            here.setattr("sessions.run.prestart.PrestartedSupervisor", NoSupervisor)
            here.setattr("sys.stdin", nothing)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main(arguments)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read())
        return subprocess.CompletedProcess(arguments, code, *texts)

    return run
