"""A signal that would end the process ends the screen first, whenever it comes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from loadgen.signals import ending_signals, restored

_TEXTUAL = (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH, signal.SIGTTIN, signal.SIGTTOU)
"""Textual handles them, and leaves its handlers behind."""


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
