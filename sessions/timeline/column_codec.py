"""A column of numbers as few bytes, and back bit by bit: what it is told by the code it comes with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sessions.timeline.columns import Floats

Code = Literal["same", "u1", "u2", "u4", "f4", "f8"]
"""`same`: all its cells are the one that is there. Else the kind of each, little-endian."""
_KINDS: tuple[Code, ...] = ("u1", "u2", "u4", "f4")

_PIECE = 1 << 18


class Packed(NamedTuple):
    """A column that is kept."""

    code: Code
    size: int
    """Bytes."""


class BadColumn(ValueError):
    """The bytes are no such column."""


def pack(column: Floats) -> tuple[Packed, bytes]:
    """The least that gives `column` again, NaN too."""
    bits = np.ascontiguousarray(column, dtype="<f8").view("<i8")
    if len(bits) > 1 and (bits == bits[0]).all():
        return _packed("same", bits[:1].tobytes())
    for code in _KINDS:
        with np.errstate(invalid="ignore", over="ignore"):
            small = column.astype("<" + code)
        if (small.astype("<f8").view("<i8") == bits).all():
            return _packed(code, small.tobytes())
    return _packed("f8", bits.tobytes())


def pack_ints(column: NDArray[Any], write: Callable[[bytes], object]) -> Packed:
    """The same of numbers from 0 to 2^32 - 1, of which there may be very many: written in pieces."""
    most = int(column.max(initial=0))
    code: Code = "u1" if most < 1 << 8 else "u2" if most < 1 << 16 else "u4"
    for at in range(0, len(column), _PIECE):
        write(column[at : at + _PIECE].astype("<" + code).tobytes())
    return Packed(code, len(column) * int(code[1]))


def unpack(code: Code, data: memoryview, rows: int) -> Floats:
    """The column of so many rows.

    Raises:
        BadColumn: it has not that many.
    """
    if code == "same":
        if len(data) != 8:
            raise BadColumn("a cell of another size")
        column: Floats = np.full(rows, np.frombuffer(data, dtype="<f8")[0])
        return column
    if len(data) != rows * int(code[1]):
        raise BadColumn("another number of rows")
    return np.frombuffer(data, dtype="<" + code).astype(np.float64)


def unpack_ints(code: Code, data: memoryview) -> NDArray[Any]:
    """Of the kind that they were kept as, and not to be written to.

    Raises:
        BadColumn: it is none of whole numbers.
    """
    if code not in ("u1", "u2", "u4") or len(data) % int(code[1]):
        raise BadColumn("no whole numbers")
    return np.frombuffer(data, dtype="<" + code)


def _packed(code: Code, data: bytes) -> tuple[Packed, bytes]:
    return Packed(code, len(data)), data
