"""An agent's answers on their way out, from several threads."""

from __future__ import annotations

import os
import select
import threading
import time

from sessions.nodes.frames import GREETING, framed
from sessions.nodes.messages import ClockAnswer, NodeAnswer, encode

_WRITABLE_S = 1.0


class Answers:
    """Frames out, whole, from several threads."""

    def __init__(self, fd: int) -> None:
        self._fd, self._lock = fd, threading.Lock()

    def give(self, number: int, answer: NodeAnswer) -> None:
        with self._lock:
            self._write(framed(number, encode(answer)))

    def give_time(self, number: int) -> None:
        """Or nothing, where the host takes no answers for long: nobody may wait for it here."""
        if not self._lock.acquire(timeout=_WRITABLE_S):
            return
        try:
            _, writable, _ = select.select([], [self._fd], [], _WRITABLE_S)
            if writable:  # for so few bytes: PIPE_BUF are free
                self._write(framed(number, encode(ClockAnswer(time.monotonic_ns()))))
        finally:
            self._lock.release()

    def greet(self) -> None:
        self._write(GREETING)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                select.select([], [self._fd], [])
            except OSError:  # the end of stdin tells
                return
