"""NVML through the real pynvml onto a stand-in library; values are those of fake_nvml.c or of its state file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import pynvml
import pytest

from telemetry.nvml.gpu import LOST_RETRY_NS
from telemetry.nvml.source import NvmlSource
from telemetry.nvml.unified_memory import machine_memory
from telemetry.poller import Poller
from telemetry.records import GpuDevices, GpuEvent, GpuSamples, SourceNote


class Clock:
    """Stands still unless told; each reading of it costs 10 ns, so durations show."""

    def __init__(self) -> None:
        self.ns = 0
        self._lock = threading.Lock()

    def __call__(self) -> int:
        with self._lock:
            self.ns += 10
            return self.ns


def of(records, kind):
    return [record for record in records if isinstance(record, kind)]


def gpus(records):
    return of(records, GpuSamples)[-1].gpus


def notes(records):
    return [(note.ok, note.message) for note in of(records, SourceNote)]


def opened(**options):
    source, clock = NvmlSource("here", patience_s=60, **options), Clock()
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
from telemetry.nvml.source import NvmlSource
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
    poller.start()
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "telemetry nvml"]
    assert poller.stop(timeout_s=0.2) == ["nvml"]
    nvml.says("count 1")
    thread.join(30)
    assert not thread.is_alive()
    assert got == []


class Readings:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000

    def __call__(self) -> int:
        return self.ns


FIELDS = (
    "field185 200000; field82 71; field74 0; field269 0; field270 0; field271 0; field197 0; field198 0; "
    "field138 0; field139 0; field3 0; field4 0; field143 0; field145 0"
)


def with_fields(fake, **options):
    fake.says(f"count 1; {FIELDS}")
    source, clock = NvmlSource("here", patience_s=60, **options), Readings()
    return source, clock, source.open(clock)


def after(fake, source, clock, text, seconds=0.25):
    """The only GPU's sample, so many seconds later, when the library says `text` on top."""
    fake.says(f"count 1; {FIELDS}; {text}")
    clock.ns += int(seconds * 1e9)
    return gpus(source.sample(clock))[0]


def test_average_power_and_memory_temperature_come_with_the_batch_of_fields(nvml):
    _, _, records = with_fields(nvml)
    (gpu,) = gpus(records)
    assert (gpu.power_w, gpu.power_average_w, gpu.memory_temperature_c) == (222.5, 200.0, 71)


def test_counters_become_rates_over_the_time_since_the_last_poll(nvml):
    source, clock, records = with_fields(nvml)
    assert gpus(records)[0].throttled_pct is None
    gpu = after(
        nvml,
        source,
        clock,
        "field74 50000000; field269 0; field270 250000000; field197 1000000; field198 500; "
        "field138 1024; field139 2048",
    )
    # 50 ms of 250 ms; all of 250 ms; 1 MB in a quarter of a second; KiB times 1024 times 4.
    assert gpu.throttled_pct == {"power cap": 20.0, "thermal": 0.0, "HW thermal": 100.0, "power brake": 0.0}
    assert (gpu.pcie_tx_bytes_per_s, gpu.pcie_rx_bytes_per_s) == (4_000_000, 2_000)
    assert (gpu.nvlink_tx_bytes_per_s, gpu.nvlink_rx_bytes_per_s) == (4 * 1024 * 1024, 8 * 1024 * 1024)


def test_the_drivers_own_time_of_a_counter_is_taken_where_it_is_plausible(nvml):
    source, clock, _ = with_fields(nvml)
    after(nvml, source, clock, "stamp_us 1000000; field197 0")
    assert after(nvml, source, clock, "stamp_us 1200000; field197 1000").pcie_tx_bytes_per_s == 5_000
    # A stamp that stands still: our own time.
    assert after(nvml, source, clock, "stamp_us 1200000; field197 2000").pcie_tx_bytes_per_s == 4_000


def test_a_counter_that_goes_back_is_a_gap_and_counts_on_from_there(nvml):
    source, clock, _ = with_fields(nvml)
    after(nvml, source, clock, "field74 200000000; field197 9000")
    back = after(nvml, source, clock, "field74 0; field197 1000")
    assert back.pcie_tx_bytes_per_s is None
    assert "power cap" not in back.throttled_pct
    assert after(nvml, source, clock, "field74 125000000; field197 2000").throttled_pct["power cap"] == 50.0


