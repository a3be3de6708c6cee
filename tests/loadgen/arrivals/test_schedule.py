"""Arrivals: exact gaps, honest randomness, counts that match the integral, and live change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.arrivals.load import Segment
from loadgen.arrivals.rate_curve import Curve, ramp, steady
from loadgen.arrivals.schedule import Schedule

S = 1_000_000_000


def due_times(schedule: Schedule, until_ns: int) -> list[tuple[int, int]]:
    got = []
    while (due := schedule.due_ns) is not None and due < until_ns:
        got.append((schedule.next_index, due))
        schedule.advance()
    return got


@pytest.mark.parametrize("rate", [0.1, 1.0, 3.0, 7.0, 64.0, 1000.0])
def test_constant_gaps_are_exact_to_the_nanosecond_without_drift(rate: float) -> None:
    times = [due for _, due in due_times(Schedule("constant", 0, Curve([steady(0, rate)])), 100 * S)]
    assert len(times) == round(100 * rate)
    assert all(due == round(k * S / rate) for k, due in enumerate(times))


def kolmogorov_p(sample: np.ndarray) -> float:
    """p value of a one-sample KS test against Exp(1); asymptotic series of the Kolmogorov distribution."""
    x = np.sort(sample)
    n = len(x)
    cdf = 1 - np.exp(-x)
    d = max(np.max(np.arange(1, n + 1) / n - cdf), np.max(cdf - np.arange(n) / n))
    t = d * (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n))
    return float(2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * t * t) for k in range(1, 101)))


@pytest.mark.parametrize("seed", range(20))
def test_poisson_gaps_pass_kolmogorov_smirnov(seed: int) -> None:
    times = [due for _, due in due_times(Schedule("poisson", seed, Curve([steady(0, 50.0)])), 60 * S)]
    gaps = np.diff(np.array([0, *times])) / S * 50.0
    assert kolmogorov_p(gaps) > 0.001


def test_the_ks_test_itself_rejects_constant_gaps() -> None:
    assert kolmogorov_p(np.ones(3000)) < 1e-6


@pytest.mark.parametrize(
    ("shape", "integral"),
    [
        ("linear", lambda t: 1 * t + 63 * t * t / 240),
        ("exp", lambda t: math.expm1(math.log(64) / 120 * t) / (math.log(64) / 120)),
    ],
)
def test_ramp_counts_match_the_integral_worked_by_hand(shape: str, integral: object) -> None:
    schedule = Schedule("constant", 0, Curve(ramp(0, 1.0, 64.0, 120.0, shape)))
    times = np.array([due for _, due in due_times(schedule, 180 * S)]) / S
    for t in (1.0, 10.0, 59.5, 120.0):
        assert abs(np.sum(times < t) - integral(t)) <= 1  # type: ignore[operator]
    assert abs(np.sum((times >= 120) & (times < 180)) - 64 * 60) <= 1


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
@pytest.mark.parametrize("workers", [2, 3, 7])
def test_n_workers_together_give_the_arrivals_of_one(arrivals: str, workers: int) -> None:
    curve = Curve(ramp(5 * S, 2.0, 40.0, 10.0, "exp"))
    alone = due_times(Schedule(arrivals, 42, curve), 20 * S)
    shares = [
        due_times(Schedule(arrivals, 42, curve, worker=w, workers=workers), 20 * S) for w in range(workers)
    ]
    assert sorted(row for share in shares for row in share) == alone
    assert len(alone) > 300


def test_same_seed_same_arrivals_and_another_seed_others() -> None:
    curve = Curve([steady(0, 10.0)])
    first, again, other = (due_times(Schedule("poisson", s, curve), 30 * S) for s in (7, 7, 8))
    assert first == again
    assert first != other


def test_a_live_change_keeps_the_phase_and_takes_the_new_rate() -> None:
    schedule = Schedule("constant", 0, Curve([steady(0, 1.0)]))
    assert due_times(schedule, 3 * S + 1) == [(0, 0), (1, S), (2, 2 * S), (3, 3 * S)]
    schedule.change(3 * S + S // 2, [steady(3 * S + S // 2, 10.0)])
    # half of the next point is gained by 3.5 s, the other half takes 50 ms at 10 rps
    assert schedule.due_ns == 3 * S + S // 2 + S // 20
    assert [due for _, due in due_times(schedule, 4 * S)] == [3_550_000_000 + k * S // 10 for k in range(5)]


def test_hold_and_resume_lose_and_add_nothing() -> None:
    schedule = Schedule("constant", 0, Curve([steady(0, 4.0)]))
    before = due_times(schedule, 2 * S)
    schedule.change(2 * S, [steady(2 * S, 0.0)])
    assert schedule.due_ns == 2 * S  # the point that falls exactly on the seam was reached
    schedule.advance()
    assert schedule.due_ns is None
    assert not schedule.exhausted(50 * S)
    schedule.change(10 * S, [steady(10 * S, 4.0)])
    after = due_times(schedule, 12 * S)
    assert len(before) + 1 + len(after) == 8 + 8
    assert after[0] == (9, 10 * S + S // 4)


def test_a_change_heard_late_makes_what_it_owes_due_in_the_past() -> None:
    schedule = Schedule("constant", 0, Curve([steady(0, 1.0)]))
    due_times(schedule, S)
    schedule.change(S // 2, [steady(S // 2, 100.0)])
    assert schedule.due_ns is not None
    assert schedule.due_ns < S  # type: ignore[operator]


def test_the_end_and_the_number_of_requests_bound_a_schedule() -> None:
    by_time = Schedule("constant", 0, Curve([steady(0, 8.0)]), end_ns=10 * S)
    assert len(due_times(by_time, 99 * S)) == 80
    assert by_time.exhausted(10 * S)
    by_count = Schedule("poisson", 3, Curve([steady(0, 8.0)]), requests=17)
    assert [index for index, _ in due_times(by_count, 10**15)] == list(range(17))
    assert by_count.exhausted(0)


SEGMENTS = st.lists(
    st.tuples(
        st.sampled_from(["constant", "linear", "exp"]),
        st.floats(0.01, 500),
        st.floats(0.01, 500),
        st.integers(1_000_000, 100 * S),
    ),
    min_size=1,
    max_size=6,
)


@given(rows=SEGMENTS, start=st.integers(0, 10 * S), n=st.floats(0, 5000))
def test_when_is_the_inverse_of_count_on_any_curve(
    rows: list[tuple[str, float, float, int]], start: int, n: float
) -> None:
    segments, at = [], start
    for shape, low, high, length in rows:
        segments.append(Segment(at, at + length, low, low if shape == "constant" else high, shape))
        at += length
    curve = Curve([*segments, steady(at, 1.0)])
    t = curve.when_ns(n)
    assert t is not None
    assert t >= start
    # one nanosecond of rounding is worth at most 500 rps * 1 ns; float error grows with the count
    assert curve.count(t) == pytest.approx(n, abs=2e-6, rel=1e-9)


@given(rate=st.floats(0.1, 100), cuts=st.lists(st.tuples(st.integers(1, 9), st.floats(0, 100)), max_size=5))
def test_cutting_never_changes_what_was_due_before(rate: float, cuts: list[tuple[int, float]]) -> None:
    curve = Curve([steady(0, rate)])
    for at, new_rate in sorted(cuts):
        changed = curve.cut(at * S, [steady(at * S, new_rate)])
        for t in (0, at * S // 3, at * S):
            assert changed.count(t) == pytest.approx(curve.count(t), rel=1e-12)
        curve = changed
