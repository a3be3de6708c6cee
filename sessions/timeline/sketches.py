"""Latency sketches beside the rows of a table: what was counted over any span of rows, and its quantiles."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadgen.sketch import BUCKETS, value_ns
from sessions.timeline import paged
from sessions.timeline.columns import Floats, Ints, written
from sessions.timeline.spans import parted, ranges

QS_KEPT = (0.5, 0.95, 0.99)
QUANTILES_CAP, SPANS_CAP = 1000, 16
"""Spans of which a log keeps quantiles (some charts) and whole sketches (those that one frame asks for)."""
_FEW = 3
VALUES_NS: Floats = np.array([value_ns(bucket) for bucket in range(BUCKETS)])
"""What each bucket of a sketch stands for, `loadgen.sketch.value_ns` of all."""


class Sketches(NamedTuple):
    """Counts by bucket, one row a span; only the buckets `[low, low + counts.shape[1])` were ever hit."""

    low: int
    counts: Ints

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    @property
    def values_ns(self) -> Floats:
        """What the columns of `counts` stand for."""
        return VALUES_NS[self.low : self.low + self.counts.shape[1]]

    @property
    def values_ms(self) -> Floats:
        """The same in ms."""
        return self.values_ns / 1e6

    def dense(self) -> Ints:
        """The counts with a column for every bucket, `(spans, BUCKETS)`."""
        out = np.zeros((len(self.counts), BUCKETS), dtype=np.int64)
        out[:, self.low : self.low + self.counts.shape[1]] = self.counts
        return out

    def trailing(self, spans: int) -> Sketches:
        """Each row with the `spans - 1` before it; fewer at the beginning."""
        sums = np.concatenate([np.zeros_like(self.counts[:1]), np.cumsum(self.counts, axis=0)])
        ends = np.arange(1, len(sums))
        return Sketches(self.low, sums[ends] - sums[np.maximum(ends - spans, 0)])

    def quantiles_ns(self, qs: Sequence[float]) -> Floats:
        """Quantiles of each row, shape `(spans, len(qs))`, linear between order statistics: numpy's default,
        and so that of a summary (`sessions.summary.exact_quantiles`), of what the buckets stand for.

        NaN in rows without counts. Relative error at most 1 %.
        """
        if len(self.counts) == 1:
            return self._quantiles_of_one(qs)
        out = np.full((len(self.counts), len(qs)), np.nan)
        width = self.counts.shape[1]
        # All rows after one another in one ascending array, so that every rank is looked up at once.
        sums = np.cumsum(self.counts)
        ends = sums[width - 1 :: width]
        begins = np.concatenate([[0], ends[:-1]])
        rows = np.flatnonzero(ends > begins)
        place = np.asarray(qs) * (ends - begins - 1)[rows, None]
        below = place.astype(np.int64)
        ranks = begins[rows, None] + np.array([below, below + 1])
        found = np.searchsorted(sums, ranks, side="right") - rows[:, None] * width
        first, second = VALUES_NS[self.low + np.minimum(found, width - 1)]
        out[rows] = first + (second - first) * (place - below)
        return out

    def _quantiles_of_one(self, qs: Sequence[float]) -> Floats:
        """The same of a single row, which a frame asks of most, at a fifth of the cost."""
        sums = self.counts[0].cumsum()
        n, last = int(sums[-1]) if len(sums) else 0, len(sums) - 1
        if not n:
            return np.full((1, len(qs)), np.nan)
        places = [q * (n - 1) for q in qs]
        ranks = [int(place) for place in places]
        found = sums.searchsorted(ranks + [rank + 1 for rank in ranks], side="right").tolist()
        values = [float(VALUES_NS[self.low + min(at, last)]) for at in found]
        return np.array(
            [
                [
                    first + (second - first) * (place - rank)
                    for first, second, place, rank in zip(
                        values, values[len(qs) :], places, ranks, strict=False
                    )
                ]
            ]
        )


def quantiles_ns(counts: Ints, qs: Sequence[float]) -> Floats:
    """`Sketches.quantiles_ns` of counts in all buckets, `(rows, BUCKETS)`."""
    seen = np.flatnonzero(counts.any(axis=0))
    low, high = (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 1)
    return Sketches(low, counts[:, low:high]).quantiles_ns(qs)


class SketchLog:
    """The sketches of one metric, one a row of a table, in the table's order.

    Entries are kept sparse (6 bytes each); once asked for, running totals are kept every `STRIDE` rows, so
    that the counts of any span of rows cost a subtraction and a few entries.
    """

    STRIDE = 16

    def __init__(self) -> None:
        self._pending: list[array[int]] = []
        """Four bytes a number: a list of them takes ten times that, with the numbers."""
        self._starts: Ints = np.zeros(64, dtype=np.int64)
        self._buckets: NDArray[np.uint16] = np.empty(64, dtype=np.uint16)
        self._counts: NDArray[np.uint32] = np.empty(64, dtype=np.uint32)
        self._rows = 0
        self._low, self._high = BUCKETS, 0
        self._totals: NDArray[np.uint32] = np.zeros((1, 0), dtype=np.uint32)
        """Over the first `i * STRIDE` rows, of the buckets `[_low, _high)`. They may run over: what is asked
        for is a difference of two, and that comes out right."""
        self._blocks = 0
        """How many blocks of `STRIDE` rows these totals are known of."""
        self._quantiles: dict[tuple[int, int], list[float]] = {}
        """Of spans of rows that were asked for, `QS_KEPT` of each."""
        self._spans: dict[tuple[int, int], Sketches] = {}
        """Of single spans that were asked for since rows came last: a frame asks for some of them again."""

    @classmethod
    def of_entries(cls, lengths: NDArray[Any], buckets: NDArray[Any], counts: NDArray[Any]) -> SketchLog:
        """The log that gave these `entries`, whole numbers of any kind.

        Raises:
            ValueError: a bucket that is none.
        """
        if buckets.max(initial=0) >= BUCKETS:
            raise ValueError("a bucket that is none")
        log = cls()
        log._rows = len(lengths)
        log._starts = paged.empty((len(lengths) + 1,), np.int64)
        log._starts[0] = 0
        np.cumsum(lengths, out=log._starts[1:])
        log._buckets, log._counts = paged.copied(buckets, np.uint16), paged.copied(counts, np.uint32)
        if len(buckets):
            log._widen(int(buckets.min()), int(buckets.max()) + 1)
        return log

    def entries(self) -> tuple[Ints, NDArray[np.uint16], NDArray[np.uint32]]:
        """How many entries each row has, then of all of them the buckets and the counts."""
        starts = self._starts[: self._rows + 1]
        return np.diff(starts), self._buckets[: starts[-1]], self._counts[: starts[-1]]

    def add(self, flat: list[int]) -> None:
        self._pending.append(array("I", flat))

    def merge_pending(self, first: int, order: Ints) -> None:
        """Follows the table: arguments are what its `merge_pending` returned."""
        rows = self._pending
        self._pending = []
        at, end = int(self._starts[first]), int(self._starts[self._rows])
        fresh = np.frombuffer(b"".join(rows), dtype=np.uintc).reshape(-1, 2)
        hit, counts = fresh[:, 0].astype(np.uint16), fresh[:, 1]
        buckets, lengths = hit, np.array([len(row) // 2 for row in rows], dtype=np.int64)
        if len(order) > 1 or first < self._rows:  # else a run that goes on has one tick more
            lengths = np.concatenate([np.diff(self._starts[first : self._rows + 1]), lengths])
            moved = ranges((np.cumsum(lengths) - lengths)[order], lengths[order])
            buckets = np.concatenate([self._buckets[at:end], hit])[moved]
            counts = np.concatenate([self._counts[at:end], counts])[moved]
            lengths = lengths[order]
        if first < self._rows:
            self._blocks = min(self._blocks, first // self.STRIDE)
            self._quantiles = {span: known for span, known in self._quantiles.items() if span[1] <= first}
        self._rows = first + len(order)
        self._buckets = written(self._buckets, at, buckets)
        self._counts = written(self._counts, at, counts)
        self._starts = written(self._starts, first + 1, at + lengths.cumsum())
        self._spans = {}
        if len(hit):
            self._widen(int(hit.min()), int(hit.max()) + 1)

    def _widen(self, low: int, high: int) -> None:
        """Makes room for a bucket that was not hit before."""
        low, high = min(low, self._low), max(high, self._high)
        if (low, high) != (self._low, self._high):
            wider: NDArray[np.uint32] = paged.empty((len(self._totals), high - low), np.uint32)
            margins = ((0, 0), (self._low - low, high - self._high))
            for at, rows in paged.pieces(self._totals):
                wider[at : at + len(rows)] = np.pad(rows, margins) if self._high > self._low else 0
            self._low, self._high, self._totals = low, high, wider

    def between(self, rows: Ints) -> Sketches:
        """Counts over the spans of rows `[rows[i], rows[i + 1])`, ascending. Not to be written to."""
        if len(rows) != 2:
            return self._counted(rows)
        span = int(rows[0]), int(rows[1])
        if span not in self._spans:
            if len(self._spans) >= SPANS_CAP:
                self._spans = {}
            self._spans[span] = self._counted_once(*span)
        return self._spans[span]

    def _counted_once(self, a: int, b: int) -> Sketches:
        """`_counted` of one span, without what only many need."""
        width, from_block, to_block = self._high - self._low, -(-a // self.STRIDE), b // self.STRIDE
        if width <= 0:
            return Sketches(0, np.zeros((1, 1), dtype=np.int64))
        counts, rest = np.zeros(width, dtype=np.int64), [(a, b)]
        if to_block > from_block:
            self._total(to_block)
            counts += self._totals[to_block] - self._totals[from_block]
            rest = [(a, from_block * self.STRIDE), (to_block * self.STRIDE, b)]
        for first, last in rest:
            if last > first:
                entries = slice(int(self._starts[first]), int(self._starts[last]))
                keys = self._buckets[entries] - np.uint16(self._low)
                counts += np.bincount(keys, self._counts[entries], minlength=width).astype(np.int64)
        return Sketches(self._low, counts[np.newaxis])

    def _counted(self, rows: Ints) -> Sketches:
        n, width = len(rows) - 1, self._high - self._low
        if width <= 0:
            return Sketches(0, np.zeros((n, 1), dtype=np.int64))
        parts = parted(rows, self.STRIDE)
        begins = self._starts[parts.begins]
        lengths = self._starts[parts.ends] - begins
        counts = self._binned(
            ranges(begins, lengths), np.repeat(np.arange(len(begins)) % n * width, lengths), n
        )
        whole = np.flatnonzero(parts.to_block > parts.from_block)
        if len(whole):
            self._total(int(parts.to_block.max()))
            counts[whole] += self._totals[parts.to_block[whole]] - self._totals[parts.from_block[whole]]
        paged.relieved()
        return Sketches(self._low, counts)

    def bands_ns(self, rows: Ints) -> Floats:
        """`QS_KEPT` of the spans of rows `[rows[i], rows[i + 1])`, shape `(spans, len(QS_KEPT))`.

        A span that was asked for before is only looked up: of a chart that goes on, all columns but the last.
        """
        spans, known = list(pairwise(rows.tolist())), self._quantiles
        missing = [i for i, span in enumerate(spans) if span not in known]
        if missing:
            if len(known) > QUANTILES_CAP:
                known = self._quantiles = {}
                missing = [0, len(spans) - 1]
            first, last = missing[0], missing[-1] + 1
            fresh = self._quantiles_of(spans[first:last], rows[first : last + 1])
            known.update(zip(spans[first:last], fresh, strict=True))
        return np.array([known[span] for span in spans]).reshape(len(spans), len(QS_KEPT))

    def _quantiles_of(self, spans: Sequence[tuple[int, int]], rows: Ints) -> list[list[float]]:
        """A few spans, the last columns of a chart that goes on, cost less one by one."""
        if len(spans) <= _FEW:
            each = (self._counted_once(*span).quantiles_ns(QS_KEPT) for span in spans)
            return [found[0].tolist() for found in each]
        return self._counted(rows).quantiles_ns(QS_KEPT).tolist()  # type: ignore[no-any-return]

    def _binned(self, entries: Ints | slice, keys: Ints, n: int) -> Ints:
        width = self._high - self._low
        keys += self._buckets[entries]
        keys -= self._low
        sums = np.bincount(keys, self._counts[entries], minlength=n * width)
        counts: Ints = sums.astype(np.int64).reshape(n, width)
        return counts

    def _total(self, upto: int) -> None:
        """Running totals of the first `upto` blocks."""
        while (done := self._blocks) < upto:
            n = min(self._rows // self.STRIDE - done, 1024)
            starts = self._starts[np.arange(done, done + n + 1) * self.STRIDE]
            keys = np.repeat(np.arange(n), np.diff(starts)) * (self._high - self._low)
            gained = self._binned(slice(int(starts[0]), int(starts[-1])), keys, n)
            totals = self._totals[done] + np.cumsum(gained, axis=0, dtype=np.uint32)
            self._totals = written(self._totals, done + 1, totals)
            self._blocks += n
            paged.relieved()