def test_more_throttling_than_there_was_time_is_not_believed(nvml):
    source, clock, _ = with_fields(nvml)
    assert "thermal" not in after(nvml, source, clock, "field269 9000000000").throttled_pct


def test_one_field_that_is_not_supported_costs_only_itself(nvml):
    source, clock, _ = with_fields(nvml)
    gpu = after(nvml, source, clock, "error.field82 3; error.field138 3; field139 1024")
    assert (gpu.memory_temperature_c, gpu.nvlink_tx_bytes_per_s) == (None, None)
    assert (gpu.power_average_w, gpu.nvlink_rx_bytes_per_s) == (200.0, 4 * 1024 * 1024)
    # Remembered: it is not asked again.
    assert after(nvml, source, clock, "field82 80").memory_temperature_c is None


def test_a_driver_that_refuses_the_batch_for_one_id_is_asked_without_it(nvml):
    nvml.says(f"count 1; {FIELDS}; refuse_batch271 1")
    source, clock = NvmlSource(patience_s=60), Readings()
    assert gpus(source.open(clock))[0].power_average_w is None
    clock.ns += 250_000_000
    assert gpus(source.sample(clock))[0].power_average_w == 200.0


def test_clocks_event_reasons_are_named_and_none_is_an_empty_list(nvml):
    source, clock, records = with_fields(nvml)
    assert gpus(records)[0].throttle == []
    assert after(nvml, source, clock, "reasons 0x24").throttle == ["power cap", "thermal"]
    assert after(nvml, source, clock, "reasons 0x1c9").throttle == [
        "idle",
        "HW slowdown",
        "HW thermal",
        "power brake",
        "display",
    ]


def test_an_older_driver_names_its_reasons_by_the_older_call(load_nvml):
    load_nvml("old")
    _, _, records = opened()
    assert gpus(records)[0].throttle == ["HW slowdown"]


GPM = "gpm 1; gpm2 63500; gpm5 41250; gpm10 87000; gpm20 2000; gpm21 1000; gpm60 3000; gpm61 4000"


def test_gpm_tells_busy_from_utilised(nvml):
    source, clock, _ = with_fields(nvml)
    nvml.says(f"count 1; {GPM}; util 100")
    source, clock = NvmlSource(patience_s=60), Readings()
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
    source, clock = NvmlSource(patience_s=60), Readings()
    source.open(clock)
    clock.ns += 99_000_000
    assert gpus(source.sample(clock))[0].sm_active_pct is None
    clock.ns += 1_000_000
    assert gpus(source.sample(clock))[0].sm_active_pct == 63.5


def test_a_share_a_little_above_100_is_100_and_one_far_above_is_none(nvml):
    nvml.says(f"count 1; {GPM}; gpm2 104000; gpm10 5000000; errorgpm5 3")
    source, clock = NvmlSource(patience_s=60), Readings()
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


def events(records):
    return [(event.gpu, event.event, event.code, event.count, event.text) for event in of(records, GpuEvent)]


def test_errors_that_grow_are_events_looked_for_every_ten_seconds(nvml):
    source, clock, _ = with_fields(nvml)
    nvml.says(f"count 1; {FIELDS}; field3 7; field143 2; field145 1")
    clock.ns += 9_000_000_000
    assert events(source.sample(clock)) == []
    clock.ns += 1_000_000_000
    label = "GPU 0 (Fake GPU?[31m)"
    assert events(source.sample(clock)) == [
        ("GPU-fake-0", "ecc_corrected", None, 7, f"{label}: 7 memory errors corrected"),
        (
            "GPU-fake-0",
            "row_remapped",
            None,
            2,
            f"{label}: 2 memory rows remapped after uncorrectable errors",
        ),
        (
            "GPU-fake-0",
            "remap_failed",
            None,
            1,
            f"{label}: a memory row could not be remapped: the GPU wants replacing",
        ),
    ]


def waited_for(source, clock):
    """Samples until an event is there."""
    for _ in range(3000):
        found = events(source.sample(clock))
        if found:
            return found
        threading.Event().wait(0.01)
    raise AssertionError("no event within 30 s")


