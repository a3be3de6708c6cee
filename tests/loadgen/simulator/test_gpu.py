"""The GPU model against closed-form physics."""

from __future__ import annotations

import math

import pytest

from loadgen.simulator.gpu import GpuModel, GpuSpec, load_of

S = 1_000_000_000
SPEC = GpuSpec(
    name="test",
    memory_total_bytes=1 << 30,
    memory_reserved_bytes=0,
    power_idle_w=100.0,
    power_limit_w=500.0,
    sm_clock_idle_mhz=300.0,
    sm_clock_max_mhz=1800.0,
    memory_clock_mhz=2600.0,
    ambient_c=30.0,
    heating_c_per_w=0.1,
    heating_time_s=10.0,
    slowdown_c=70.0,
)


def test_idle_reads_idle_and_stays_at_its_idle_temperature() -> None:
    reading = GpuModel(SPEC, 0).read(60 * S)
    assert (reading.util_pct, reading.power_w, reading.sm_clock_mhz) == (0.0, 100.0, 300.0)
    assert reading.temperature_c == pytest.approx(40.0)  # 30 + 0.1 * 100
    assert reading.energy_j == pytest.approx(6000.0)


def test_read_at_its_start_it_has_done_nothing() -> None:
    reading = GpuModel(SPEC, 5 * S).read(5 * S)
    assert (reading.util_pct, reading.energy_j, reading.power_w) == (0.0, 0.0, 100.0)


def test_utilisation_and_power_are_means_over_the_last_second() -> None:
    gpu = GpuModel(SPEC, 0)
    gpu.begin(
        9_600_000_000, 9_850_000_000, load=0.5
    )  # a quarter of the last second at 100 + 0.5 * 400 = 300 W
    reading = gpu.read(10 * S)
    assert reading.util_pct == pytest.approx(25.0)
    assert reading.power_w == pytest.approx(0.25 * 300 + 0.75 * 100)
    assert reading.energy_j == pytest.approx(10 * 100 + 0.25 * 200)
    assert gpu.read(10_700_000_000).util_pct == pytest.approx(15.0)  # from 9.7 s on only 0.15 s are left
    assert gpu.read(11 * S).util_pct == 0.0


def test_a_step_still_running_counts_as_far_as_it_went() -> None:
    gpu = GpuModel(SPEC, 0)
    gpu.begin(0, 10 * S, load=1.0)
    assert gpu.read(2 * S).energy_j == pytest.approx(1000.0)
    assert gpu.read(12 * S).energy_j == pytest.approx(5200.0)


def test_temperature_follows_power_with_a_first_order_lag() -> None:
    gpu = GpuModel(SPEC, 0)
    gpu.begin(0, 10 * S, load=1.0)  # from 40 C toward 30 + 0.1 * 500 = 80 C, time constant 10 s
    assert gpu.read(10 * S).temperature_c == pytest.approx(80 - 40 * math.exp(-1))


def test_the_answer_does_not_depend_on_how_often_it_is_read() -> None:
    seldom, often = GpuModel(SPEC, 0), GpuModel(SPEC, 0)
    for gpu in (seldom, often):
        gpu.begin(0, 7 * S, load=0.8)
    for tenth in range(1, 90):
        often.read(tenth * S // 10)
    one, other = seldom.read(9 * S), often.read(9 * S)
    assert one.temperature_c == pytest.approx(other.temperature_c)
    assert one.energy_j == pytest.approx(other.energy_j)
    assert (one.util_pct, one.power_w) == (other.util_pct, other.power_w)


def test_power_never_exceeds_the_limit_and_costs_clock_instead() -> None:
    gpu = GpuModel(SPEC, 0)
    gpu.begin(0, S, load=1.25)  # asks for 600 W
    reading = gpu.read(S)
    assert reading.power_w == pytest.approx(500.0)
    assert reading.sm_clock_mhz == 1680.0  # 1800 * (500 / 600) ** (1/3) = 1693.9, in steps of 15


def test_cool_and_below_the_limit_it_runs_at_full_clock() -> None:
    gpu = GpuModel(SPEC, 0)
    gpu.begin(0, S, load=0.9)
    assert gpu.read(S).sm_clock_mhz == 1800.0


def test_a_hot_chip_slows_down() -> None:
    gpu = GpuModel(SPEC, 0)
    gpu.begin(0, 1000 * S, load=1.0)  # settles at 80 C, 10 above: 1800 * (1 - 0.2) = 1440
    assert gpu.read(1000 * S).sm_clock_mhz == 1440.0


def test_prefill_asks_for_more_power_than_decode_and_a_full_batch_for_more_than_one() -> None:
    assert load_of(1.0, 0, 64) > 1.0 > load_of(0.0, 64, 64) > load_of(0.0, 1, 64) > 0.4
