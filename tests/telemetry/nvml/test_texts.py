"""Texts of a driver that are no UTF-8, and what one GPU's trouble costs the others."""

from __future__ import annotations

import pynvml
import pytest

from telemetry.nvml import gpu as nvml_gpu
from tests.telemetry.nvml.polled import Polled, devices, gpus, notes


def test_a_name_that_is_no_utf8_is_shown_masked_and_costs_nobody_anything(nvml):
    nvml.says("count 2; name_latin1.1 1")
    polled = Polled()
    assert [device.name for device in devices(polled.records)] == ["Fake GPU?[31m", "Caf? GPU"]
    assert [gpu.util_pct for gpu in gpus(polled.records)] == [50, 50]
    assert notes(polled.records) == [(True, "NVML: 2 GPUs (1 x Fake GPU?[31m, 1 x Caf? GPU), driver 999.1")]


def test_a_uuid_that_is_no_utf8_is_no_key(nvml):
    nvml.says("count 2; uuid_latin1 1")
    polled = Polled()
    # Masked, both would be the same, and NVML would not know them by it.
    assert [gpu.gpu for gpu in gpus(polled.records)] == ["nvml#0", "nvml#1"]
    nvml.says("count 2; uuid_latin1 1; error.all.1 15")
    polled.poll()
    nvml.says("count 2; uuid_latin1 1")
    polled.clock.ns += nvml_gpu.LOST_RETRY_NS
    assert [gpu.util_pct for gpu in gpus(polled.poll())] == [50, 50]


def test_a_drivers_version_that_is_no_utf8_is_shown_masked(nvml):
    nvml.says("count 1; driver_latin1 1")
    assert notes(Polled().records)[0][1].endswith("driver 999?1")


def test_an_error_whose_words_are_no_utf8_is_told_masked(nvml):
    nvml.says("count 2; error.nvmlDeviceGetHandleByIndex_v2.1 4321; error_latin1 1")
    assert notes(Polled().records)[1] == (
        False,
        "GPU 1 gives no values: d?faut; asked again every 5 s, it may need a reset",
    )


def test_an_event_of_a_gpu_whose_uuid_is_no_utf8_does_not_end_the_watch(nvml):
    nvml.says("count 1; uuid_latin1 1")
    polled = Polled()
    said = []
    for number in (1, 2):
        nvml.says(f"count 1; uuid_latin1 1; event {number}")
        for _ in range(3000):
            said += [record.text for record in polled.poll() if hasattr(record, "event")]
            if len(said) == number:
                break
    polled.source.close()
    assert said == ["a GPU: XID 79 (the GPU has fallen off the bus)"] * 2


@pytest.mark.parametrize("function", ["nvmlDeviceGetUtilizationRates", "nvmlDeviceGetMemoryInfo"])
def test_an_exception_about_one_gpu_costs_only_that_one(nvml, monkeypatch, function):
    call = getattr(pynvml, function)

    def fails_for_one(handle, *more, **options):
        if handle == polled.source._gpus[1].handle():
            raise ValueError("inside")
        return call(handle, *more, **options)

    polled = Polled()
    monkeypatch.setattr(pynvml, function, fails_for_one)
    records = polled.poll(8)
    zero, one = gpus(records)
    assert (zero.util_pct, zero.power_w) == (50, 222.5)
    assert (one.util_pct, one.lost) == (None, False)
    ((ok, text),) = notes(records)
    assert not ok
    assert text.startswith(
        "GPU 1 (Fake GPU?[31m) gives no values: a bug in ttftop (ValueError at test_texts.py:"
    )
    monkeypatch.setattr(pynvml, function, call)
    polled.clock.ns += nvml_gpu.LOST_RETRY_NS
    records = polled.poll()
    assert gpus(records)[1].util_pct == 50
    assert notes(records) == [(True, "GPU 1 (Fake GPU?[31m) is back")]


def test_an_exception_about_the_servers_processes_costs_no_gpu_anything(nvml):
    def fails():
        raise ValueError("inside")

    polled = Polled(owners=fails)
    assert [gpu.util_pct for gpu in gpus(polled.records)] == [50, 50]
    assert [device.serves_target for device in devices(polled.records)] == [None, None]
    assert len(gpus(polled.poll(50))) == 2
