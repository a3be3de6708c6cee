"""The line that says how much is read, on a real terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import termios
from collections.abc import Callable, Iterator

import pytest

from tui.foreground.reading import reading


class Terminal:
    """stderr is one, in the test's own body: pytest sets its own between a fixture and the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        monkeypatch.setenv("TERM", "xterm")
        self.stderr = open(slave, "w")  # noqa: SIM115  # for the length of the test
        monkeypatch.setattr(sys, "stderr", self.stderr)

    def until(self, wanted: bytes) -> bytes:
        seen = b""
        while wanted not in seen:
            assert select.select([self._master], [], [], 20.0)[0], seen
            seen += os.read(self._master, 1000)
        return seen

    def left(self) -> bytes:
        """All that came up to now."""
        print("over", file=self.stderr, flush=True)
        return self.until(b"over").partition(b"over")[0]

    def close(self) -> None:
        self.stderr.close()
        os.close(self._master)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Terminal]]:
    made: list[Terminal] = []

    def terminal() -> Terminal:
        made.append(Terminal(monkeypatch))
        return made[-1]

    yield terminal
    for one in made:
        one.close()


def test_the_newest_share_is_said_and_the_line_is_gone_in_the_end(terminal: Callable[[], Terminal]) -> None:
    of = terminal()
    with reading("my-run", after_s=0.0, every_s=0.001) as told:
        assert b"opening my-run (Ctrl-C leaves)" in of.until(b"leaves)")
        told(0.1)
        told(0.43)
        of.until(b"reading 43 % of my-run (Ctrl-C leaves)")
    assert of.left().endswith(b"\r\x1b[K")


def test_what_is_interrupted_leaves_no_line_behind(terminal: Callable[[], Terminal]) -> None:
    of = terminal()

    def read() -> None:
        with reading("my-run", after_s=0.0, every_s=0.001) as told:
            told(0.5)
            of.until(b"reading 50 %")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read()
    assert of.left().endswith(b"\r\x1b[K")


def test_what_takes_no_time_says_nothing(terminal: Callable[[], Terminal]) -> None:
    of = terminal()
    with reading("my-run", after_s=600.0) as told:
        told(1.0)
    assert of.left() == b""


def test_what_is_no_terminal_is_told_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with reading("my-run", after_s=0.0) as told:
        told(0.5)
    assert capfd.readouterr().err == ""
