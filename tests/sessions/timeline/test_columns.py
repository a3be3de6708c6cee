"""Sums over spans of rows: the same as numpy's over the rows, whatever was summed up before."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from loadgen.sketch import BUCKETS
from sessions.timeline import columns, paged
from sessions.timeline.columns import Table
from sessions.timeline.sketches import Sketches, SketchLog, quantiles_ns

NAN = float("nan")


def spans(draw: random.Random, rows: int) -> np.ndarray:
    """Bounds of some spans, ascending: narrow, wide and empty ones."""
    return np.sort(np.array([draw.randrange(rows + 1) for _ in range(draw.choice((2, 3, 30)))]))


@pytest.mark.parametrize("by", [None, "worker"])
@pytest.mark.parametrize("seed", range(6))
def test_sums_over_spans_are_those_of_the_rows(seed, by):
    draw = random.Random(seed)
    table = Table(("t", "worker", "figure"), by=by)
    rows: list[tuple[float, float, float]] = []
    for _ in range(6):
        for _ in range(draw.choice((1, 40, 700))):  # late ones as well
            worker = float(draw.choice((0, 1, 7) if len(rows) > 500 else (0, 7)))
            rows.append((float(draw.randrange(10_000)), worker, draw.choice((NAN, 0.5, 2.0, 3.25))))
            table.add(rows[-1])
        ordered = np.array(sorted(rows, key=lambda row: (row[0], row[1], np.nan_to_num(row[2], nan=9.0))))
        groups = sorted({row[1] for row in rows}) if by else [0.0]
        assert table.groups.tolist() == groups
        for _ in range(4):
            edges = spans(draw, len(rows))
            sums, counts = table.sums_and_counts(("figure", "t"), edges)
            np.testing.assert_array_equal(sums, table.sums(("figure", "t"), edges))
            for i, (a, b) in enumerate(pairwise(edges)):
                for k, group in enumerate(groups):
                    part = ordered[a:b]
                    part = part[part[:, 1] == group] if by else part
                    assert sums[0, i, k] == np.nansum(part[:, 2])
                    assert counts[0, i, k] == np.isfinite(part[:, 2]).sum()
                    assert (sums[1, i, k], counts[1, i, k]) == (part[:, 0].sum(), len(part))


@pytest.mark.parametrize("by", [None, "worker"])
def test_rows_that_come_one_by_one_are_as_if_they_had_come_at_once(by):
    names = ("t", "worker", "figure")
    coming = [(float(t), float(t % 2), 0.5 * t if t % 3 else None) for t in (*range(150), 149, 7, 200, 201)]
    table, log = Table(names, by=by), SketchLog()
    for n, row in enumerate(coming, start=1):
        table.add(row)
        log.add([n % 90, n])
        moved = table.merge_pending()
        assert moved is not None
        log.merge_pending(*moved)
        edges = np.array([0, n // 3, n])
        table.sums(("figure",), edges)
        log.between(edges)
        at_once, whole = Table(names, by=by), SketchLog()
        for i, other in enumerate(coming[:n], start=1):
            at_once.add(other)
            whole.add([i % 90, i])
        ordered = at_once.merge_pending()
        assert ordered is not None
        whole.merge_pending(*ordered)
        if n % 10 and n < 150:
            continue
        np.testing.assert_array_equal(table.cells(), at_once.cells())
        np.testing.assert_array_equal(table.sums(("figure",), edges), at_once.sums(("figure",), edges))
        np.testing.assert_array_equal(log.between(edges).dense(), whole.between(edges).dense())
        np.testing.assert_array_equal(log.bands_ns(edges), whole.bands_ns(edges))


def test_what_is_copied_while_a_table_grows_is_a_few_times_what_it_holds(monkeypatch) -> None:
    copied, rows, empty = 0, 60_000, paged.empty
    monkeypatch.setattr(columns, "MORE_ROWS", 64)  # so that these rows stand for sixty million
    table = Table(("t",))

    def counting(shape, *kind):
        nonlocal copied
        copied += len(table._cells[0])
        return empty(shape, *kind)

    monkeypatch.setattr(paged, "empty", counting)
    for t in range(0, rows, 10):
        for row in range(t, t + 10):
            table.add((float(row),))
        table.merge_pending()
    assert table["t"].tolist() == list(range(rows))
    assert copied <= 12 * rows
    assert table._cells.shape[1] <= rows * 9 // 8 + 64


def test_the_last_known_value_is_found_however_far_back():
    table = Table(("t", "figure"))
    for t in range(5000):
        table.add((float(t), 1.0 if t in (3, 4000) else NAN))
    assert [table.known_before("figure", row) for row in (5000, 4001, 4000, 4, 3, 0)] == [
        *(4000, 4000, 3, 3),
        *(None, None),
    ]


@pytest.mark.parametrize("seed", range(6))
def test_sketches_of_spans_are_the_sums_of_those_of_the_rows(seed):
    draw = random.Random(seed)
    table, log = Table(("t", "order", "place")), SketchLog()
    rows: list[tuple[float, np.ndarray]] = []
    for part in range(5):
        for _ in range(draw.choice((1, 30, 400))):
            counts = np.zeros(BUCKETS, dtype=np.int64)
            for _ in range(draw.randrange(4)):  # ever further apart
                counts[draw.randrange(500 - 100 * part, 500 + 100 * part + 2)] += draw.randrange(1, 9)
            flat = [int(x) for at in np.flatnonzero(counts) for x in (at, counts[at])]
            t = float(draw.randrange(1000))
            table.add((t, float(len(rows)), 0.0))
            log.add(flat)
            rows.append((t, counts))
        moved = table.merge_pending()
        assert moved is not None
        log.merge_pending(*moved)
        cells = np.array([counts for _, counts in sorted(rows, key=lambda row: row[0])])
        for _ in range(4):
            edges = spans(draw, len(rows))
            expected = np.array([cells[a:b].sum(axis=0) for a, b in pairwise(edges)])
            found = log.between(edges)
            np.testing.assert_array_equal(found.dense(), expected)
            assert found.total == expected.sum()
            np.testing.assert_array_equal(
                found.quantiles_ns((0.5, 0.99)), quantiles_ns(expected, (0.5, 0.99))
            )
            twice = Sketches(0, np.vstack([expected, expected])).quantiles_ns((0.5, 0.99))  # of many rows
            np.testing.assert_array_equal(found.quantiles_ns((0.5, 0.99)), twice[: len(expected)])


def test_trailing_sketches_are_summed_over_the_last_ones():
    counts = np.array([[1, 0], [2, 5], [0, 0], [4, 1]])
    assert Sketches(3, counts).trailing(2).counts.tolist() == [[1, 0], [3, 5], [2, 5], [4, 1]]
    assert Sketches(3, counts).trailing(9).counts.tolist() == [[1, 0], [3, 5], [3, 5], [7, 6]]
