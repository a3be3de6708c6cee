"""Rows by time as numpy columns, and latency sketches beside them: what a timeline is made of.

Rows may come in any order; they are put in order when something is asked. Times and counts are kept as
float64, exact for times up to 104 days and for counts up to 9e15.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from loadgen.sketch import BUCKETS, value_ns

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

VALUES_NS: Floats = np.array([value_ns(bucket) for bucket in range(BUCKETS)])
"""What each bucket of a sketch stands for, `loadgen.sketch.value_ns` of all."""


def or_nan(value: float | None) -> float:
    """A figure as a column keeps it: what is missing is NaN, never 0."""
    return math.nan if value is None else value


class Table:
    """Columns of one kind of row, the first of which is the time `t`, ascending. Missing values are NaN.

    Rows of one time are ordered by the next two columns, so that the order they came in leaves no trace.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._at = {name: i for i, name in enumerate(names)}
        self._cells: Floats = np.empty((len(names), 64))
        self._rows = 0
        self._pending: list[tuple[float, ...]] = []

    def add(self, row: tuple[float, ...]) -> None:
        """Takes a row in, in the order of the names."""
        self._pending.append(row)

    def merge_pending(self) -> tuple[int, Ints] | None:
        """Puts what came in since the last time in its place.

        Returns:
            None when nothing came; else the first row that may have changed, and the order in which the
            rows from there on (the old ones, then the new ones as they came) now stand.
        """
        if not self._pending:
            return None
        fresh = np.array(self._pending, dtype=np.float64).T
        self._pending = []
        first = int(np.searchsorted(self._cells[0, : self._rows], fresh[0].min(), side="left"))
        tail = np.concatenate([self._cells[:, first : self._rows], fresh], axis=1)
        order: Ints = np.lexsort(tail[2::-1])
        self._rows = first + tail.shape[1]
        if self._rows > self._cells.shape[1]:
            grown = np.empty((self._cells.shape[0], max(self._rows, 2 * self._cells.shape[1])))
            grown[:, :first] = self._cells[:, :first]
            self._cells = grown
        self._cells[:, first : self._rows] = tail[:, order]
        return first, order

    def __len__(self) -> int:
        self.merge_pending()
        return self._rows

    def __getitem__(self, name: str) -> Floats:
        """One column, shape `(rows,)`."""
        self.merge_pending()
        return self._cells[self._at[name], : self._rows]

    def block(self, names: Sequence[str]) -> Floats:
        """Several columns, shape `(len(names), rows)`."""
        self.merge_pending()
        return self._cells[[self._at[name] for name in names], : self._rows]

    def upto(self, t_ns: float | Floats) -> Ints:
        """How many rows have `t <= t_ns`, for one time or for an array of them."""
        rows: Ints = np.asarray(np.searchsorted(self["t"], t_ns, side="right"), dtype=np.int64)
        return rows


