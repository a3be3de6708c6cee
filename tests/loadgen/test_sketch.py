from __future__ import annotations

import numpy as np
import pytest

from loadgen.sketch import BUCKETS, SketchCounts, bucket, value_ns


@pytest.mark.parametrize("median_ms", [0.05, 20, 900])
@pytest.mark.parametrize("q", [0.5, 0.9, 0.95, 0.99])
def test_quantiles_of_lognormal_latencies_are_within_one_percent_of_numpy(median_ms: float, q: float) -> None:
    draws = np.random.default_rng(7).lognormal(np.log(median_ms * 1e6), 0.7, 20_000).astype(np.int64)
    counts = SketchCounts()
    for ns in draws.tolist():
        counts.add(ns)
    flat = counts.take()
    cumulative = np.cumsum(flat[1::2])
    assert cumulative[-1] == len(draws)
    rank = int(q * len(draws))
    found = value_ns(flat[::2][int(np.searchsorted(cumulative, rank, side="right"))])
    true = float(np.sort(draws)[rank])
    assert abs(found / true - 1) <= 0.01


def test_each_bucket_holds_its_own_middle_and_its_edges_are_within_one_percent() -> None:
    for b in range(BUCKETS):
        low, high = 1000 * 1.02**b, 1000 * 1.02 ** (b + 1)
        assert bucket(round(value_ns(b))) == b
        assert value_ns(b) / low <= 1.01
        assert high / value_ns(b) <= 1.01


def test_what_is_out_of_range_lands_in_the_end_buckets() -> None:
    assert [bucket(ns) for ns in (-5, 0, 1, 1000)] == [0, 0, 0, 0]
    assert bucket(1021) == 1
    assert bucket(10**18) == BUCKETS - 1
    counts = SketchCounts()
    for ns in (-5, 0, 1000, 10**18):
        counts.add(ns)
    assert counts.take() == [0, 3, BUCKETS - 1, 1]


def test_add_and_bucket_agree_over_the_whole_range() -> None:
    for ns in np.unique(np.geomspace(1, 1e14, 5000).astype(np.int64)).tolist():
        counts = SketchCounts()
        counts.add(ns, 3)
        assert counts.take() == [bucket(ns), 3]


def test_taking_clears_and_sorts() -> None:
    counts = SketchCounts()
    counts.add(5_000_000, 2)
    counts.add(1_000_000)
    counts.add(5_000_000)
    assert counts.take() == [bucket(1_000_000), 1, bucket(5_000_000), 3]
    assert counts.take() == []
