"""Rows by time as numpy columns: what a timeline is made of.

Rows may come in any order; they are put in order when something is asked. Times and counts are kept as
float64, exact for times up to 104 days and for counts up to 9e15.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sessions.timeline import paged
from sessions.timeline.spans import Floats as Floats
from sessions.timeline.spans import Ints as Ints
from sessions.timeline.spans import parted

MORE_ROWS = 1 << 16
"""Room for so many is made ahead, of one worker's ticks four hours and a half; in a table that is large an
eighth of it, so that what is copied in all is a few times what it holds."""
PENDING_CAP = 1024
"""Rows that wait to be put in their place: a row that waits takes some five times what it takes there."""
_BLOCKS_AT_A_TIME = 4096
_ONLY: Ints = np.zeros(1, dtype=np.int64)


class Table:
    """Columns of one kind of row, the first of which is the time `t`, ascending. Missing values are NaN.

    Rows of one time are ordered by the next two columns, so that the order they came in leaves no trace.

    Args:
        names: of the columns.
        by: the column by whose values `sums` and `counts` are kept apart, such as the worker.
        followed: others keep to its order, and have to know when rows are put in their place: who adds rows
            looks whether it is `crowded`.
    """

    def __init__(self, names: Sequence[str], by: str | None = None, followed: bool = False) -> None:
        self._followed = followed
        self._at = {name: i for i, name in enumerate(names)}
        self._cells: Floats = np.empty((len(names), 64))
        self._rows = 0
        self._pending: list[tuple[float | None, ...]] = []
        self._by = by
        self._groups: Floats = np.zeros(0 if by else 1)
        self._blocks: dict[tuple[tuple[str, ...], tuple[bool, ...]], tuple[int, Floats]] = {}
        """How many sums of blocks are known, and they, with a 0 after the last."""

    @classmethod
    def of_cells(
        cls, names: Sequence[str], cells: Floats, by: str | None = None, followed: bool = False
    ) -> Table:
        """The table that `cells` were asked of."""
        table = cls(names, by, followed)
        table._cells, table._rows = cells, cells.shape[1]
        if by:
            table._groups = np.unique(cells[table._at[by]])
        return table

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(self._at)

    def cells(self) -> Floats:
        """All of them, shape `(len(names), rows)`. Not to be written to, nor kept."""
        self.merge_pending()
        return self._cells[:, : self._rows]

    def add(self, row: tuple[float | None, ...]) -> None:
        """Takes a row in, in the order of the names; None is what is missing."""
        self._pending.append(row)
        if len(self._pending) >= PENDING_CAP and not self._followed:
            self.merge_pending()

    @property
    def crowded(self) -> bool:
        """More rows wait than should, in a table that others follow."""
        return len(self._pending) >= PENDING_CAP

    def merge_pending(self) -> tuple[int, Ints] | None:
        """Puts what came in since the last time in its place.

        Returns:
            None when nothing came; else the first row that may have changed, and the order in which the
            rows from there on (the old ones, then the new ones as they came) now stand.
        """
        if not self._pending:
            return None
        came, columns = len(self._pending), len(self._at)
        if came == 1 and (appended := self._append(self._pending[0])) is not None:
            return appended
        cells = np.fromiter(chain.from_iterable(self._pending), np.float64, came * columns)
        fresh = cells.reshape(came, columns).T
        self._pending = []
        first = int(np.searchsorted(self._cells[0, : self._rows], fresh[0].min(), side="left"))
        tail = np.concatenate([self._cells[:, first : self._rows], fresh], axis=1)
        order: Ints = np.lexsort(tail[2::-1])
        self._rows = first + tail.shape[1]
        if self._rows > self._cells.shape[1]:
            ahead = max(MORE_ROWS, self._rows // 8)
            more = min(max(self._rows * 5 // 4, 2 * self._cells.shape[1]), self._rows + ahead)
            grown = paged.empty((self._cells.shape[0], max(more, self._rows)))
            paged.copy(self._cells[:, :first], grown[:, :first])
            self._cells = grown
        self._cells[:, first : self._rows] = tail[:, order]
        if self._by:
            groups = np.union1d(self._groups, fresh[self._at[self._by]])
            if len(groups) > len(self._groups):
                self._groups, self._blocks = groups, {}
        keep = first // self._stride
        self._blocks = {key: (min(known, keep), blocks) for key, (known, blocks) in self._blocks.items()}
        paged.relieved()
        return first, order

    def _append(self, row: tuple[float | None, ...]) -> tuple[int, Ints] | None:
        """One row after all others, which is what a run that goes on brings: nothing is put in order, nothing
        that was summed up is other than it was. None where it is not such a row, or there is no room."""
        at, t_ns = self._rows, row[0]
        if at == self._cells.shape[1] or t_ns is None or (at and not self._cells[0, at - 1] < t_ns):
            return None
        if self._by and row[self._at[self._by]] not in self._groups:
            return None
        self._cells[:, at] = row
        self._rows, self._pending = at + 1, []
        return at, _ONLY

    def __len__(self) -> int:
        self.merge_pending()
        return self._rows

    def begins_by(self, t_ns: float) -> bool:
        """Whether there is a row up to an instant."""
        self.merge_pending()
        return self._rows > 0 and bool(self._cells[0, 0] <= t_ns)

    def __getitem__(self, name: str) -> Floats:
        """One column, shape `(rows,)`."""
        if self._pending:
            self.merge_pending()
        return self._cells[self._at[name], : self._rows]

    def block(self, names: Sequence[str], first: int, last: int) -> Floats:
        """The rows `[first, last)` of several columns, shape `(len(names), last - first)`."""
        self.merge_pending()
        return self._cells[[self._at[name] for name in names], first : min(last, self._rows)]

    def row(self, at: int) -> dict[str, float | None]:
        """One row, with None for what is missing."""
        self.merge_pending()
        values = self._cells[:, at].tolist()
        return {name: None if value != value else value for name, value in zip(self._at, values, strict=True)}

    def upto(self, t_ns: float | Floats) -> Ints:
        """How many rows have `t <= t_ns`, for one time or for an array of them."""
        rows: Ints = np.asarray(self["t"].searchsorted(t_ns, side="right"), dtype=np.int64)
        return rows

    def known_before(self, name: str, row: int) -> int | None:
        """The last row before `row` in which a column is not missing."""
        column = self[name]
        reach = 256
        while row > 0:
            from_row = max(row - reach, 0)
            known = np.flatnonzero(np.isfinite(column[from_row:row]))
            if len(known):
                return from_row + int(known[-1])
            row, reach = from_row, 4 * reach
        return None

    # sums over spans of rows

    @property
    def groups(self) -> Floats:
        """The values by which sums are kept apart, ascending; one 0 when they are not."""
        self.merge_pending()
        return self._groups

    @property
    def _stride(self) -> int:
        """Rows of a block. Many groups take turns, so that a block holds some rows of each."""
        return 16 if not self._by else 8 * max(len(self._groups), 1)

    def sums(self, names: Sequence[str], rows: Ints) -> Floats:
        """Sums of what is known over the spans `[rows[i], rows[i + 1])`, ascending.

        What lies within a span as whole blocks is summed up once and kept, so that the cost follows the
        number of spans more than the number of rows.

        Returns:
            Shape `(len(names), len(rows) - 1, len(self.groups))`.
        """
        sums: Floats = self._over(names, rows, (False,))[0]
        return sums

    def sums_and_counts(self, names: Sequence[str], rows: Ints) -> tuple[Floats, Floats]:
        """Sums of what is known, as of `sums`, and how many values that were, in the same shape."""
        sums, counts = self._over(names, rows, (False, True))
        return sums, counts

    def _over(self, names: Sequence[str], rows: Ints, kinds: tuple[bool, ...]) -> Floats:
        self.merge_pending()
        parts = parted(rows, self._stride)
        left = parts.rows
        out = self._binned(self._weights(names, left, kinds), left, parts.ends - parts.begins)
        sums = parts.with_blocks(out, lambda a, b: self._blocks_of(tuple(names), kinds, b)[:, :, a : b + 1])
        paged.relieved()
        return sums

    def _weights(self, names: Sequence[str], rows: Ints | slice, kinds: tuple[bool, ...]) -> Floats:
        """What is added up: values where they are known, or ones; a 0 after the last of them.

        Shape `(kinds, names, rows + 1)`.
        """
        return _weighed(self._picked(names, rows), kinds)

    def _picked(self, names: Sequence[str], rows: Ints | slice) -> Floats:
        at = [self._at[name] for name in names]
        if isinstance(rows, slice):
            cells: Floats = self._cells[at, rows]
        else:
            cells = self._cells[np.array(at)[:, np.newaxis], rows]
        return cells

    def _binned(self, weights: Floats, rows: Ints | slice, lengths: Ints) -> Floats:
        """Sums of `weights` over runs of so many of the rows, by group: `(kinds, names, runs, groups)`."""
        runs, groups = len(lengths), max(len(self._groups), 1)
        if groups == 1:
            return _summed(weights, lengths)
        keys = np.repeat(np.arange(runs) * groups, lengths) + self._group_of(rows)
        each = (np.bincount(keys, cells[:-1], minlength=runs * groups) for kind in weights for cells in kind)
        binned = np.array(list(each), dtype=np.float64)
        return binned.reshape(*weights.shape[:2], runs, groups)

    def _blocks_of(self, names: tuple[str, ...], kinds: tuple[bool, ...], upto: int) -> Floats:
        """The sums of whole blocks, more than `upto` of them: `(kinds, names, blocks, groups)`."""
        done, blocks = self._blocks.get((names, kinds), (0, np.empty((0, 0, 0, 0))))
        if done < upto:
            upto = self._rows // self._stride
            if upto >= blocks.shape[2]:
                shape = (len(kinds), len(names), upto * 5 // 4 + 64, max(len(self._groups), 1))
                grown = paged.empty(shape)
                if done:
                    grown[:, :, :done] = blocks[:, :, :done]
                blocks = grown
            for first in range(done, upto, _BLOCKS_AT_A_TIME):
                last = min(first + _BLOCKS_AT_A_TIME, upto)
                rows = slice(first * self._stride, last * self._stride)
                lengths = np.full(last - first, self._stride)
                blocks[:, :, first:last] = self._binned(self._weights(names, rows, kinds), rows, lengths)
                paged.relieved()
            blocks[:, :, upto] = 0.0
            self._blocks[names, kinds] = upto, blocks
        return blocks

    def _group_of(self, rows: Ints | slice) -> Ints:
        found: Ints = np.searchsorted(self._groups, self._cells[self._at[self._by or "t"]][rows])
        return found


def sums_and_counts_of(tables: Sequence[Table], names: Sequence[str], rows: Ints) -> tuple[Floats, Floats]:
    """`Table.sums_and_counts` of several tables at once, over the same spans of rows, at about the cost of
    one: for tables that keep nothing apart, such as those of GPUs that are read together.

    Returns:
        Twice shape `(len(tables), len(names), len(rows) - 1)`.
    """
    kinds, parts = (False, True), parted(rows, tables[0]._stride)
    for table in tables:
        table.merge_pending()

    def blocks(a: int, b: int) -> Floats:
        out = np.empty((len(kinds), len(tables), len(names), b + 1 - a, 1))
        for of_table, table in zip(out.swapaxes(0, 1), tables, strict=True):
            of_table[:] = table._blocks_of(tuple(names), kinds, b)[:, :, a : b + 1]
            paged.relieved()
        return out.reshape(len(kinds), -1, b + 1 - a, 1)

    cells = np.concatenate([table._picked(names, parts.rows) for table in tables])
    out = parts.with_blocks(_summed(_weighed(cells, kinds), parts.ends - parts.begins), blocks)
    paged.relieved()
    sums, counts = out.reshape(len(kinds), len(tables), len(names), len(rows) - 1)
    return sums, counts


def _weighed(cells: Floats, kinds: tuple[bool, ...]) -> Floats:
    known = np.isfinite(cells)
    out: Floats = np.zeros((len(kinds), len(cells), cells.shape[1] + 1))
    for counted, weights in zip(kinds, out[:, :, :-1], strict=True):
        np.copyto(weights, 1.0 if counted else cells, where=known)
    return out


def _summed(weights: Floats, lengths: Ints) -> Floats:
    """Sums over runs of so many, as one group: `(kinds, names, runs, 1)`."""
    sums: Floats = np.add.reduceat(weights, lengths.cumsum() - lengths, axis=2)
    sums[:, :, lengths == 0] = 0.0  # reduceat gives an empty run its next element
    return sums[..., np.newaxis]


def binned(keys: Ints, weights: Floats, bins: int) -> Floats:
    """Sums of `weights` by key, shape `(bins,)`."""
    return np.asarray(np.bincount(keys, weights=weights, minlength=bins), dtype=np.float64)


_Array = TypeVar("_Array", bound="NDArray[Any]")


def written(into: _Array, at: int, values: _Array) -> _Array:
    """`into` with `values` from place `at` on; a larger copy when it is full."""
    end = at + len(values)
    if end > len(into):
        grown = paged.empty((max(end * 5 // 4, 2 * len(into)), *into.shape[1:]), into.dtype)
        paged.copy(into[:at], grown[:at])
        into = grown  # type: ignore[assignment]  # of the same kind
    into[at:end] = values
    return into
