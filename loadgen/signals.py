"""Handlers of signals that stand for a while only."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


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