def test_an_xid_is_an_event_with_its_number_and_what_it_means(nvml):
    nvml.says("count 2")
    source, clock, _ = opened()
    nvml.says("count 2; event 1; event_gpu 1; event_data 79")
    assert waited_for(source, clock) == [
        ("GPU-fake-1", "xid", 79, None, "GPU 1 (Fake GPU?[31m): XID 79 (the GPU has fallen off the bus)")
    ]
    nvml.says("count 2; event 2; event_gpu 0; event_data 9999")
    assert waited_for(source, clock)[0][4] == "GPU 0 (Fake GPU?[31m): XID 9999"
    nvml.says("count 2; event 3; event_gpu 0; event_type 2")
    assert waited_for(source, clock)[0][1] == "ecc_uncorrected"
    source.close()


def test_where_events_cannot_be_watched_the_note_says_so_and_ecc_is_counted(nvml):
    nvml.says(f"count 1; {FIELDS}; error.events 3")
    source, clock = NvmlSource(patience_s=60), Readings()
    records = source.open(clock)
    assert notes(records)[0][1].endswith("XID and ECC events cannot be watched (Not Supported)")
    nvml.says(f"count 1; {FIELDS}; error.events 3; field4 1")
    clock.ns += 10_000_000_000
    assert [event[1] for event in events(source.sample(clock))] == ["ecc_uncorrected"]


def test_an_energy_counter_that_goes_back_is_told(nvml):
    source, clock, _ = opened()
    nvml.says("count 2; energy 100")
    assert notes(source.sample(clock)) == [
        (
            True,
            f"GPU {index} (Fake GPU?[31m): its energy counter went back (driver reloaded?): "
            "no energy across that instant",
        )
        for index in (0, 1)
    ]


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


def test_cuda_visible_devices_sets_the_order_and_marks_the_others(nvml):
    nvml.says("count 4")
    _, _, records = opened(cuda_visible="3,GPU-fake-1")
    (devices,) = of(records, GpuDevices)
    assert [(d.index, d.visible, d.cuda_index) for d in devices.devices] == [
        (3, True, 0),
        (1, True, 1),
        (0, False, None),
        (2, False, None),
    ]
    assert [sample.gpu[-1] for sample in gpus(records)] == ["3", "1", "0", "2"]
    assert notes(records)[0][1].endswith("driver 999.1, CUDA_VISIBLE_DEVICES shows 2 of them")


def test_without_cuda_visible_devices_nothing_is_said_of_visibility(nvml):
    _, _, records = opened()
    assert [d.visible for d in of(records, GpuDevices)[0].devices] == [None, None]


def test_processes_are_listed_once_a_second_with_memory_and_name(nvml):
    nvml.says(f"count 1; pid1 {os.getpid()}; pid1_memory 4096; pid2 99999999")
    source, clock = NvmlSource(patience_s=60), Readings()
    (gpu,) = gpus(source.open(clock))
    # The second pid cannot be; the first one's memory is not known when the driver says all bits set.
    assert [(one.pid, one.memory_bytes) for one in gpu.processes] == [(os.getpid(), 4096)]
    clock.ns += 999_000_000
    assert gpus(source.sample(clock))[0].processes is None
    nvml.says(f"count 1; pid1 {os.getpid()}")
    clock.ns += 1_000_000
    assert [one.memory_bytes for one in gpus(source.sample(clock))[0].processes] == [None]


def test_the_gpus_on_which_the_servers_processes_compute_are_marked(nvml):
    nvml.says("count 2; pid1.0 11; pid1.1 12; pid2.1 13")
    _, _, records = opened(owners=lambda: frozenset({1, 13}))
    assert [d.serves_target for d in of(records, GpuDevices)[0].devices] == [False, True]


def test_a_server_that_cannot_be_seen_marks_nothing(nvml):
    nvml.says("count 2; pid1.0 11")
    _, _, records = opened(owners=lambda: None)
    assert [d.serves_target for d in of(records, GpuDevices)[0].devices] == [None, None]


def test_a_server_that_starts_later_is_marked_when_it_is_seen(nvml):
    nvml.says("count 1; pid1.0 11")
    found = []
    source, clock, _ = opened(owners=lambda: frozenset(found) or None)
    found.append(11)
    clock.ns += 10_000_000_000
    for _ in range(3000):
        changed = of(source.sample(clock), GpuDevices)
        if changed:
            break
        threading.Event().wait(0.01)
    assert [d.serves_target for d in changed[0].devices] == [True]


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
    late = [record for record in polls if len(record.gpus) == 1]
    assert [gpu.util_pct for record in late for gpu in record.gpus] == ([77] if kept else [])
    source.close()
