"""Python's search for circles of objects, put off while records are read by the ten thousand.

They hold none, and each search goes through all that was read so far: a fifth of the time that reading takes.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Whoever had it off before finds it off afterwards."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
