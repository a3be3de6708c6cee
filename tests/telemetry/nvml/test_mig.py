"""MIG instances."""

from __future__ import annotations

from telemetry.records import GpuDevices
from tests.telemetry.nvml.polls import GPM, gpus, of, opened


def test_mig_instances_are_devices_of_their_own_and_the_whole_keeps_its_power(nvml):
    nvml.says(
        "count 2; mig.0 2; memory_total.0m0 300; memory_used.0m0 111; memory_used.0m1 222; "
        f"{GPM}; gpm2.0m1 12000; error.nvmlDeviceGetUtilizationRates.0 3; error.nvmlDeviceGetMemoryInfo_v2.0 4; "
        "error.nvmlDeviceGetMemoryInfo.0 4; pid1.0m1 77"
    )
    source, clock, records = opened()
    (devices,) = of(records, GpuDevices)
    assert [(d.gpu, d.index, d.parent, d.mig, d.unified_memory) for d in devices.devices] == [
        ("GPU-fake-0", 0, "", "", False),
        ("MIG-fake-0-0", 0, "GPU-fake-0", "1g.10gb", False),
        ("MIG-fake-0-1", 0, "GPU-fake-0", "2g.10gb", False),
        ("GPU-fake-1", 1, "", "", False),
    ]
    assert devices.devices[1].memory_total_bytes == 300
    clock.ns += 250_000_000
    whole, first, second, _ = gpus(source.sample(clock))
    assert (whole.util_pct, whole.memory_used_bytes, whole.power_w) == (None, None, 222.5)
    assert (first.memory_used_bytes, first.power_w, first.util_pct) == (111, None, None)
    assert (second.memory_used_bytes, second.sm_active_pct, first.sm_active_pct) == (222, 12.0, 63.5)


def test_mig_instances_that_come_and_go_are_told(nvml):
    nvml.says("count 1; mig.0 1")
    source, clock, _ = opened()
    nvml.says("count 1; mig.0 2")
    clock.ns += 10_000_000_000
    (devices,) = of(source.sample(clock), GpuDevices)
    assert [d.gpu for d in devices.devices] == ["GPU-fake-0", "MIG-fake-0-0", "MIG-fake-0-1"]
    nvml.says("count 1; mig.0 0")
    clock.ns += 10_000_000_000
    records = source.sample(clock)
    assert [d.gpu for d in of(records, GpuDevices)[0].devices] == ["GPU-fake-0"]
    assert [sample.gpu for sample in gpus(records)] == ["GPU-fake-0"]
