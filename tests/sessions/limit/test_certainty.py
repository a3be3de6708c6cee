"""When misses decide: against the floors of MLPerf's LoadGen, binomial sums, and coverage over seeded draws."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sessions.limit.certainty import at_most, decide, decide_mean, likeness

FLOORS = {
    (0.95, 0.10): {0: 29, 1: 46, 2: 61, 5: 103, 10: 167},
    (0.95, 0.05): {0: 59, 1: 93, 2: 124, 5: 208, 10: 336},
    (0.95, 0.01): {0: 299, 1: 473, 2: 628, 5: 1049, 10: 1693},
    (0.99, 0.01): {0: 459, 1: 662, 2: 838, 5: 1307, 10: 2010},
}
"""Requests needed for so many misses, by confidence and the share that is allowed: as LoadGen has them at 99 %."""


def scattered(misses: int, n: int) -> list[bool]:
    """Evenly, so that neighbours tell nothing of each other."""
    return [(i * misses) // n != ((i + 1) * misses) // n for i in range(n)]


@pytest.mark.parametrize(("confidence", "allowed"), list(FLOORS))
def test_a_percentile_passes_from_the_floor_of_its_misses_on_and_not_one_request_before(
    confidence: float, allowed: float
) -> None:
    for misses, floor in FLOORS[confidence, allowed].items():
        assert decide(scattered(misses, floor), allowed, confidence).verdict == "pass"
        assert decide(scattered(misses, floor - 1), allowed, confidence).verdict == "undecided"


def test_what_is_undecided_says_how_many_more_requests_it_needs() -> None:
    assert decide([], 0.05, 0.95).needs == 59
    assert decide([False] * 40, 0.05, 0.95).needs == 19
    few = decide(scattered(2, 100), 0.05, 0.95)
    assert few.verdict == "undecided"
    assert few.needs is not None
    more = few.needs + 100
    assert decide(scattered(more * 2 // 100, more), 0.05, 0.95).verdict == "pass"
    assert decide(scattered(50, 1000), 0.05, 0.95).needs is None, "too close to tell"
    assert decide(scattered(200, 1000), 0.05, 0.95)[:3] == ("fail", 200, 1000)


@pytest.mark.parametrize(
    ("missed", "n", "share"), [(0, 10, 0.1), (3, 40, 0.05), (60, 1000, 0.05), (9, 10, 0.5)]
)
def test_the_bound_is_the_binomial_sum(missed: int, n: int, share: float) -> None:
    total = sum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(missed + 1))
    assert at_most(missed, n, share) == pytest.approx(total, rel=1e-9)


def test_misses_that_come_together_count_as_fewer() -> None:
    together = [400 <= i < 440 for i in range(1000)]
    assert likeness(together) > 10
    assert likeness(scattered(40, 1000)) == 1.0
    assert decide(together, 0.05, 0.95).verdict == "undecided"
    # 30 of 1000 scattered ones would pass: at most so many of 5 % come once in a thousand times.
    assert decide(scattered(30, 1000), 0.05, 0.95).verdict == "pass"
    assert decide([400 <= i < 430 for i in range(1000)], 0.05, 0.95).verdict == "undecided"


def test_a_server_on_its_limit_is_passed_or_failed_wrongly_no_more_often_than_the_confidence_says() -> None:
    draw = np.random.default_rng(7)
    wrong = [decide((draw.random(600) < 0.05).tolist(), 0.05, 0.95).verdict for _ in range(300)]
    assert wrong.count("pass") <= 0.08 * 300
    assert wrong.count("fail") <= 0.08 * 300


def test_each_request_that_must_hold_decides_for_itself() -> None:
    assert decide([False] * 3, 0.0, 0.95).verdict == "pass"
    assert decide([False, True, False], 0.0, 0.95).verdict == "fail"


def test_a_mean_is_decided_once_its_interval_lies_on_one_side() -> None:
    values = np.random.default_rng(3).normal(100.0, 20.0, 200).tolist()
    assert decide_mean(values, 110.0, 0.95).verdict == "pass"
    assert decide_mean(values, 90.0, 0.95).verdict == "fail"
    near = decide_mean(values, sum(values) / 200 + 1.0, 0.95)
    assert near.verdict == "undecided"
    assert near.needs == pytest.approx((1.66 * 20 / 1.0) ** 2 - 200, rel=0.25)
    assert decide_mean([5.0], 10.0, 0.95).verdict == "undecided"


def test_a_percentile_fails_from_the_number_of_misses_on_that_chance_seldom_reaches() -> None:
    # Of 100 with a chance of 5 % each, 9 misses and more come in 6.3 % of cases, 10 and more in 2.8 %.
    assert decide(scattered(9, 100), 0.05, 0.95).verdict == "undecided"
    assert decide(scattered(10, 100), 0.05, 0.95).verdict == "fail"
