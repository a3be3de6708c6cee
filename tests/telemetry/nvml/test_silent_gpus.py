"""A GPU, or one quantity of it, that stops answering in mid-run: said, never left to look like the whole run."""

from __future__ import annotations

import pytest

from telemetry.nvml.gpu import LOST_RETRY_NS
from telemetry.records import GpuSamples
from tests.telemetry.nvml.polled import Polled, gpus, notes, of

LABEL = "GPU 1 (Fake GPU?[31m)"
UNKNOWN_ERROR = 999
ALL_GONE = f"count 2; error.all.1 {UNKNOWN_ERROR}"


def test_a_gpu_whose_calls_all_fail_is_lost_after_a_second(nvml):
    polled = Polled()
    nvml.says(ALL_GONE)
    first = polled.poll()
    assert (gpus(first)[1].util_pct, gpus(first)[1].lost, notes(first)) == (None, False, [])
    records = polled.poll(5)
    assert notes(records) == [
        (False, f"{LABEL} gives no values: Unknown Error; asked again every 5 s, it may need a reset")
    ]
    assert (gpus(records)[0].util_pct, gpus(records)[1].lost) == (50, True)


def test_a_gpu_whose_calls_fail_for_less_than_a_second_has_a_gap_and_is_not_lost(nvml):
    polled = Polled()
    nvml.says(ALL_GONE)
    records = polled.poll(3)
    nvml.says("count 2")
    records += polled.poll(3)
    assert notes(records) == []
    assert [poll.gpus[1].util_pct for poll in of(records, GpuSamples)] == [None] * 3 + [50] * 3


def test_it_is_told_once_while_it_stays_away_and_once_when_it_is_back(nvml):
    polled = Polled()
    nvml.says(ALL_GONE)
    told = notes(polled.poll(8))
    for _ in range(3):
        polled.clock.ns += LOST_RETRY_NS
        told += notes(polled.poll(2))
    assert len(told) == 1
    nvml.says("count 2")
    polled.clock.ns += LOST_RETRY_NS
    records = polled.poll()
    assert notes(records) == [(True, f"{LABEL} is back")]
    assert (gpus(records)[1].util_pct, gpus(records)[1].lost) == (50, False)


def test_a_gpu_whose_calls_all_fail_from_the_start_is_lost_at_once(nvml):
    nvml.says("count 2; error.all.1 999; error.nvmlDeviceGetHandleByIndex_v2.1 0")
    polled = Polled()
    assert notes(polled.records)[1] == (
        False,
        "GPU 1 gives no values: Unknown Error; asked again every 5 s, it may need a reset",
    )
    assert gpus(polled.records)[1].lost


def test_a_gpu_that_refuses_all_in_mid_run_is_told_so_and_is_not_lost(nvml):
    polled = Polled()
    nvml.says("count 2; error.all.1 4")
    records = polled.poll(6)
    assert notes(records) == [
        (False, f"{LABEL} gives no values: no permission (cgroup, container); asked again every 5 s")
    ]
    assert not gpus(records)[1].lost


def test_a_gpu_that_supports_nothing_is_told_so_and_is_not_lost(nvml):
    nvml.says("count 2; error.all.1 3; error.nvmlDeviceGetHandleByIndex_v2.1 0")
    polled = Polled()
    assert notes(polled.records)[1] == (False, "GPU 1 gives no values: Not Supported; asked again every 5 s")
    assert not gpus(polled.records)[1].lost


@pytest.mark.parametrize(
    ("state", "quantities", "words"),
    [
        ("error.nvmlDeviceGetUtilizationRates.1 999", "utilization", "Unknown Error"),
        ("error.nvmlDeviceGetUtilizationRates.1 4", "utilization", "Insufficient Permissions"),
        ("error.field186.1 999", "power", "Unknown Error"),
        ("error.nvmlDeviceGetMemoryInfo_v2.1 999", "memory", "Unknown Error"),
        ("error.nvmlDeviceGetFieldValues.1 10", "power", "Timeout"),
        (
            "error.nvmlDeviceGetClockInfo.1 999; error.nvmlDeviceGetTotalEnergyConsumption.1 999",
            "SM clock, energy, memory clock",
            "Unknown Error",
        ),
        ("error.nvmlDeviceGetComputeRunningProcesses_v3.1 999", "processes", "Unknown Error"),
    ],
)
def test_a_quantity_that_stops_in_mid_run_is_said_after_a_second(nvml, state, quantities, words):
    polled = Polled()
    nvml.says(f"count 2; {state}")
    records = polled.poll(10)
    assert notes(records) == [
        (False, f"{LABEL} no longer gives {quantities} ({words}): what is shown of it is from before")
    ]
    assert gpus(records)[0].util_pct == 50
    assert not gpus(records)[1].lost


def test_a_quantity_that_answers_again_is_said(nvml):
    polled = Polled()
    nvml.says("count 2; error.nvmlDeviceGetUtilizationRates.1 999; error.nvmlDeviceGetClockInfo.1 999")
    polled.poll(10)
    nvml.says("count 2; error.nvmlDeviceGetClockInfo.1 999")
    assert notes(polled.poll(10)) == [(True, f"{LABEL} gives utilization again")]


def test_a_quantity_that_fails_now_and_then_is_no_news(nvml):
    polled = Polled()
    records = []
    for _ in range(4):
        nvml.says("count 2; error.nvmlDeviceGetUtilizationRates.1 999")
        records += polled.poll(2)
        nvml.says("count 2")
        records += polled.poll(1)
    assert notes(records) == []


def test_gpm_that_stops_in_mid_run_is_said(nvml):
    nvml.says("count 2; gpm 1; gpm2 63500")
    polled = Polled()
    polled.poll(2)
    nvml.says("count 2; gpm 1; gpm2 63500; error.nvmlGpmSampleGet.1 999")
    assert notes(polled.poll(8)) == [
        (
            False,
            f"{LABEL} no longer gives SM, tensor and DRAM activity (Unknown Error): what is shown of it is "
            "from before",
        )
    ]


def test_a_mig_instance_that_stops_in_mid_run_is_said(nvml):
    nvml.says("count 1; mig.0 2")
    polled = Polled()
    nvml.says("count 1; mig.0 2; error.nvmlDeviceGetMemoryInfo_v2.0m1 999")
    assert notes(polled.poll(8)) == [
        (
            False,
            "GPU 0 (Fake GPU?[31m) no longer gives memory of MIG 2g.10gb (Unknown Error): what is shown of it "
            "is from before",
        )
    ]


def test_a_gpu_that_may_not_be_asked_is_told_so_and_is_not_lost(nvml):
    nvml.says("count 2; error.nvmlDeviceGetHandleByIndex_v2.1 4")
    polled = Polled()
    assert notes(polled.records) == [
        (True, "NVML: 2 GPUs (1 x Fake GPU?[31m, 1 x unknown), driver 999.1"),
        (False, "GPU 1 gives no values: no permission (cgroup, container); asked again every 5 s"),
    ]
    assert [gpu.lost for gpu in gpus(polled.records)] == [False, False]
    nvml.says("count 2")
    polled.clock.ns += LOST_RETRY_NS
    assert notes(polled.poll()) == [(True, "GPU 1 (Fake GPU?[31m) is back")]
