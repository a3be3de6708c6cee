"""The command on a terminal: a pty of 100x30 on which a person could type."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Command

ROOT = Path(__file__).parents[2]
PATIENCE_S = 40.0
LIGHT = ["--rate", "10", "--input-tokens", "16", "--output-tokens", "8"]

pytestmark = pytest.mark.slow


class Terminal:
    """`ttftop ARGUMENTS` on a pty; `seen` is every byte that it wrote there."""

    def __init__(self, home: Path, *arguments: str, **environment: str) -> None:
        self._controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tui.cli", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "HOME": str(home),
                "XDG_DATA_HOME": str(home),
                "TERM": "xterm-256color",
                **environment,
            },
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self.seen = b""

    def until(self, text: bytes) -> None:
        """Reads until `text` has come; a failure shows the end of what came instead."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen[-2000:]
            if select.select([self._controller], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self._controller, 65536)
                except OSError:  # the last process on the terminal has ended
                    assert text in self.seen, self.seen[-2000:]

    def type(self, keys: str) -> None:
        os.write(self._controller, keys.encode())

    def end(self) -> int:
        """Reads what is still to come, and returns the exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None or select.select([self._controller], [], [], 0)[0]:
            assert time.monotonic() < deadline, self.seen[-2000:]
            if select.select([self._controller], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self._controller, 65536)
                except OSError:
                    break
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._controller)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def test_a_refused_run_closes_the_screen_and_says_why(home: Path, terminals: list[Terminal]) -> None:
    terminal = Terminal(home, "http://127.0.0.1:9")
    terminals.append(terminal)
    assert terminal.end() == 3
    last = terminal.seen.rpartition(b"ttftop: error: ")[2]
    assert b"http://127.0.0.1:9: connection refused" in last
    assert b"\x1b" not in last
    assert b"Traceback" not in terminal.seen


@pytest.mark.parametrize("kind", ["dumb", ""])
@pytest.mark.parametrize("arguments", [["http://127.0.0.1:9"], ["demo"]])
def test_a_terminal_that_can_show_no_screen_is_one_line_and_exit_code_2(
    home: Path, terminals: list[Terminal], kind: str, arguments: list[str]
) -> None:
    terminal = Terminal(home, *arguments, TERM=kind)
    terminals.append(terminal)
    assert terminal.end() == 2
    assert terminal.seen.decode() == (
        f"ttftop: error: TERM: got {kind!r}, a terminal that cannot show a screen; "
        "give --headless for lines instead\r\n"
    )


def test_a_run_that_is_told_to_finish_says_how_many_answers_it_waits_for(
    home: Path, terminals: list[Terminal], simulator_url: str
) -> None:
    load = ["--concurrency", "3", "--input-tokens", "16", "--output-tokens", "400", "--telemetry", "none"]
    terminal = Terminal(home, simulator_url, *load)
    terminals.append(terminal)
    terminal.until(b"LIVE")
    terminal.until(b"running")
    terminal.type("q")
    terminal.until(b"finish")
    terminal.type("f")
    terminal.until(b"waiting for 3 answers, at most 60 s (Ctrl-C leaves, the run ends by itself)")
    code = terminal.end()  # so short a run may be too little to be valid
    assert b"the session is saved in " in terminal.seen
    assert (
        terminal.seen.rpartition(b"ttftop summary ")[2].split(b"\r\n")[1]
        == {0: b"valid", 1: b"NOT VALID"}[code]
    )


def test_a_detached_run_goes_on_and_attach_finds_it(
    typed: Command, home: Path, terminals: list[Terminal], simulator_url: str
) -> None:
    first = Terminal(home, simulator_url, *LIGHT, "--telemetry", "none")
    terminals.append(first)
    first.until(b"TTFT")
    first.until(b"LIVE")
    first.type("q")
    first.until(b"detach")
    first.type("d")
    assert first.end() == 0
    assert b"the run goes on: ttftop attach " in first.seen
    assert b"it has no end: it stops 60 s after its last viewer has left" in first.seen
    (row,) = json.loads(typed("sessions", "--json", XDG_DATA_HOME=str(home)).stdout)
    assert row["state"] == "live"

    second = Terminal(home, "attach")
    terminals.append(second)
    second.until(b"LIVE")
    second.type("q")
    second.until(b"finish")
    second.type("f")
    assert second.end() == 0
    assert b"the session is saved in " in second.seen
    (row,) = json.loads(typed("sessions", "--json", XDG_DATA_HOME=str(home)).stdout)
    assert (row["state"], row["end"]) == ("ended", "finished")

    third = Terminal(home, "replay")
    terminals.append(third)
    third.until(b"TTFT")
    third.type("q")
    assert third.end() == 0
