"""NVML through the real pynvml onto a stand-in library; values are those of fake_nvml.c or of its state file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pynvml
import pytest

from telemetry.nvml import LOST_RETRY_NS, NvmlSource
from telemetry.poller import Poller
from telemetry.records import GpuDevices, GpuSamples, SourceNote


class Clock:
    """Stands still unless told; each reading of it costs 10 ns, so durations show."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        self.ns += 10
        return self.ns


def of(records, kind):
    return [record for record in records if isinstance(record, kind)]


def gpus(records):
    return of(records, GpuSamples)[-1].gpus


def notes(records):
    return [(note.ok, note.message) for note in of(records, SourceNote)]


def opened(**options):
    source, clock = NvmlSource("here", **options), Clock()
    return source, clock, source.open(clock)


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
    assert (sample.t_ns, sample.took_ns) == (5_010, 10)


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
        ("memory_total 0", "memory_total_bytes"),
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
    assert [d.gpu for d in of(back, GpuDevices)[0].devices] == ["GPU-fake-0", "GPU-fake-1"]
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


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (
            "init 9",
            "NVML: the NVIDIA driver is installed but not loaded; run nvidia-smi, or sudo modprobe nvidia",
        ),
        (
            "init 18",
            "NVML: the NVIDIA driver and its library have different versions (updated while loaded?); reboot",
        ),
        (
            "init 4",
            "NVML: no permission to talk to the NVIDIA driver; check who may read and write /dev/nvidia*",
        ),
        ("init 777", "NVML: it does not start: said by the fake (code 777)"),
        ("count 0", "NVML: driver 999.1 sees no GPU"),
    ],
)
def test_each_way_of_having_no_gpu_is_one_sentence_and_nothing_to_poll(nvml, state, sentence):
    nvml.says(state)
    source, _, records = opened()
    assert notes(records) == [(False, sentence)]
    assert len(records) == 1
    assert source.interval_ns is None
    source.close()


def test_a_foreign_module_named_pynvml_is_refused(nvml, monkeypatch):
    monkeypatch.delattr(pynvml, "_nvmlGetFunctionPointer")
    _, _, records = opened()
    assert notes(records)[0][1].startswith("NVML: the module pynvml is not NVIDIA's")


def test_when_told_to_skip_nvml_is_not_even_loaded(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)  # an import of it would fail
    source, _, records = opened(skip=lambda: "left alone")
    assert notes(records) == [(True, "left alone")]
    assert source.interval_ns is None


def test_a_missing_binding_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    _, _, records = opened()
    assert notes(records) == [
        (False, "NVML: the Python package nvidia-ml-py is missing; pip install nvidia-ml-py")
    ]


PROBE = """
import json, time
from telemetry.nvml import NvmlSource
print(json.dumps([r.message for r in NvmlSource().open(time.monotonic_ns) if hasattr(r, "message")]))
"""


def notes_of_a_fresh_process(**environment):
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_the_library_is_found_by_the_dynamic_linker(nvml):
    nvml.says("count 1")
    assert notes_of_a_fresh_process(LD_LIBRARY_PATH=str(nvml.library.parent)) == [
        "NVML: 1 GPU (1 x Fake GPU?[31m), driver 999.1"
    ]


def test_without_a_library_the_sentence_says_so(tmp_path):
    # A file that is no library stands before any real driver of this machine.
    (tmp_path / "libnvidia-ml.so.1").write_text("not a library")
    assert notes_of_a_fresh_process(LD_LIBRARY_PATH=str(tmp_path)) == [
        "NVML: no NVIDIA driver on this machine (libnvidia-ml.so.1 not found); a container needs --gpus all"
    ]


def test_a_call_that_blocks_holds_up_neither_python_nor_the_end(nvml):
    nvml.says("count 1; delay_ms.nvmlDeviceGetUtilizationRates 60000")
    got = []
    poller = Poller([NvmlSource()], got.append, Clock())
    before = set(threading.enumerate())
    poller.start()
    (thread,) = set(threading.enumerate()) - before
    assert poller.stop(timeout_s=0.2) == ["nvml"]
    nvml.says("count 1")
    thread.join(30)
    assert not thread.is_alive()
    assert got == []
