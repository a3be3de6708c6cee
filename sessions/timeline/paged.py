"""Arrays that lie in a file nobody else sees once they are large: what a day-long session takes of memory is
what of it is looked at, and nothing that is asked for is coarser for it.

The system keeps what was touched lately; `hold_less`, called again and again, says of all of it that it need
not stay once that is much. It is read again from the system's cache of files, page by page, in microseconds.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

LEAST_BYTES, LEAST_OF_MANY_BYTES, MANY = 4 << 20, 1 << 20, 16
"""Smaller arrays are ordinary ones: of a session of an hour nearly all, which so opens sooner."""
MAPS_CAP = 256
"""Arrays in files at a time: each takes a descriptor. More of them are in memory."""
PIECE_BYTES = 8 << 20
"""So much is copied at a time."""
KEPT_BYTES = 48 << 20
"""So much of what lies in files stays in memory: what a frame of a long session looks at, and more."""
_PLACES = ("/var/tmp",)
"""Where files may be large; else where `tempfile` puts them, which is often memory, too."""
_maps: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()
_lock = threading.Lock()
"""A cache is written beside the screen, in a thread."""


def empty(shape: tuple[int, ...], dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """As `numpy.empty`; in memory where the system cannot reserve a file, or there is no room for it."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    least = LEAST_BYTES if len(_maps) < MANY else LEAST_OF_MANY_BYTES
    if size < least or len(_maps) >= MAPS_CAP or not hasattr(os, "posix_fallocate"):
        return np.empty(shape, dtype)
    let_go()  # what is to be copied from is read again page by page
    try:
        held = _mapped(size)
    except OSError:
        return np.empty(shape, dtype)
    with _lock:
        _maps.add(held)
    return np.frombuffer(held, dtype, int(np.prod(shape))).reshape(shape)


def copied(values: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """The same as another kind."""
    out = empty(values.shape, dtype)
    copy(values, out)
    return out


def copy(values: NDArray[Any], into: NDArray[Any]) -> None:
    """`into[:] = values`, of which little is in memory at a time."""
    for at, piece in pieces(values):
        into[at : at + len(piece)] = piece


def pieces(values: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Of an array, one after the other with where it begins: little is in memory at a time."""
    each = max(1, PIECE_BYTES * len(values) // max(values.nbytes, 1))
    for at in range(0, len(values), each):
        yield at, values[at : at + each]
        if each < len(values):
            let_go()


def read(file: BinaryIO, size: int) -> memoryview:
    """The next `size` bytes; fewer where the file has no more."""
    data: memoryview = empty((size,), np.uint8).data
    done = 0
    while got := file.readinto(data[done : done + PIECE_BYTES]):  # type: ignore[attr-defined]  # it is one that is read
        done += got
        if done < size:
            let_go()
    return data[:done]


def place() -> Path | None:
    """Where large files for a while may be; None for where `tempfile` puts them."""
    return next((Path(path) for path in _PLACES if os.access(path, os.W_OK)), None)


def _mapped(size: int) -> mmap.mmap:
    with tempfile.TemporaryFile(dir=place()) as file:
        # Else a full disk would be a signal that ends the process, at whatever is written first.
        os.posix_fallocate(file.fileno(), 0, size)
        return mmap.mmap(file.fileno(), size)


def hold_less(*, freed: bool = False) -> None:
    """Gives back what need not stay in memory where that is much; then, or where `freed` asks for it, also
    what was freed and is still held. Cheap enough for every poll: without `freed` it reads one line."""
    global _to_trim
    if relieved() or freed or _to_trim:
        _to_trim = False
        _trim()(0)


def relieved() -> bool:
    """Lets go where what lies in files has become much; whether it had. Cheap enough for each of the reads
    that a frame is made of: a frame of a whole day looks at nearly all there is."""
    global _other_bytes, _to_trim
    if not _maps or _mapped_bytes() <= _other_bytes + KEPT_BYTES:
        return False
    let_go()
    _other_bytes, _to_trim = _mapped_bytes(), True
    return True


_other_bytes = 0
"""What is resident of other files, such as the program's own."""
_to_trim = False
"""Something was let go since the C library was last told to give back what it holds."""


def let_go() -> None:
    """None of what is in files need stay in memory: what is asked for next is read again."""
    with _lock:
        maps = list(_maps)
    for held in maps:
        held.madvise(mmap.MADV_DONTNEED)


def _mapped_bytes() -> int:
    """Of files, as far as they are in this process's memory; where nobody tells, more than may be."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[2]) * mmap.PAGESIZE
    except (OSError, ValueError, IndexError):
        return 1 << 62


@cache
def _trim() -> Callable[[int], object]:
    """The C library keeps what large frames and blocks of lines took; glibc can be told not to."""
    with suppress(OSError, AttributeError, TypeError):
        trim: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
        return trim
    return lambda left: None
