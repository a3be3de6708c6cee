"""Spans of rows as whole blocks, whose sums are known, and the rows that are left over beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Parted(NamedTuple):
    """Spans of rows, each as whole blocks of rows and the rows that are left over before and after them."""

    from_block: Ints
    to_block: Ints
    """By span; no block where it is not the higher one."""
    begins: Ints
    ends: Ints
    """From and to which row the rest goes: of all spans what is before their blocks, then what is after them;
    once for each span where none holds a block."""

    @property
    def rows(self) -> Ints | slice:
        """The rows that are left over."""
        if len(self.begins) == len(self.from_block):
            return slice(int(self.begins[0]), int(self.ends[-1]))
        return ranges(self.begins, self.ends - self.begins)

    def with_blocks(self, rest: Floats, blocks_of: Callable[[int, int], Floats]) -> Floats:
        """Sums of the spans, `(kinds, names, spans, groups)`: of `rest`, sums of what is left over, and of
        whole blocks, of which `blocks_of` gives those from one up to another, and one beyond."""
        n = len(self.from_block)
        out = rest[:, :, :n] + rest[:, :, n:] if len(self.begins) > n else rest
        whole = (self.to_block > self.from_block).nonzero()[0]
        if len(whole):
            bounds = np.stack([self.from_block[whole], self.to_block[whole]], axis=1).ravel()
            first, last = int(bounds[0]), int(bounds[-1])
            blocks = blocks_of(first, last)  # reduceat wants a place beyond the last one
            out[:, :, whole] += np.add.reduceat(blocks, bounds - first, axis=2)[:, :, ::2]
        return out


def parted(rows: Ints, stride: int) -> Parted:
    """The spans `[rows[i], rows[i + 1])`, ascending, in blocks of `stride` rows."""
    a, b = rows[:-1], rows[1:]
    from_block, to_block = -(-a // stride), b // stride
    whole = to_block > from_block
    if not whole.any():
        return Parted(from_block, to_block, a, b)
    begins = np.concatenate([a, np.where(whole, to_block * stride, b)])
    ends = np.concatenate([np.where(whole, from_block * stride, b), b])
    return Parted(from_block, to_block, begins, ends)


def ranges(begins: Ints, lengths: Ints) -> Ints:
    """`begins[0], begins[0] + 1, ... (lengths[0] of them), begins[1], ...`."""
    ends = np.cumsum(lengths)
    places: Ints = np.repeat(begins - (ends - lengths), lengths)
    places += np.arange(len(places))
    return places
