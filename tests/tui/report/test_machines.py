"""What a report says of GPUs, of the server's own figures and of telemetry that was missing."""

from __future__ import annotations

from typing import Any

import msgspec

from sessions.summary.telemetry_schema import (
    EnergyUse,
    EnergyValidity,
    Gpu,
    Said,
    Server,
    ServerLatency,
    Spread,
    TelemetrySource,
)
from tests.tui.report.test_text import summary
from tui.report.machines import activity, energy, gpus_table, server, telemetry

UNREAD = Spread(None, None)


def gpu(index: int, **more: Any) -> Gpu:
    always = dict.fromkeys(
        ("util_pct", "memory_used_bytes", "power_w", "temperature_c", "sm_clock_mhz"), UNREAD
    )
    rest = {"name": "", "host": "", "source": "nvml", "samples": 9, "memory_total_bytes": None}
    energy = {"energy_j": None, "energy_source": None, "energy_gap_s": 0.0}
    return Gpu(index=index, **{**always, **rest, **energy, **more})


def test_a_name_too_long_for_its_column_is_cut_and_what_was_not_read_is_a_dash() -> None:
    long = gpu(0, name="NVIDIA a name that is far too long for its column", util_pct=Spread(91.2, 100.0))
    text = gpus_table([long])
    assert max(map(len, text.splitlines())) <= 80
    assert "a name that is far too long" in text
    assert "its column" not in text
    assert text.splitlines()[1].split()[-8:] == ["91", "100", "-", "of", "-", "-", "-", "-"]


def test_a_name_is_whole_where_there_is_room() -> None:
    names = ("H100 80GB (simulated)", "RTX 6000 Ada Generation", "A100-SXM4-80GB MIG 3g.40gb")
    whole = Spread(700.0, 700.0)
    for name in names:
        text = gpus_table(
            [gpu(11, name=name, util_pct=whole, power_w=whole, memory_total_bytes=2**37, energy_j=1e6)]
        )
        assert name in text
        assert max(map(len, text.splitlines())) <= 80


def test_what_the_chips_did_and_what_befell_them_in_80_columns() -> None:
    busy = gpu(
        0,
        sm_active_pct=Spread(62.6, 62.6),
        dram_active_pct=Spread(87.0, 87.0),
        tensor_active_pct=Spread(41.2, 41.2),
        power_throttled_pct=Spread(12.0, 12.0),
        thermal_throttled_pct=Spread(0.0, 0.0),
        temperature_c=Spread(70.0, 74.0),
        nvlink_rx_bytes_per_s=Spread(1.06e11, 1.06e11),
        nvlink_tx_bytes_per_s=Spread(1.06e11, 1.06e11),
    )
    other = gpu(1, events={"xid": 2, "ecc_corrected": 7}, lost_pct=12.5, age_s=Spread(9.0, 29.4))
    assert activity([busy, other]).splitlines() == [
        "GPU  SM %  DRAM %  tensor %  slowed %  C most  NVLink GB/s",
        "0      63      87        41  12 power      74        212.0",
        "1       -       -         -         -       -            -",
        "GPU 1: 2 xid, 7 ecc_corrected, lost for 12 % of the time, its figures were up to 29 s old",
    ]
    assert activity([gpu(0, temperature_c=Spread(70.0, 70.0), util_pct=Spread(50.0, 50.0))]) == ""


def test_a_servers_own_latency_that_its_buckets_do_not_tell_is_a_bound_not_a_figure() -> None:
    own = ServerLatency(9, None, 12.0, None, {"p50": [0.0, 10.0], "p99": [80000.0, None]})
    text = server(Server(source="m", preemptions=None, itl_ms=own))
    assert text == "server's own, ms   ITL p50 <=10.0 p99 >80,000"
    assert server(Server(source="m", preemptions=None)) == server(None) == ""


