"""Arrays that lie in a file nobody else sees once they are large: what a day-long session takes of memory is
what of it is looked at, and nothing that is asked for is coarser for it.

The system keeps what was touched lately, and `let_go` says of all of it that it need not stay.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

LEAST_BYTES = 4 << 20
"""Smaller arrays are ordinary ones."""
_PLACES = ("/var/tmp",)
"""Where files may be large; else where `tempfile` puts them, which is often memory, too."""
_maps: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()


def empty(shape: tuple[int, ...], dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """As `numpy.empty`; in memory where the system cannot reserve a file, or there is no room for it."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size < LEAST_BYTES or not hasattr(os, "posix_fallocate"):
        return np.empty(shape, dtype)
    let_go()  # what is to be copied from is read again page by page
    try:
        held = _mapped(size)
    except OSError:
        return np.empty(shape, dtype)
    _maps.add(held)
    return np.frombuffer(held, dtype, int(np.prod(shape))).reshape(shape)


def copied(values: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """The same as another kind."""
    out = empty(values.shape, dtype)
    out[:] = values
    return out


def _mapped(size: int) -> mmap.mmap:
    place = next((place for place in _PLACES if os.access(place, os.W_OK)), None)
    with tempfile.TemporaryFile(dir=place and Path(place)) as file:
        # Else a full disk would be a signal that ends the process, at whatever is written first.
        os.posix_fallocate(file.fileno(), 0, size)
        return mmap.mmap(file.fileno(), size)


def let_go() -> None:
    """None of what is in files need stay in memory: what is asked for next is read again."""
    for held in list(_maps):
        held.madvise(mmap.MADV_DONTNEED)
