"""Real pseudo-terminals for tests: a command in one, keys typed into it, its screen or its bytes read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyte

OWN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Takes the terminal that is stdin for its own, then becomes the command. Python warns of forking (pty.fork, preexec_fn)
where there are threads, as there are when tests run in parallel."""


def on_a_terminal(
    argv: Sequence[str], size: tuple[int, int], env: Mapping[str, str], cwd: Path | None = None
) -> tuple[subprocess.Popen[bytes], int]:
    """The command on a pseudo-terminal of its own, of so many columns and rows; and the end that a person holds."""
    ours, theirs = pty.openpty()
    columns, rows = size
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-SEc", OWN_TERMINAL, *argv],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=cwd,
        start_new_session=True,
        env=env,
    )
    os.close(theirs)
    return process, ours


class RawTerminal:
    """Every byte that a command writes; whoever reads decides how fast. `with RawTerminal(argv) as terminal`."""

    def __init__(
        self,
        argv: Sequence[str],
        size: tuple[int, int] = (80, 24),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.output = b""
        given = {**os.environ, "TERM": "xterm-256color"} if env is None else env
        self.process, self.fd = on_a_terminal(argv, size, given, cwd)

    def __enter__(self) -> RawTerminal:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            os.close(self.fd)
        self.process.kill()
        self.process.wait()

    def read_for(self, seconds: float) -> bytes:
        """What arrives in that time, or until nobody is left who could write."""
        got, until = b"", time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self.fd], [], [], min(left, 0.1))[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:
                    break
                if not data:
                    break
                got += data
        self.output += got
        return got

    def read_until(self, text: bytes, timeout_s: float = 40.0, start: int = 0) -> None:
        """Reads until `text` stands in the output from `start` on; a failure shows the end of what came instead."""
        until = time.monotonic() + timeout_s
        while text not in self.output[start:]:
            assert time.monotonic() < until, f"no {text!r} in {self.output[-2000:]!r}"
            self.read_for(0.1)

    def write(self, text: bytes) -> None:
        os.write(self.fd, text)

    def ended(self, timeout_s: float = 40.0, *, reading: bool = True) -> int:
        """The exit code, negative for a signal."""
        until = time.monotonic() + timeout_s
        while self.process.poll() is None:
            assert time.monotonic() < until, f"it did not end: {self.output[-2000:]!r}"
            if reading:
                self.read_for(0.1)
            else:
                time.sleep(0.05)
        if reading:
            self.read_for(0.2)
        return self.process.returncode


ON_ENTRY = {25: True, 7: True}
"""Modes of a terminal that are set before anybody sets any; the others are not."""


def left_over(child: RawTerminal) -> list[str]:
    """What of a screen the terminal still has, by the orders that it was given and its own modes; a traceback."""
    modes: dict[int, bool] = {}
    for numbers, on in re.findall(rb"\x1b\[\?([\d;]+)([hl])", child.output):
        modes |= {int(number): on == b"h" for number in numbers.split(b";")}
    found = [f"?{number}" for number, on in modes.items() if on != ON_ENTRY.get(number, False)]
    pushed, popped = len(re.findall(rb"\x1b\[>\d+u", child.output)), child.output.count(b"\x1b[<u")
    if pushed > popped:
        found.append("keyboard protocol")
    fresh = pty.openpty()
    if termios.tcgetattr(child.fd) != termios.tcgetattr(fresh[0]):
        local = termios.tcgetattr(child.fd)[3]
        names = [name for name in ("ECHO", "ICANON", "ISIG", "IEXTEN") if not local & getattr(termios, name)]
        found += names or ["modes of its line"]
    for fd in fresh:
        os.close(fd)
    if b"Traceback" in child.output:
        found.append("a traceback")
    return found


class Terminal:
    """`with Terminal(argv, size=(80, 24)) as terminal`: `text()`, `press()`, `wait_for()`, `stall()`."""

    def __init__(
        self, argv: Sequence[str], size: tuple[int, int] = (80, 24), cwd: Path | None = None
    ) -> None:
        columns, rows = size
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.written = 0
        """Bytes the command has written so far."""
        env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        self.process, self._master = on_a_terminal(argv, size, env, cwd)
        self._reading = threading.Event()
        self._reading.set()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._reading.set()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._closed = True
        self._thread.join(5)
        os.close(self._master)

    def _read(self) -> None:
        while not self._closed:
            self._reading.wait()
            ready, _, _ = select.select([self._master], [], [], 0.1)
            if not ready or not self._reading.is_set():
                continue
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return
            self.written += len(data)
            with self._lock:
                self._stream.feed(data)

    def text(self) -> str:
        with self._lock:
            return "\n".join(self.screen.display)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def stall(self) -> None:
        """Stop reading, as a terminal behind a stuck SSH link does."""
        self._reading.clear()

    def go_on(self) -> None:
        self._reading.set()

    def wait_for(self, text: str, timeout_s: float = 20.0) -> str:
        """The screen, once `text` stands on it."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            shown = self.text()
            if text in shown:
                return shown
            time.sleep(0.05)
        raise AssertionError(f"{text!r} did not appear within {timeout_s} s on:\n{self.text()}")
