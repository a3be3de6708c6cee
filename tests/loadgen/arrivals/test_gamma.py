"""Gamma arrivals: gaps as numpy draws them, in any number of workers, along any curve."""

from __future__ import annotations

import math

import numpy as np
import pytest

from loadgen.arrivals.load import Beginning, OpenLoad
from loadgen.arrivals.load_models import LOAD_MODELS
from loadgen.arrivals.rate_curve import Curve, ramp, steady
from loadgen.arrivals.schedule import Schedule

S = 1_000_000_000


def gaps(burstiness: float, seed: int, count: int = 3000) -> np.ndarray:
    schedule = Schedule("gamma", seed, Curve([steady(0, 50.0)]), burstiness=burstiness)
    due = []
    while len(due) < count:
        assert schedule.due_ns is not None
        due.append(schedule.due_ns)
        schedule.advance()
    return np.diff(np.array([0, *due])) / S * 50.0


def two_sample_p(a: np.ndarray, b: np.ndarray) -> float:
    """p value of a two-sample KS test; asymptotic series of the Kolmogorov distribution."""
    every = np.sort(np.concatenate([a, b]))
    d = np.max(
        np.abs(
            np.searchsorted(np.sort(a), every, side="right") / len(a)
            - np.searchsorted(np.sort(b), every, side="right") / len(b)
        )
    )
    n = len(a) * len(b) / (len(a) + len(b))
    t = d * (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n))
    return float(2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * t * t) for k in range(1, 101)))


@pytest.mark.parametrize("burstiness", [0.1, 0.5, 1.0, 2.0, 10.0])
def test_gaps_are_those_of_numpys_gamma_distribution(burstiness: float) -> None:
    drawn = np.random.default_rng(12).gamma(burstiness, 1 / burstiness, 200_000)  # as vLLM draws them
    least = 1e-6  # due times are whole nanoseconds: gaps of less are not told apart
    drawn = np.maximum(drawn, least)
    p = [two_sample_p(np.maximum(gaps(burstiness, seed), least), drawn) for seed in range(8)]
    assert min(p) > 0.001
    assert max(p) > 0.1


@pytest.mark.parametrize("burstiness", [0.25, 1.0, 4.0])
def test_the_mean_is_that_of_the_rate_and_the_variation_follows_the_burstiness(burstiness: float) -> None:
    every = np.concatenate([gaps(burstiness, seed) for seed in range(10)])
    error = 1 / math.sqrt(burstiness * len(every))
    assert every.mean() == pytest.approx(1.0, abs=5 * error)
    assert every.std() / every.mean() == pytest.approx(1 / math.sqrt(burstiness), rel=0.03)


def test_the_ks_test_itself_tells_two_burstinesses_apart() -> None:
    assert two_sample_p(gaps(0.5, 1), np.random.default_rng(1).gamma(1.0, 1.0, 200_000)) < 1e-6


@pytest.mark.parametrize("workers", [2, 5])
def test_n_workers_together_give_the_gamma_arrivals_of_one(workers: int) -> None:
    def share(worker: int, of: int) -> list[tuple[int, int]]:
        curve = Curve(ramp(5 * S, 2.0, 40.0, 10.0, "exp"))
        mine = Schedule("gamma", 42, curve, worker=worker, workers=of, burstiness=0.3, end_ns=20 * S)
        got = []
        while mine.due_ns is not None:
            got.append((mine.next_index, mine.due_ns))
            mine.advance()
        return got

    alone = share(0, 1)
    assert sorted(row for worker in range(workers) for row in share(worker, workers)) == alone
    assert len(alone) > 100


def test_a_change_of_rate_keeps_the_arrivals_and_one_of_burstiness_needs_others() -> None:
    load = OpenLoad("gamma", [steady(0, 10.0)], 0.5)
    model = LOAD_MODELS[OpenLoad](load, Beginning(0, 0, 1, 0, 0, 10, 7))
    assert model.change(0, OpenLoad("gamma", [steady(0, 20.0)], 0.5))
    assert not model.change(0, OpenLoad("gamma", [steady(0, 20.0)], 0.4))
