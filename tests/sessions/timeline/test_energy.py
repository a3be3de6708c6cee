from __future__ import annotations

import numpy as np
import pytest

from sessions.timeline.energy import Energy, EnergyCurve, together

S = 1e9


def curve(times_s: list[float], counter: list[float] | None = None, power: list[float] | None = None):
    nothing = [float("nan")] * len(times_s)
    return EnergyCurve(
        np.array(times_s) * S,
        np.array(counter or nothing, dtype=float),
        np.array(power or nothing, dtype=float),
    )


def test_between_readings_of_the_counter_a_span_gets_its_share():
    # 100 W up to 10 s, 300 W from there: 2.5 s of the one and 4 s of the other.
    used = curve([0, 10, 20], [5000.0, 6000.0, 9000.0]).over(7.5 * S, 14 * S)
    assert used == Energy(2.5 * 100 + 4 * 300, 0.0)


def test_the_counter_is_taken_before_power():
    used = curve([0, 10], [0.0, 1000.0], [700.0, 700.0]).over(0, 10 * S)
    assert used == Energy(1000.0, 0.0, integrated=False)


def test_a_counter_counts_on_while_nobody_asks():
    assert curve([0, 1, 2, 50, 51], [0.0, 100.0, 200.0, 5000.0, 5100.0]).over(0, 51 * S) == Energy(
        5100.0, 0.0
    )


def test_a_counter_that_goes_back_is_a_gap_at_that_place():
    used = curve([0, 10, 20, 30], [900.0, 1900.0, 50.0, 1050.0]).over(5 * S, 30 * S)
    assert used == Energy(500.0 + 1000.0, 10.0)
    assert used.whole(25.0) is None, "10 of 25 s are not known"
    assert curve([0, 10, 20, 30], [900.0, 1900.0, 50.0, 1050.0]).over(11 * S, 19 * S) == Energy(None, 8.0)


def test_an_exporters_repeated_readings_do_not_make_steps():
    # Refreshed every 30 s, read every 10 s: 100 W throughout.
    times = [float(t) for t in range(0, 100, 10)]
    counter = [100.0 * (t // 30 * 30) for t in times]
    assert curve(times, counter).over(40 * S, 50 * S).joules == pytest.approx(1000.0)


def test_without_a_counter_power_is_integrated_by_the_trapezoid_rule():
    times = [0.0, 1.0, 2.0, 3.0]
    power = [100.0, 200.0, 400.0, 100.0]
    used = curve(times, power=power).over(0, 3 * S)
    assert used.joules == pytest.approx(
        np.trapezoid(power, times) if hasattr(np, "trapezoid") else np.trapz(power, times)
    )
    assert used.integrated
    # From 0.5 s (150 W) to 1 s (200 W), by hand.
    assert curve(times, power=power).over(0.5 * S, 1 * S).joules == pytest.approx(87.5)


def test_a_hole_in_the_readings_of_power_is_a_gap():
    times = [0.0, 1.0, 2.0, 12.0, 13.0]
    used = curve(times, power=[100.0] * 5).over(0, 13 * S)
    assert used == Energy(pytest.approx(300.0), pytest.approx(10.0), integrated=True)


def test_a_missing_reading_is_passed_over():
    nan = float("nan")
    assert curve([0, 1, 2], [0.0, nan, 200.0]).over(0, 2 * S) == Energy(200.0, 0.0)
    assert curve([0, 1, 2], power=[100.0, nan, 100.0]).over(0, 2 * S).joules == pytest.approx(200.0)


def test_the_last_reading_holds_for_as_long_as_the_next_would_take():
    # Readings each second up to 10 s; the run ended at 10.4 s.
    times = [float(t) for t in range(11)]
    assert curve(times, [50.0 * t for t in times]).over(0, 10.4 * S) == Energy(pytest.approx(520.0), 0.0)
    late = curve(times, [50.0 * t for t in times]).over(0, 20 * S)
    assert late == Energy(pytest.approx(50 * 11.5), pytest.approx(8.5))


@pytest.mark.parametrize("counter", [[], [5.0], [7.0, 7.0, 7.0]])
def test_too_little_to_go_by_is_none_and_never_zero(counter):
    times = [float(i) for i in range(len(counter))]
    assert curve(times, counter).over(0, 3 * S) == Energy(None, 3.0)


def test_several_gpus_are_added_up_and_one_unknown_leaves_a_gap():
    known, other, none = Energy(100.0, 0.0), Energy(50.0, 0.5, integrated=True), Energy(None, 10.0)
    assert together([known, other], 10.0) == Energy(150.0, 0.5, integrated=True)
    assert together([known, none], 10.0) == Energy(100.0, 10.0)
    assert together([], 10.0) == Energy(None, 10.0)
