"""What a run says of its own client, from ticks made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from loadgen.records import TICK_NS, Tick, WorkerNote
from sessions.bottleneck.client_headroom import ClientHeadroom, client_headroom, warning
from sessions.bottleneck.client_saturation import SECOND_NS, Saturation
from sessions.plan.config import RunConfig
from sessions.plan.target_config import TargetConfig
from sessions.store.manifest import ClockAnchor, Manifest, SessionInfo
from sessions.timeline.timeline import Timeline

QUIET = Saturation(0, 10, "")


def manifest(calibrated: object = None) -> Manifest:
    made = Manifest(
        SessionInfo("s", "s", "2026-11-21T10:00:00Z"), ClockAnchor(0, 0), RunConfig(TargetConfig("http://x"))
    )
    made.client = {"calibrated_events_per_s": calibrated}
    return made


def ticks(seconds: int, worker: int = 0, **fields: Any) -> list[Tick]:
    usual = {"cpu_ns": TICK_NS // 10, "reads": 100, "chunks": 100, "kernel_reads": 99, "coalesced_reads": 1}
    return [
        Tick(t_ns=(i + 1) * TICK_NS, dt_ns=TICK_NS, worker=worker, **{**usual, **fields})
        for i in range(4 * seconds)
    ]


def timeline(*records: Tick | WorkerNote) -> Timeline:
    made = Timeline()
    for record in records:
        made.apply(record)
    return made


def said(
    *records: Tick | WorkerNote, calibrated: object = None, saturation: Saturation = QUIET
) -> ClientHeadroom:
    return client_headroom(timeline(*records), manifest(calibrated), 0, 10 * SECOND_NS, saturation)


def test_the_clock_the_reads_and_the_cpu_are_said_for_the_busiest_worker() -> None:
    found = said(
        *ticks(10),
        *ticks(10, worker=1, cpu_ns=TICK_NS // 2, loop_lag_max_ns=3_000_000),
        WorkerNote(5, 0, "clock", clock_error_ns=300),
        WorkerNote(9, 1, "clock", clock_error_ns=700),
    )
    assert found.workers == 2
    assert found.clock == "kernel"
    assert found.kernel_share == pytest.approx(0.99)
    assert found.coalesced_share == pytest.approx(0.01)
    assert found.clock_error_us == 0.7
    assert found.loop_lag_max_ms == 3.0
    assert found.cpu_share == found.cpu_share_max == pytest.approx(0.5)
    assert found.peak_events_per_s == 400.0
    assert (found.calibrated_events_per_s, found.headroom, found.note) == (None, None, "")


def test_without_stamps_of_the_kernel_the_clock_is_that_of_the_read() -> None:
    assert said(*ticks(10, kernel_reads=0)).clock == "read"


def test_the_peak_is_that_of_the_busiest_second() -> None:
    records = ticks(10)
    for tick in records[8:12]:
        tick.chunks = 250
        tick.cpu_ns = TICK_NS // 4
    found = said(*records)
    assert found.peak_events_per_s == 1000.0
    assert found.cpu_share_max == pytest.approx(0.25)
    assert found.cpu_share == pytest.approx(0.115)


def test_nothing_heard_is_none_never_zero() -> None:
    found = said()
    names = (
        "clock",
        "kernel_share",
        "clock_error_us",
        "coalesced_share",
        "loop_lag_max_ms",
        "cpu_share",
        "cpu_share_max",
        "peak_events_per_s",
        "headroom",
    )
    assert [getattr(found, name) for name in names] == [None] * len(names)
    assert said(*ticks(10, reads=0, chunks=0, kernel_reads=0, coalesced_reads=0)).clock is None


@pytest.mark.parametrize(
    ("calibrated", "headroom", "words"),
    [
        (4000.0, 0.9, ""),
        (580.0, 0.3103, ""),  # 69 %
        (560.0, 0.2857, "near the calibrated most"),  # 71 %
        (390.0, -0.0256, "more than this machine was calibrated for"),
    ],
)
def test_a_load_near_or_beyond_the_calibrated_one_is_said(
    calibrated: float, headroom: float, words: str
) -> None:
    found = said(*ticks(10), calibrated=calibrated)
    assert found.headroom == pytest.approx(headroom, abs=1e-3)
    assert words in found.note
    assert bool(found.note) == bool(words)
    if words:
        assert "400 events/s a worker" in found.note
    assert warning(timeline(*ticks(10)), manifest(calibrated), 10 * SECOND_NS) == found.note


@pytest.mark.parametrize("value", [0, -1.0, True, "many", None])
def test_a_calibration_that_makes_no_sense_is_none(value: object) -> None:
    assert said(*ticks(10), calibrated=value).headroom is None


def test_bursts_beside_a_loop_on_time_are_a_proxys() -> None:
    burst = {"reads": 25, "kernel_reads": 25, "coalesced_reads": 25}
    assert "4.0 tokens a read though the client was on time" in said(*ticks(10, **burst)).note
    assert said(*ticks(10, loop_lag_max_ns=6_000_000, **burst)).note == "", "then it may be our own fault"


def test_saturation_is_said_before_any_warning() -> None:
    assert said(*ticks(10), calibrated=1.0, saturation=Saturation(2, 10, "late")).note == "late"


def test_only_the_last_seconds_make_a_warning_on_the_screen() -> None:
    records = ticks(10)
    for tick in records[:8]:
        tick.chunks = 1000
    assert warning(timeline(*records), manifest(1000.0), 2 * SECOND_NS) != ""
    assert warning(timeline(*records), manifest(1000.0), 9 * SECOND_NS) == ""
    assert warning(timeline(*records), None, 2 * SECOND_NS) == ""