class SketchLog:
    """The sketches of one metric, one a row of a table, in the table's order.

    Entries are kept sparse (6 bytes each); once asked for, running totals are kept every `STRIDE` rows, so
    that the counts of any span of rows cost a subtraction and a few entries.
    """

    STRIDE = 64

    def __init__(self) -> None:
        self._pending: list[list[int]] = []
        self._starts: Ints = np.zeros(64, dtype=np.int64)
        self._buckets: NDArray[np.uint16] = np.empty(64, dtype=np.uint16)
        self._counts: NDArray[np.uint32] = np.empty(64, dtype=np.uint32)
        self._rows = 0
        self._totals: list[Ints] = [np.zeros(BUCKETS, dtype=np.int64)]

    def add(self, flat: list[int]) -> None:
        self._pending.append(flat)

    def merge_pending(self, first: int, order: Ints) -> None:
        """Follows the table: arguments are what its `merge_pending` returned."""
        rows = self._pending
        self._pending = []
        at, end = int(self._starts[first]), int(self._starts[self._rows])
        fresh = np.fromiter(chain.from_iterable(rows), np.int64, sum(map(len, rows))).reshape(-1, 2)
        old_lengths = np.diff(self._starts[first : self._rows + 1])
        lengths = np.concatenate([old_lengths, np.array([len(row) // 2 for row in rows], dtype=np.int64)])
        moved = _ranges((np.cumsum(lengths) - lengths)[order], lengths[order])
        buckets = np.concatenate([self._buckets[at:end], fresh[:, 0].astype(np.uint16)])[moved]
        counts = np.concatenate([self._counts[at:end], fresh[:, 1].astype(np.uint32)])[moved]
        self._rows = first + len(order)
        self._buckets = _written(self._buckets, at, buckets)
        self._counts = _written(self._counts, at, counts)
        self._starts = _written(self._starts, first + 1, at + np.cumsum(lengths[order]))
        del self._totals[first // self.STRIDE + 1 :]

    def cumulative(self, rows: Ints) -> Ints:
        """Counts by bucket over the first `rows[i]` rows: shape `(len(rows), BUCKETS)`."""
        base = rows // self.STRIDE
        for block in range(len(self._totals), int(base.max(initial=0)) + 1):
            a, b = self._starts[[(block - 1) * self.STRIDE, block * self.STRIDE]]
            gained = np.bincount(self._buckets[a:b], weights=self._counts[a:b], minlength=BUCKETS)
            self._totals.append(self._totals[-1] + gained.astype(np.int64))
        begins = self._starts[base * self.STRIDE]
        lengths = self._starts[rows] - begins
        entries = _ranges(begins, lengths)
        keys = np.repeat(np.arange(len(rows)) * BUCKETS, lengths) + self._buckets[entries]
        rest = np.bincount(keys, weights=self._counts[entries], minlength=len(rows) * BUCKETS)
        totals: Ints = np.array([self._totals[block] for block in base.tolist()], dtype=np.int64)
        totals = totals.reshape(-1, BUCKETS)
        totals += rest.astype(np.int64).reshape(-1, BUCKETS)
        return totals


_Array = TypeVar("_Array", bound="NDArray[Any]")


def _written(into: _Array, at: int, values: _Array) -> _Array:
    """`into` with `values` from place `at` on; a larger copy when it is full."""
    end = at + len(values)
    if end > len(into):
        grown = np.empty(max(end, 2 * len(into)), dtype=into.dtype)
        grown[:at] = into[:at]
        into = grown  # type: ignore[assignment]  # of the same kind
    into[at:end] = values
    return into


def _ranges(begins: Ints, lengths: Ints) -> Ints:
    """`begins[0], begins[0] + 1, ... (lengths[0] of them), begins[1], ...`."""
    ends = np.cumsum(lengths)
    places: Ints = np.repeat(begins - (ends - lengths), lengths)
    places += np.arange(len(places))
    return places


def binned(keys: Ints, weights: Floats, bins: int) -> Floats:
    """Sums of `weights` by key, shape `(bins,)`."""
    return np.asarray(np.bincount(keys, weights=weights, minlength=bins), dtype=np.float64)


def span_sums(cells: Floats, rows: Ints) -> Floats:
    """Sums of `cells`, shape `(k, rows)`, over the spans `[rows[i], rows[i + 1])`: `(k, len(rows) - 1)`."""
    first, last = int(rows[0]), int(rows[-1])
    begins = rows[:-1] - first
    padded = np.concatenate([cells[:, first:last], np.zeros((len(cells), 1))], axis=1)
    sums: Floats = np.add.reduceat(padded, begins, axis=1)
    sums[:, begins == rows[1:] - first] = 0.0  # reduceat gives an empty span its next element
    return sums


def quantiles_ns(counts: Ints, qs: Sequence[float]) -> Floats:
    """Quantiles of each row of `counts`, shape `(rows, len(qs))`, linear between order statistics: numpy's
    default, and so that of a summary (`sessions.summary.exact_quantiles`), of what the buckets stand for.

    NaN in rows without counts. Relative error at most 1 %.
    """
    seen = np.flatnonzero(counts.any(axis=0))
    if not len(seen):
        return np.full((len(counts), len(qs)), np.nan)
    low, high = int(seen[0]), int(seen[-1]) + 1
    sums = np.cumsum(counts[:, low:high], axis=1)
    totals = sums[:, -1]
    out = np.empty((len(counts), len(qs)))
    for i, q in enumerate(qs):
        place = q * np.maximum(totals - 1, 0)
        below = np.floor(place)
        first, second = (
            VALUES_NS[low + np.minimum((sums <= rank[:, None]).sum(axis=1), high - low - 1)]
            for rank in (below, below + 1)
        )
        out[:, i] = np.where(totals > 0, first + (second - first) * (place - below), np.nan)
    return out
