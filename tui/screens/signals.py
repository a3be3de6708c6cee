"""A signal that would end the process ends the screen first, whenever it comes."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

_ALWAYS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
_FAULTS = ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP", "SIGEMT")
_NO_END = ("SIGCHLD", "SIGCONT", "SIGINFO", "SIGPIPE", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGWINCH")
_NEVER = ("SIGKILL", "SIGSTOP", "SIGXFSZ")
_TEXTUAL = (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH, signal.SIGTTIN, signal.SIGTTOU)
"""Textual handles them, and leaves its handlers behind."""


def ending_signals() -> list[int]:
    """Those that end a process that does nothing about them, less those that a fault of its own raises and
    those that it was started to ignore (`nohup`)."""
    spared = {getattr(signal, name, 0) for name in (*_FAULTS, *_NO_END, *_NEVER)}
    found: list[int] = []
    for number in sorted(signal.valid_signals() - spared):
        handler = signal.getsignal(number)
        if handler == signal.SIG_DFL or (number in _ALWAYS and handler not in (signal.SIG_IGN, None)):
            found.append(number)
    return found


class LeaveOnSignal:
    """Calls `leave` in the main thread for each of `ending_signals` for the length of a `with` block."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave = leave
        self._before: dict[int, Any] = {}

    def __enter__(self) -> LeaveOnSignal:
        self._before = {number: signal.getsignal(number) for number in _TEXTUAL}
        for number in ending_signals():
            self._before[number] = signal.signal(number, self._told)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            if handler is not None:
                signal.signal(number, handler)

    def _told(self, _number: int, _frame: FrameType | None) -> None:
        self._leave()
