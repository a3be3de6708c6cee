"""A driver that lets its first calls hang: said within two seconds, taken up when it answers."""

from __future__ import annotations

import threading
import time

from telemetry.fallback import FallbackSource
from telemetry.nvml.source import NvmlSource
from telemetry.poller import Poller
from telemetry.prometheus.scrape import ScrapeTarget
from telemetry.prometheus.source import PrometheusSource
from telemetry.records import GpuDevices, GpuSamples
from tests.telemetry.nvml.polled import notes, of

HANGS = "count 2; init_delay_ms 600000"
NO_ANSWER = (False, "NVML: no answer for 0.2 s, a driver call blocks; see whether nvidia-smi answers")


def opened(**options):
    source = NvmlSource("here", start_patience_s=0.2, **options)
    return source, source.open(time.monotonic_ns)


def sampled(source, kind):
    """Records of sampling until one of `kind` is there."""
    records = []
    for _ in range(3000):
        records += source.sample(time.monotonic_ns)
        if of(records, kind):
            return records
        threading.Event().wait(0.01)
    raise AssertionError(records)


def test_an_init_that_hangs_is_said_and_its_gpus_come_when_it_answers(nvml):
    nvml.says(HANGS)
    source, records = opened()
    assert notes(records) == [NO_ANSWER]
    assert source.interval_ns == 250_000_000
    assert source.sample(time.monotonic_ns) == []
    nvml.says("count 2")
    records = sampled(source, GpuSamples)
    ((ok, text),) = notes(records)
    assert ok
    assert text == "NVML: 2 GPUs (2 x Fake GPU?[31m), driver 999.1"
    assert [device.gpu for device in of(records, GpuDevices)[0].devices] == ["GPU-fake-0", "GPU-fake-1"]
    source.close()


def test_a_count_or_a_first_poll_that_hangs_is_said_too(nvml):
    for call in ("count_delay_ms 600000", "delay_ms.nvmlDeviceGetName.1 600000"):
        nvml.says(f"count 2; {call}")
        source, records = opened()
        assert notes(records) == [NO_ANSWER]
        nvml.says("count 2")
        # It is known by its UUID, not by a number given in haste.
        devices = of(sampled(source, GpuDevices), GpuDevices)[0].devices
        assert [device.gpu for device in devices] == ["GPU-fake-0", "GPU-fake-1"]
        source.close()


def test_an_init_that_fails_in_the_end_is_said_and_asked_no_more(nvml):
    nvml.says(HANGS)
    source, _ = opened()
    nvml.says("init 9")
    for _ in range(3000):
        records = source.sample(time.monotonic_ns)
        if records:
            break
        threading.Event().wait(0.01)
    assert notes(records)[0][1].startswith("NVML: the NVIDIA driver is installed but not loaded")
    assert source.interval_ns is None
    source.close()


def test_a_run_ends_while_it_hangs(nvml):
    nvml.says(HANGS)
    got = []
    poller = Poller([NvmlSource(start_patience_s=0.2)], got.append, time.monotonic_ns)
    poller.start()
    for _ in range(3000):
        if got:
            break
        threading.Event().wait(0.01)
    assert poller.stop(30) == []
    assert notes(got) == [NO_ANSWER]
    nvml.says("count 2")


def test_where_it_hangs_an_exporter_on_this_machine_is_asked_instead(nvml, served):
    nvml.says(HANGS)
    served.shows("dcgm.txt")
    source = FallbackSource(
        [NvmlSource(start_patience_s=0.2), PrometheusSource(ScrapeTarget(served.url))], "dcgm-exporter"
    )
    records = source.open(time.monotonic_ns)
    assert len(of(records, GpuDevices)) == 1
    assert notes(records)[0] == (True, f"{NO_ANSWER[1]}; its GPUs are read from {served.name} instead")
    source.close()
    nvml.says("count 2")


def test_where_it_hangs_and_there_is_no_exporter_it_is_waited_for(nvml, served):
    nvml.says(HANGS)
    served.status = 404
    source = FallbackSource(
        [NvmlSource(start_patience_s=0.2), PrometheusSource(ScrapeTarget(served.url))], "dcgm-exporter"
    )
    ((ok, text),) = notes(source.open(time.monotonic_ns))
    assert (ok, text) == (False, f"{NO_ANSWER[1]}; no dcgm-exporter at {served.name} either")
    nvml.says("count 2")
    assert len(of(sampled(source, GpuSamples), GpuDevices)) == 1
    source.close()
