"""The batch of NVML fields: counters as rates, throttling and its reasons."""

from __future__ import annotations

from telemetry.nvml.source import NvmlSource
from tests.telemetry.nvml.polls import FIELDS, SetClock, after, gpus, opened, with_fields


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
    source, clock = NvmlSource(patience_s=60), SetClock()
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
