from __future__ import annotations

import numpy as np
import pytest

from sessions.frame.build import build
from sessions.frame.schema import Frame
from sessions.frame.server_series import ServerSeries, server_note, server_series
from sessions.plan.config import RunConfig
from sessions.plan.target_config import TargetConfig
from sessions.store.manifest import ClockAnchor, Manifest, SessionInfo
from sessions.timeline.timeline import Timeline
from telemetry.records import ServerSample, SourceNote
from tests.sessions.timeline.folding import folded

S = 1_000_000_000


def frame_of(timeline: Timeline, at_s: float, slots: int) -> Frame:
    """Columns of a second from 0 on."""
    return build(
        timeline,
        None,
        at_ns=int(at_s * S),
        window_ns=slots * S,
        slots=slots,
        live=False,
        killed=False,
        start_ns=0,
    )


def series(timeline: Timeline, at_s: float, slots: int) -> ServerSeries:
    found = server_series(timeline, frame_of(timeline, at_s, slots))
    assert found is not None
    return found


def counted(*rows: tuple[float, float]) -> Timeline:
    return folded(*(ServerSample(int(t * S), 1, "m", output_tokens=n, running=2.0) for t, n in rows))


def test_a_counter_is_its_growth_a_second_between_the_readings_of_a_column():
    rows = [(i + 0.5, 100.0 * i * i) for i in range(8)]
    found = series(counted(*rows), 8.0, 8)
    times, counts = np.array(rows).T
    expected = np.diff(counts) / np.diff(times)
    assert np.isnan(found.output_tps[0])  # nothing was read before
    np.testing.assert_allclose(found.output_tps[1:], expected)
    assert found.output_tps_now == pytest.approx((counts[-1] - counts[0]) / (times[-1] - times[0]))
    assert found.input_tps_now is None
    assert np.isnan(found.input_tps).all()


def test_a_column_between_two_readings_shows_the_one_before_and_a_long_silence_is_a_gap():
    found = series(counted((0.5, 0.0), (2.5, 200.0), (4.5, 400.0), (11.5, 1100.0)), 12.0, 12)
    assert found.output_tps[2:6].tolist() == [100.0, 100.0, 100.0, 100.0]
    assert np.isnan(found.output_tps[8:11]).all()
    assert found.output_tps[11] == pytest.approx(100.0)


def test_a_counter_that_fell_is_a_gap():
    found = series(counted((0.5, 500.0), (1.5, 600.0), (2.5, 10.0), (3.5, 30.0)), 4.0, 4)
    assert found.output_tps[1] == 100.0
    assert np.isnan(found.output_tps[2])
    assert found.output_tps[3] == 20.0
    assert found.output_tps_now is None


def test_nothing_of_later_is_in_it_and_without_a_server_there_is_none():
    timeline = counted(*((i + 0.5, 10.0 * i) for i in range(10)))
    early = series(timeline, 4.0, 10)
    assert np.isfinite(early.output_tps[1:4]).all()
    assert np.isnan(early.output_tps[4:]).all()
    assert np.isnan(early.running[4:]).all()
    assert server_series(timeline, frame_of(timeline, 0.25, 10)) is None
    assert server_series(Timeline(), frame_of(Timeline(), 1.0, 10)) is None


def test_why_a_server_says_nothing_is_what_was_last_said_of_its_own_address():
    manifest = Manifest(
        SessionInfo("i", "n", ""), ClockAnchor(0, 0), RunConfig(TargetConfig("http://127.0.0.1:1"))
    )
    timeline = folded(
        SourceNote(1, "NVML", False, "no driver"),
        SourceNote(2, "127.0.0.1:1/metrics", False, "127.0.0.1:1/metrics: HTTP 404"),
        SourceNote(9 * S, "127.0.0.1:1/metrics", True, "127.0.0.1:1/metrics: found"),
    )
    assert server_note(timeline, manifest, 1) == ""
    assert server_note(timeline, manifest, S) == "127.0.0.1:1/metrics: HTTP 404"
    assert server_note(timeline, manifest, 9 * S) == ""
    assert server_note(timeline, None, S) == ""
