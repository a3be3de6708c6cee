"""GPUs that do not answer: lost, back again, or late."""

from __future__ import annotations

import threading
import time

import pytest

from telemetry.nvml.gpu import LOST_RETRY_NS
from telemetry.nvml.source import NvmlSource
from telemetry.records import GpuSamples
from tests.telemetry.nvml.polls import gpus, notes, of, opened


def test_a_lost_gpu_is_told_once_left_alone_for_five_seconds_and_told_when_back(nvml):
    source, clock, _ = opened()
    nvml.says("count 2; error.all.1 15")
    first = source.sample(clock)
    ((ok, message),) = notes(first)
    assert not ok
    assert message.startswith("GPU 1 (Fake GPU?[31m) gives no values: GPU is lost")
    alive, lost = gpus(first)
    assert (alive.util_pct, lost.gpu) == (50, "GPU-fake-1")
    assert (lost.util_pct, lost.power_w, lost.memory_total_bytes) == (None, None, None)

    nvml.says("count 2")
    clock.ns += LOST_RETRY_NS // 2
    too_early = source.sample(clock)
    assert notes(too_early) == []
    assert gpus(too_early)[1].util_pct is None

    clock.ns += LOST_RETRY_NS
    back = source.sample(clock)
    assert notes(back) == [(True, "GPU 1 (Fake GPU?[31m) is back")]
    assert gpus(back)[1].util_pct == 50
    assert notes(source.sample(clock)) == []


def test_a_gpu_that_stays_lost_is_told_no_second_time(nvml):
    source, clock, _ = opened()
    nvml.says("count 2; error.all.1 16")
    told = notes(source.sample(clock))
    for _ in range(3):
        clock.ns += LOST_RETRY_NS + 1
        told += notes(source.sample(clock))
    assert len(told) == 1


def test_a_gpu_lost_from_the_start_keeps_its_key_when_it_comes_back(nvml):
    nvml.says("count 2; error.all.0 15")
    source, clock, records = opened()
    assert [sample.gpu for sample in gpus(records)] == ["nvml#0", "GPU-fake-1"]
    assert [ok for ok, _ in notes(records)] == [True, False]
    nvml.says("count 2")
    clock.ns += LOST_RETRY_NS + 1
    back = source.sample(clock)
    assert (gpus(back)[0].gpu, gpus(back)[0].util_pct) == ("nvml#0", 50)


def test_a_gpu_whose_driver_call_blocks_costs_only_its_own_samples_and_is_told(nvml):
    nvml.says("count 8")
    source = NvmlSource(patience_s=0.15)
    source.open(time.monotonic_ns)
    nvml.says("count 8; delay_ms.nvmlDeviceGetClockInfo.3 60000")
    records = []
    others = 0
    started = time.monotonic_ns()
    while time.monotonic_ns() - started < 3_000_000_000:
        polled = source.sample(time.monotonic_ns)
        records += polled
        others += all(gpu.util_pct == 50 for gpu in gpus(polled) if gpu.gpu != "GPU-fake-3")
        (blocked,) = [gpu for gpu in gpus(polled) if gpu.gpu == "GPU-fake-3"]
        assert (blocked.util_pct, blocked.power_w, blocked.lost) == (None, None, False)
        threading.Event().wait(0.1)
    polls = len(of(records, GpuSamples))
    assert polls >= 8  # each waits 0.15 s for it, and 0.1 s lies between
    assert others == polls
    assert notes(records) == [
        (
            False,
            "GPU 3 (Fake GPU?[31m) has not answered for 1 s: a driver call blocks; the others go on",
        )
    ]
    nvml.says("count 8")
    said = []
    for _ in range(600):
        polled = source.sample(time.monotonic_ns)
        said += notes(polled)
        if said and gpus(polled)[3].util_pct == 50:
            break
        threading.Event().wait(0.05)
    assert len(said) == 1
    assert said[0][1].startswith("GPU 3 (Fake GPU?[31m) answers again, after ")
    source.close()


@pytest.mark.parametrize(("blocked_s", "kept"), [(0.05, True), (0.4, False)])
def test_a_late_answer_is_a_record_of_its_own_unless_it_took_more_than_a_tick(nvml, blocked_s, kept):
    nvml.says("count 2")
    # A tick of 30 s for the short one: a machine that stalls must not make it long.
    interval_ns = 30_000_000_000 if kept else 250_000_000
    source = NvmlSource(patience_s=0.02, interval_ns=interval_ns)
    source.open(time.monotonic_ns)
    nvml.says("count 2; delay_ms.nvmlDeviceGetClockInfo.1 60000; util.1 77")
    (poll,) = of(source.sample(time.monotonic_ns), GpuSamples)
    assert [gpu.util_pct for gpu in poll.gpus] == [50, None]
    threading.Event().wait(blocked_s)
    nvml.says("count 2; util.1 78")
    polls = []
    for _ in range(3000):
        polls += of(source.sample(time.monotonic_ns), GpuSamples)
        if len(polls[-1].gpus) == 2 and polls[-1].gpus[1].util_pct is not None:
            break
        threading.Event().wait(0.01)
    # On a busy machine a later answer may come late as well, with 78.
    late = [gpu.util_pct for record in polls if len(record.gpus) == 1 for gpu in record.gpus]
    assert late.count(77) == (1 if kept else 0)
    source.close()
