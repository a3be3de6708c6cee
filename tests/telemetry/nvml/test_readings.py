"""What each call of NVML becomes in a record; values are those of fake_nvml.c or of its state file."""

from __future__ import annotations

import pytest

from telemetry.nvml.unified_memory import machine_memory
from telemetry.records import GpuDevices
from tests.telemetry.nvml.polls import gpus, notes, of, opened


def test_two_gpus_are_described_and_sampled_in_the_units_of_the_records(nvml):
    nvml.says("count 2; util.0 73; util.1 12; energy.1 123456")
    source, _, records = opened()
    (devices,) = of(records, GpuDevices)
    assert [(d.gpu, d.index, d.host) for d in devices.devices] == [
        ("GPU-fake-0", 0, "here"),
        ("GPU-fake-1", 1, "here"),
    ]
    first = devices.devices[0]
    assert (first.memory_total_bytes, first.power_limit_w) == (1000, 700.0)
    assert (first.sm_clock_max_mhz, first.memory_clock_max_mhz) == (1980, 2619)
    assert (devices.driver, devices.simulated, devices.source) == ("999.1", False, "nvml")
    zero, one = gpus(records)
    assert (zero.gpu, zero.util_pct, one.util_pct) == ("GPU-fake-0", 73, 12)
    assert (zero.memory_used_bytes, zero.memory_reserved_bytes, zero.memory_total_bytes) == (400, 25, 1000)
    assert (zero.power_w, zero.power_limit_w, zero.temperature_c) == (222.5, 700.0, 55)
    assert (zero.sm_clock_mhz, zero.memory_clock_mhz, one.energy_j) == (1500, 2600, 123.456)
    assert source.interval_ns == 250_000_000
    assert notes(records) == [(True, "NVML: 2 GPUs (2 x Fake GPU?[31m), driver 999.1")]


def test_a_sample_says_when_it_began_and_how_long_it_took(nvml):
    source, clock, _ = opened()
    clock.ns = 5_000
    (sample,) = source.sample(clock)
    # Reading 1 is of the source, the next of the poll and of its GPUs, all before the poll's end.
    assert sample.t_ns == 5_020
    assert sample.took_ns > max(gpu.after_ns + gpu.took_ns for gpu in sample.gpus)
    assert min(gpu.after_ns for gpu in sample.gpus) >= 10
    assert min(gpu.took_ns for gpu in sample.gpus) > 0
    assert sample.cpu_ns > 0


def test_energy_is_a_counter_in_joules(nvml):
    source, clock, _ = opened()
    nvml.says("count 2; energy 7500")
    before = gpus(source.sample(clock))[0].energy_j
    nvml.says("count 2; energy 9750")
    assert gpus(source.sample(clock))[0].energy_j - before == 2.25


UNSUPPORTED = [
    ("nvmlDeviceGetUtilizationRates", ["util_pct"]),
    ("nvmlDeviceGetEnforcedPowerLimit", ["power_limit_w"]),
    ("nvmlDeviceGetClockInfo", ["sm_clock_mhz", "memory_clock_mhz"]),
    ("nvmlDeviceGetTotalEnergyConsumption", ["energy_j"]),
]


@pytest.mark.parametrize(("function", "fields"), UNSUPPORTED)
def test_what_a_gpu_does_not_support_is_none_and_is_never_asked_again(nvml, function, fields):
    nvml.says(f"count 2; error.{function}.0 3")
    source, clock, records = opened()
    without, whole = gpus(records)
    assert [getattr(without, name) for name in fields] == [None] * len(fields)
    assert None not in [getattr(whole, name) for name in fields]
    nvml.says("count 2")
    assert [getattr(gpus(source.sample(clock))[0], name) for name in fields] == [None] * len(fields)


def test_an_error_that_passes_costs_one_sample_only(nvml):
    source, clock, _ = opened()
    nvml.says("count 2; error.nvmlDeviceGetUtilizationRates 999; error.nvmlDeviceGetMemoryInfo_v2 10")
    missing = gpus(source.sample(clock))[0]
    # No way round by the older call: its "used" means something else.
    assert (missing.util_pct, missing.memory_used_bytes, missing.power_w) == (None, None, 222.5)
    nvml.says("count 2")
    assert gpus(source.sample(clock))[0].util_pct == 50


def test_an_older_driver_is_read_by_the_older_calls_and_that_is_said(load_nvml):
    load_nvml("old")
    _, _, records = opened()
    zero = gpus(records)[0]
    assert (zero.memory_used_bytes, zero.memory_reserved_bytes, zero.memory_total_bytes) == (425, None, 1000)
    assert (zero.temperature_c, zero.power_w) == (41, 111.0)
    said = [message for _, message in notes(records)]
    assert any("GPU 0 (Fake GPU?[31m): the driver is too old" in message for message in said)
    assert any("mean of the last second" in message for message in said)
    assert len(said) == 1 + 2 * 2


def test_a_gpu_without_instant_power_is_read_by_the_mean(nvml):
    nvml.says("count 1; error.field186 3")
    _, _, records = opened()
    assert gpus(records)[0].power_w == 111.0


@pytest.mark.parametrize(
    ("state", "name"),
    [
        ("util 255", "util_pct"),
        ("memory_used -1", "memory_used_bytes"),
        ("memory_total -1", "memory_total_bytes"),
        ("power -1", "power_w"),
        ("power_limit -1", "power_limit_w"),
        ("power_limit 0", "power_limit_w"),
        ("temperature 2147483647", "temperature_c"),
        ("sm_clock -1", "sm_clock_mhz"),
        ("energy -1", "energy_j"),
    ],
)
def test_a_value_that_cannot_be_is_none(nvml, state, name):
    nvml.says(f"count 1; {state}")
    _, _, records = opened()
    assert getattr(gpus(records)[0], name) is None


@pytest.mark.parametrize(
    "state",
    ["error.nvmlDeviceGetMemoryInfo_v2 3; error.nvmlDeviceGetMemoryInfo 3", "memory_total 0"],
)
def test_a_gpu_without_memory_of_its_own_shows_the_machines(nvml, state, tmp_path, monkeypatch):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  1000 kB\nMemFree:  100 kB\nMemAvailable:   400 kB\n")
    monkeypatch.setattr("telemetry.nvml.gpu.machine_memory", lambda: machine_memory(meminfo))
    nvml.says(f"count 1; {state}")
    _, _, records = opened()
    (gpu,) = gpus(records)
    assert (gpu.memory_total_bytes, gpu.memory_used_bytes) == (1_024_000, 614_400)
    assert gpu.memory_reserved_bytes is None
    device = of(records, GpuDevices)[0].devices[0]
    assert (device.unified_memory, device.memory_total_bytes) == (True, 1_024_000)
    assert notes(records)[1][1].endswith(
        "it shares the machine's memory: the memory figures are the machine's"
    )


def test_no_permission_for_memory_is_no_unified_memory(nvml):
    nvml.says("count 1; error.nvmlDeviceGetMemoryInfo_v2 4; error.nvmlDeviceGetMemoryInfo 4")
    _, _, records = opened()
    assert gpus(records)[0].memory_total_bytes is None
    assert of(records, GpuDevices)[0].devices[0].unified_memory is False
