"""A real pseudo-terminal for tests: a command in it, its screen read through pyte, keys typed into it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pyte


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
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"},
        )
        os.close(slave)
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
