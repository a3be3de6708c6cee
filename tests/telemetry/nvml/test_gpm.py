"""GPM: how busy the parts of a chip were, where the driver tells."""

from __future__ import annotations

import pytest

from telemetry.nvml.source import NvmlSource
from tests.telemetry.nvml.polls import GPM, SetClock, gpus, notes, opened, with_fields


def test_gpm_tells_busy_from_utilised(nvml):
    source, clock, _ = with_fields(nvml)
    nvml.says(f"count 1; {GPM}; util 100")
    source, clock = NvmlSource(patience_s=60), SetClock()
    assert gpus(source.open(clock))[0].sm_active_pct is None
    clock.ns += 250_000_000
    (gpu,) = gpus(source.sample(clock))
    assert gpu.util_pct == 100
    assert (gpu.sm_active_pct, gpu.tensor_active_pct, gpu.dram_active_pct) == (63.5, 41.2, 87.0)
    # MiB/s in thousandths in the file.
    assert (gpu.pcie_tx_bytes_per_s, gpu.pcie_rx_bytes_per_s) == (2 * 1048576, 1048576)
    assert (gpu.nvlink_rx_bytes_per_s, gpu.nvlink_tx_bytes_per_s) == (3 * 1048576, 4 * 1048576)


def test_gpm_samples_lie_at_least_100_ms_apart(nvml):
    nvml.says(f"count 1; {GPM}")
    source, clock = NvmlSource(patience_s=60), SetClock()
    source.open(clock)
    clock.ns += 99_000_000
    assert gpus(source.sample(clock))[0].sm_active_pct is None
    clock.ns += 1_000_000
    assert gpus(source.sample(clock))[0].sm_active_pct == 63.5


def test_a_share_a_little_above_100_is_100_and_one_far_above_is_none(nvml):
    nvml.says(f"count 1; {GPM}; gpm2 104000; gpm10 5000000; errorgpm5 3")
    source, clock = NvmlSource(patience_s=60), SetClock()
    source.open(clock)
    clock.ns += 250_000_000
    (gpu,) = gpus(source.sample(clock))
    assert (gpu.sm_active_pct, gpu.dram_active_pct, gpu.tensor_active_pct) == (100.0, None, None)


def test_a_gpu_older_than_hopper_has_no_gpm_and_nothing_is_said_of_it(nvml):
    nvml.says("count 1; gpm 0; gpm2 50000")
    source, clock, records = opened()
    clock.ns += 250_000_000
    later = source.sample(clock)
    assert gpus(later)[0].sm_active_pct is None
    assert len(notes(records)) == 1
    assert notes(later) == []


@pytest.mark.parametrize("function", ["nvmlGpmSampleGet", "nvmlGpmMetricsGet"])
def test_gpm_without_permission_is_said_with_the_remedy_and_not_tried_again(nvml, function):
    nvml.says(f"count 1; {GPM}; error.{function} 4")
    source, clock, records = opened()
    clock.ns += 250_000_000
    said = notes([*records, *source.sample(clock)])
    assert (
        True,
        "GPU 0 (Fake GPU?[31m): SM, tensor and DRAM activity need permission: run as root, or load the "
        "driver with NVreg_RestrictProfilingToAdminUsers=0",
    ) in said
    nvml.says(f"count 1; {GPM}")
    clock.ns += 250_000_000
    assert gpus(source.sample(clock))[0].sm_active_pct is None
