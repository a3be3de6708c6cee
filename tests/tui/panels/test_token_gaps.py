"""The line WHY of ITL: what it says of the server before and now is of one statistic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sessions.frame.latency_target import LatencyTarget
from sessions.frame.server_series import ServerSeries
from tests.tui.made_up_run import S, ramped
from tui.draw.rows import Row
from tui.panels.token_gaps import sentence

COLUMNS = 60
NOTHING = np.full(COLUMNS, np.nan)


def why(
    running: np.ndarray,
    itl_ms: np.ndarray,
    now_ms: float,
    input_tps: np.ndarray = NOTHING,
    input_tps_now: float | None = None,
) -> Row:
    """A minute in columns of a second, without preemptions."""
    frame = ramped(lambda: 90.0).frame(90 * S, 60 * S, COLUMNS)
    assert (frame.slot_ns, frame.recent_s) == (S, 10.0)
    frame = replace(
        frame,
        itl=replace(frame.itl, p95=itl_ms),
        targets={"itl": (LatencyTarget("p95", 30.0, now_ms),)},
        server=replace(frame.server, preemptions_per_s=0.0),
    )
    told = ServerSeries(
        "", running, NOTHING, NOTHING, NOTHING, NOTHING, input_tps, NOTHING, input_tps_now, None
    )
    return sentence("ITL", told, frame, 160)


def text(row: Row) -> str:
    return "".join(part for part, _ in row)


def test_what_goes_up_and_down_all_the_time_has_not_changed_and_warns_of_nothing():
    swings = np.resize([10.0, 12.0, 16.0, 11.0, 14.0], COLUMNS)
    row = why(swings, np.resize([20.0, 22.0, 21.0, 20.0, 90.0], COLUMNS), 88.0)
    assert "p95 88.0 ms: " in text(row)
    assert "running at once 12  " in text(row)
    assert "warn" not in {role for _, role in row}


def test_prompts_that_come_in_bursts_come_as_fast_as_before():
    row = why(NOTHING, NOTHING, 40.0, np.resize([0.0, 0.0, 1000.0, 0.0, 0.0], COLUMNS), 200.0)
    assert "prompt tokens 200/s" in text(row)


def test_what_rose_is_said_with_what_it_was_at_the_first_columns_and_warns():
    rises = np.linspace(4.0, 43.0, COLUMNS)
    row = why(rises, np.linspace(20.0, 90.0, COLUMNS), 88.0, rises * 100, 4000.0)
    # The fifth column ends 35 s after the session's origin, and the load began at 2 s.
    assert "p95 88.0 ms, 22.4 ms at 00:33: " in text(row)
    assert "running at once 5 to 40  prompt tokens 532 to 4000/s" in text(row)
    assert "warn" in {role for _, role in row}


def test_without_figures_nothing_is_said_of_before():
    assert text(why(NOTHING, NOTHING, 40.0)).rstrip() == " WHY ITL p95 40.0 ms: TTFT is not missed"
