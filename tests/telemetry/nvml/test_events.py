"""What befalls a GPU: XIDs, memory errors, a counter that goes back."""

from __future__ import annotations

from telemetry.nvml.source import NvmlSource
from tests.telemetry.nvml.polls import FIELDS, SetClock, events, notes, opened, waited_for, with_fields


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
    source, clock = NvmlSource(patience_s=60), SetClock()
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
