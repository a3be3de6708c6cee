"""A signal that would end the process ends the screen first, whenever it comes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from loadgen.signals import restored

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


@contextmanager
def leave_on_signal(leave: Callable[[], None]) -> Iterator[None]:
    """In the block, each of `ending_signals` calls `leave` in the main thread."""

    def told(_number: int, _frame: FrameType | None) -> None:
        leave()

    ending = ending_signals()
    with restored((*_TEXTUAL, *ending)):
        for number in ending:
            signal.signal(number, told)
        yield