def test_of_each_source_that_failed_is_said_what_and_how_often_in_80_columns() -> None:
    words = {
        "nvml": [(True, "NVML: 8 GPUs (8 x NVIDIA H100 80GB HBM3), driver 570.1")],
        "n1:9400/metrics": [
            (True, "n1:9400/metrics: found, with metrics of DCGM"),
            (False, "n1:9400/metrics: no answer within 1 s"),
            (True, "n1:9400/metrics: answers again, with metrics of DCGM"),
        ],
        "ssh n2": [
            (
                False,
                "ssh n2: cannot connect (me@n2: Permission denied (publickey).); a key must do; tried again",
            ),
            (False, "ssh n2: no answer within 20 s; tried again every 30 s"),
        ],
    }
    sources = [
        TelemetrySource(name, said[-1][0], said[-1][1], [Said(0.0, ok, text) for ok, text in said])
        for name, said in words.items()
    ]
    assert telemetry(sources).splitlines() == [
        "telemetry that was missing",
        "  - n1:9400/metrics: no answer within 1 s; it answered again",
        "  - ssh n2: cannot connect (me@n2: Permission denied (publickey).); a key must",
        "    do; tried again (and 1 more)",
    ]
    assert telemetry(sources[:1]) == ""


def test_of_two_gpus_that_failed_each_is_said_and_only_the_one_that_is_back_is_said_to_be_back() -> None:
    said = [
        (True, "NVML: 3 GPUs (3 x H100), driver 570.1"),
        (False, "GPU 1 (H100) gives no values: Unknown Error; asked again every 5 s"),
        (False, "GPU 2 (H100) gives no values: GPU is lost; asked again every 5 s"),
        (True, "GPU 2 (H100) is back"),
        (False, "GPU 0 (H100) no longer gives power (Timeout): what is shown of it is from before"),
        (True, "GPU 0 (H100) gives power again"),
        (False, "GPU 0 (H100) no longer gives power (Timeout): what is shown of it is from before"),
        (True, "GPU 2 (H100): its energy counter went back"),
    ]
    source = TelemetrySource("nvml", *said[-1], [Said(0.0, ok, text) for ok, text in said])
    assert telemetry([source]).splitlines() == [
        "telemetry that was missing",
        "  - GPU 1 (H100) gives no values: Unknown Error; asked again every 5 s",
        "  - GPU 2 (H100) gives no values: GPU is lost; asked again every 5 s; it",
        "    answered again",
        "  - GPU 0 (H100) no longer gives power (Timeout): what is shown of it is from",
        "    before (and 1 more)",
    ]


def test_many_that_failed_are_counted() -> None:
    said = [Said(0.0, False, f"GPU {i} (H100) gives no values: GPU is lost") for i in range(64)]
    source = TelemetrySource("nvml", False, said[-1].message, said, unsaid=5)
    lines = telemetry([source]).splitlines()
    assert lines[-1] == "  - nvml: the same or another thing of at least 56 more"
    assert len(lines) == 10


def test_energy_that_is_not_valid_says_so_with_the_reasons_under_its_figures_in_80_columns() -> None:
    reasons = [
        "no energy was read of GPU 1\x1b[31m: joules are without it",
        "GPU 0: its counter says 9.0% more than its power integrated (allowed 5%)",
    ]
    checked = EnergyValidity(False, reasons, "w", 20.0, 1.0, 0.0, 0.09, 1)
    used = EnergyUse(2, 2000.0, "counter", 0.0, 100.0, 2.5, 0.4, checked)
    lines = energy(summary(energy=msgspec.to_builtins(used))).splitlines()
    assert lines[0].startswith("energy    2.00 kJ   2 GPUs   100 W   2.500 J/output token")
    assert lines[1].startswith("energy not valid: no energy was read of GPU 1")
    assert "9.0% more" in " ".join(lines[1:])
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in "".join(lines)
    fine = EnergyUse(
        2, 2000.0, "counter", 0.0, 100.0, 2.5, 0.4, EnergyValidity(True, [], "w", 20.0, 1.0, 0.0, 0.0, 0)
    )
    assert len(energy(summary(energy=msgspec.to_builtins(fine))).splitlines()) == 1
