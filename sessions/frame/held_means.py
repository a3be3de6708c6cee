"""Readings of tables as means by column of a chart: of tables read together at one go. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sessions.timeline.columns import Floats, Ints, Table, sums_and_counts_of
from sessions.timeline.energy import median

_USUAL = 32
"""Samples of which the time between them is taken."""
_LATELY_NS = 3_000_000_000


class Axis(NamedTuple):
    """The columns that all charts of a frame share."""

    at_ns: int
    start_ns: int
    slot_ns: int
    slots: int
    edges: Floats
    """Bounds of the columns, shape `(slots + 1,)`; the last one is cut at the playhead."""

    def slot(self, t_ns: int) -> int | None:
        """The column that an instant falls in; None outside."""
        i = (t_ns - self.start_ns - 1) // self.slot_ns
        return i if 0 <= i < self.slots else None


def interval_ns(samples: Table, row: int) -> float:
    """The usual time between samples lately, as known at `row`."""
    return _interval_ns(samples["t"][max(row - _USUAL, 0) : row])


def _interval_ns(times: Floats) -> float:
    return median(times[1:] - times[:-1]) if len(times) > 1 else 0.0


def held_means(samples: Table, names: Sequence[str], axis: Axis, hold_ns: float) -> Floats:
    """Means by column, `(len(names), slots)`. A column that falls between two samples shows the one before.

    It is held for `hold_ns` at most: longer without a sample is a gap. So is a column that is still to come.
    """
    means: Floats = _means([samples], names, axis, samples.upto(axis.edges), hold_ns)[0]
    return means


class Alike(NamedTuple):
    """Tables that were read at the same times, as far as an axis and what is shown beside it go."""

    numbers: list[int]
    """Their places among all."""
    tables: list[Table]
    rows: Ints
    """How many rows each has up to the edges of the columns."""
    row: int
    """And up to the playhead."""
    lately: int
    """And up to some seconds before it."""
    hold_ns: float

    def means(self, names: Sequence[str], axis: Axis) -> Floats:
        """`held_means` of each, `(tables, names, slots)`."""
        return _means(self.tables, names, axis, self.rows, self.hold_ns)


def alike(tables: Sequence[Table], axis: Axis) -> list[Alike]:
    """All of them, those together that can be: the GPUs of a machine are read at one go."""
    asked = np.concatenate([axis.edges, [axis.at_ns - _LATELY_NS, axis.at_ns]])
    found: dict[tuple[bytes, bytes], Alike] = {}
    for number, table in enumerate(tables):
        rows = table.upto(asked)
        row = int(rows[-1])
        times = table["t"][max(row - _USUAL, 0) : row]
        key = rows.tobytes(), times.tobytes()
        if key not in found:
            found[key] = Alike([], [], rows[:-2], row, int(rows[-2]), _interval_ns(times) * 1.5)
        found[key].numbers.append(number)
        found[key].tables.append(table)
    return list(found.values())


def _means(tables: Sequence[Table], names: Sequence[str], axis: Axis, rows: Ints, hold_ns: float) -> Floats:
    sums, counts = sums_and_counts_of(tables, names, rows)
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    before = rows[1:] - 1
    empty = ((before < rows[:-1]) & (before >= 0) & (axis.edges[:-1] < axis.at_ns)).nonzero()[0]
    for table, own in zip(tables, means, strict=True) if len(empty) else ():
        held = empty[axis.edges[empty + 1] - table["t"][before[empty]] <= hold_ns]
        for i, name in enumerate(names):
            own[i, held] = table[name][before[held]]
    return means
