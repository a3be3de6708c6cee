"""Which signals end a process, and handlers that stand for a while only."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

_ALWAYS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
_FAULTS = ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP", "SIGEMT")
_NO_END = ("SIGCHLD", "SIGCONT", "SIGINFO", "SIGPIPE", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGWINCH")
_NEVER = ("SIGKILL", "SIGSTOP", "SIGXFSZ")


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
def arrivals(numbers: Iterable[int]) -> Iterator[Callable[[], bool]]:
    """Within the block, whether one of `numbers` has come since it was last asked, also where what its
    handler raised never came out: an extension module whose import it breaks off may raise its own error.

    Main thread only. An event loop that waits for signals itself takes this over (`signal.set_wakeup_fd`).
    """
    numbers = frozenset(numbers)
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)

    def has_come() -> bool:
        try:
            return not numbers.isdisjoint(os.read(reading, 1 << 16))
        except BlockingIOError:
            return False

    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield has_come
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


@contextmanager
def restored(numbers: Iterable[int]) -> Iterator[None]:
    """After the block, the signals `numbers` are handled as before it, whatever it set. Main thread only.

    A handler that was not set from Python cannot be set by it either, and is left.
    """
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
