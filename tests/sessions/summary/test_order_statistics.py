"""What a percentile is at most: against the binomial summed up exactly, published sample sizes, and drawn samples."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from sessions.metrics import QUANTILES, THIN_FLOORS
from sessions.summary.exact_quantiles import exact_quantiles
from sessions.summary.order_statistics import most_above, upper_rank


def by_hand(n: int, percent: int) -> int | None:
    """In whole numbers: the greatest m of which at most 1 % lies at or below."""
    p = Fraction(100 - percent, 100)
    total, m = Fraction(0), None
    for k in range(n + 1):
        total += comb(n, k) * p**k * (1 - p) ** (n - k)
        if total > Fraction(1, 100):
            break
        m = k
    return m


@pytest.mark.parametrize("percent", [90, 95, 99])
def test_the_rank_is_that_of_the_exact_binomial(percent: int) -> None:
    for n in (1, 43, 44, 64, 89, 90, 130, 458, 459, 661, 662, 838, 1000, 1307, 3000):
        assert most_above(n, 1 - percent / 100) == by_hand(n, percent), n


def test_the_sample_sizes_are_those_that_loadgen_publishes_for_0_1_2_5_and_10_misses() -> None:
    for misses, n in ((0, 459), (1, 662), (2, 838), (5, 1307), (10, 2010)):
        assert (most_above(n - 1, 0.01), most_above(n, 0.01)) == (misses - 1 if misses else None, misses)


def test_of_a_hundred_million_values_the_rank_is_the_normal_distributions() -> None:
    n, p = 100_000_000, 0.01
    normal = n * p - 2.3263479 * (n * p * (1 - p)) ** 0.5
    assert most_above(n, p) == pytest.approx(normal, abs=3)


@pytest.mark.parametrize(("name", "n"), [("p99", 700), ("p95", 300), ("p90", 2000)])
def test_the_bound_holds_in_99_of_100_samples_of_a_heavy_tail(name: str, n: int) -> None:
    draw, q = np.random.default_rng(7), QUANTILES[name]
    samples = np.sort(draw.lognormal(0.0, 2.0, (4000, n)), axis=1)
    rank = upper_rank(n, q, THIN_FLOORS[name])
    assert rank is not None
    truth = {"p90": 1.2815516, "p95": 1.6448536, "p99": 2.3263479}[name]
    share = float((samples[:, rank - 1] >= np.exp(2.0 * truth)).mean())
    assert share >= 0.985, share
    one_less = float((samples[:, rank - 2] >= np.exp(2.0 * truth)).mean())
    assert one_less < 0.995, "no more careful than it must be"


def test_a_summary_says_the_bound_or_that_it_is_not_known() -> None:
    known = exact_quantiles(np.arange(1.0, 663.0), 1.0, bounds=True)
    assert (known.p99_upper_99, known.p95_upper_99) == (661.0, by_rank(662, 95))
    few = exact_quantiles(np.arange(1.0, 662.0), 1.0, bounds=True)
    assert (few.p99_upper_99, few.p95_upper_99, few.p90_upper_99) == (
        None,
        by_rank(661, 95),
        by_rank(661, 90),
    )
    assert exact_quantiles(np.arange(1.0, 663.0), 1.0).p99_upper_99 is None, "values that are not independent"


def by_rank(n: int, percent: int) -> float:
    above = by_hand(n, percent)
    assert above is not None
    return float(n - above)
