"""Percentiles of all values, held against numpy's."""

from __future__ import annotations

import random

import numpy as np
import pytest

from sessions.summary.exact_quantiles import exact_quantiles, of_multiset
from sessions.summary.quantile_schema import ExactQuantiles
from sessions.timeline.token_gaps import multiset


@pytest.mark.parametrize("n", [1, 2, 7, 1000, 30_000])
def test_they_are_numpys_on_the_same_numbers(n: int) -> None:
    draws = np.random.default_rng(n).lognormal(10, 0.5, n).round()
    said = exact_quantiles(draws, 1e3)
    assert said.count == n
    expected = np.percentile(draws, (0, 50, 90, 95, 99, 100)) / 1e3
    found = np.array([said.min, said.p50, said.p90, said.p95, said.p99, said.max], dtype=float)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=5e-7)
    assert said.mean == pytest.approx(draws.mean() / 1e3, abs=5e-7)


def test_weights_count_as_repeats_and_the_order_leaves_no_trace() -> None:
    draw = random.Random(3)
    pairs = [(draw.choice([draw.uniform(1, 9), draw.randint(1, 9)]), draw.randint(1, 5)) for _ in range(500)]
    expanded = np.array([value for value, count in pairs for _ in range(count)], dtype=float)
    found = []
    for _ in range(3):
        draw.shuffle(pairs)
        values, counts = np.array(pairs, dtype=float).T
        found.append(of_multiset(multiset(values, counts), 1.0))
    assert found[0] == found[1] == found[2] == exact_quantiles(expanded, 1.0)
    assert found[0].p95 == pytest.approx(np.percentile(expanded, 95), abs=1e-6)
    assert found[0].count == len(expanded)


def test_what_is_missing_counts_for_nothing() -> None:
    assert exact_quantiles(np.array([np.nan, 3.0, np.nan]), 1.0) == exact_quantiles(np.array([3.0]), 1.0)


@pytest.mark.parametrize(
    ("n", "thin"),
    [
        (10, ["p50", "p90", "p95", "p99"]),
        (11, ["p90", "p95", "p99"]),
        (63, ["p90", "p95", "p99"]),
        (64, ["p95", "p99"]),
        (129, ["p95", "p99"]),
        (130, ["p99"]),
        (661, ["p99"]),
        (662, []),
    ],
)
def test_percentiles_on_few_samples_are_named_thin(n: int, thin: list[str]) -> None:
    assert exact_quantiles(np.arange(n, dtype=float), 1.0).thin == thin


def test_nothing_observed_is_none_throughout() -> None:
    assert exact_quantiles(np.empty(0), 1.0) == ExactQuantiles(0, *[None] * 7, [])
