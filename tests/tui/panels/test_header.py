"""The one loud row: the rate and where it goes, whether targets are held, what binds, and when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sessions.frame.latency_target import LatencyTarget
from sessions.frame.outcome import Outcome
from sessions.frame.schema import Frame, Limit, PlanProgress
from sessions.timeline.attained import Attained
from tests.tui.made_up_run import S, ramped
from tui.controls.playhead import Playhead
from tui.controls.screen_state import ScreenState
from tui.draw.rows import width_of
from tui.draw.theme import Theme
from tui.panels.header import header, limit, load
from tui.panels.throughput import sent

MISSED = {"ttft": (LatencyTarget("p99", 500.0, 4320.0),), "itl": (LatencyTarget("p95", 50.0, 31.0),)}


def frame_of(**changed) -> Frame:
    return replace(ramped(lambda: 90.0).frame(90 * S, 60 * S, 60), **changed)


def status(width: int, theme: Theme | None = None, **changed):
    frame = frame_of(**changed)
    state = ScreenState(theme=theme or Theme(), playhead=Playhead(at_ns=frame.at_ns))
    row = header(frame, state, width)
    assert width_of(row) == width
    return "".join(text for text, _ in row), [role for _, role in row]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_rate_target_and_time_stand_there_at_every_size_and_what_binds_where_there_is_room(width):
    text, roles = status(width, targets=MISSED, heading=26.0, limit=Limit("KV cache", "", 0))
    for words in ("▶ 20.0 rps ↗ 26", "TTFT p99 4.32s ✗ >500ms", "ITL p95 31.0 ✓ <50ms", "LIVE", "01:28"):
        assert words in text
    assert ("KV CACHE" in text) == (width >= 120)
    assert roles.count("alarm") == 1


def test_where_there_is_room_for_one_target_the_missed_one_stands_there():
    targets = {"ttft": (LatencyTarget("p95", 500.0, 295.0),), "itl": (LatencyTarget("p95", 50.0, 132.0),)}
    frame = frame_of(targets=targets, live=False)
    state = ScreenState(playhead=Playhead(at_ns=frame.at_ns, following=False), replay=True)
    for width in (60, 70, 80):
        text = "".join(part for part, _ in header(frame, state, width))
        assert "ITL p95 132 ✗" in text, text
        assert "20.0 rps" in text
        assert "REPLAY" in text


def test_at_eighty_columns_both_targets_stand_there_missed_or_held():
    both = {"ttft": (LatencyTarget("p95", 500.0, 3230.0, True),), "itl": (LatencyTarget("p95", 50.0, 132.0),)}
    for targets in (both, {**both, "ttft": (LatencyTarget("p95", 500.0, 295.0),)}):
        frame = frame_of(targets=targets, live=False, rate_rps=None, last_rate_rps=12.0)
        state = ScreenState(playhead=Playhead(at_ns=frame.at_ns, following=False), replay=True)
        text = "".join(part for part, _ in header(frame, state, 80))
        assert "TTFT p95" in text
        assert "ITL p95 132 ✗" in text
        assert "was 12.0 rps" in text


def test_without_targets_p95_stands_there_plain():
    text, roles = status(80)
    assert "TTFT p95 499 " in text
    assert not {"alarm", "alert", "bad"} & set(roles)
    assert "✓" not in text


def test_what_is_told_by_colour_is_told_by_a_glyph_or_a_word_too():
    text, _ = status(120, Theme("ascii", "none"), targets=MISSED, limit=Limit("queue", "", 0), heading=4.0)
    for words in ("20.0 rps -> 4", "TTFT p99 4.32s MISSED >500ms", "ITL p95 31.0 ok <50ms", " QUEUE "):
        assert words in text
    assert text.isascii()


def test_the_rate_that_stays_has_no_arrow_and_a_load_that_is_held_has_the_glyph_of_a_pause():
    assert "▶ 20.0 rps  " in status(80)[0]
    assert "20.0 rps  " in status(80, heading=20.0)[0]
    assert status(80, state="holding")[0].startswith("‖ 20.0 rps")
    assert status(80, state="stopped")[0].startswith("■ 20.0 rps")
    assert "↘ 4" in status(80, heading=4.0)[0]


def test_headroom_is_no_alarm():
    text, roles = status(120, limit=Limit("room", "", 0))
    assert "headroom" in text
    assert "alert" not in roles


def test_a_run_that_is_over_says_the_rate_that_its_figures_came_of():
    over = {"state": "ended", "rate_rps": 0.0, "last_rate_rps": 12.0}
    assert "was 12.0 rps" in status(120, **over)[0]
    assert "was" not in status(120, rate_rps=0.0, last_rate_rps=None)[0]


def test_figures_stand_at_the_same_place_in_each_view_and_leave_room_for_the_model():
    frame = frame_of(model="a-model-of-some-length", state_message="the run came to its end", failed=3)
    rows = [
        "".join(text for text, _ in load(frame, ScreenState(), 120, charts=charts))
        for charts in (True, False)
    ]
    assert rows[0].index("errors") == rows[1].index("errors")
    assert all(frame.model in row for row in rows)


def test_a_closed_loop_that_is_over_says_how_many_it_had_at_once():
    over = {"live": False, "state": "ended", "closed_loop": True, "rate_rps": None}
    text, _ = status(120, concurrency=0, last_concurrency=8.0, **over)
    assert "was 8 concurrent" in text


@pytest.mark.parametrize("width", [80, 120])
def test_while_a_plan_waits_for_answers_it_says_how_to_cut_that_short(width):
    plan = PlanProgress("steps", 1, 3, "2 rps", "draining", None, 24.0)
    state = ScreenState(playhead=Playhead(at_ns=90 * S))
    frame = frame_of(plan=plan, limit=Limit("queue", "25 waiting, 8 running", 20 * S))
    text = "".join(part for part, _ in limit(frame, state, width)).rstrip()
    assert "25 waiting, 8 running" in text
    assert text.endswith("Q ends it")
    assert ("= goes on by hand" in text) == (width >= 80)
    past = "".join(part for part, _ in limit(replace(frame, live=False), state, width))
    assert "ends it" not in past, "a replay has nothing to end"


def test_that_figures_are_means_is_said_beside_since_when_or_in_full_never_as_a_word_alone():
    state = ScreenState(playhead=Playhead(at_ns=90 * S))
    for cells in range(60, 80):
        why = "queue 1, KV 2 %, GPU util 100 %, GPU1 446/700 W"[: cells - 20]
        for since_ns in (0, 20 * S):
            row = limit(frame_of(limit=Limit("room", why, since_ns)), state, 80)
            text = "".join(part for part, _ in row).rstrip()
            assert not text.endswith("means"), text


def test_no_figure_of_what_binds_is_cut_beside_how_long_the_client_was_the_limit():
    why = "100 % used, 1.2 preemptions/s, 406 waiting"
    frame = frame_of(limit=Limit("KV cache", why, 20 * S), client_saturated_s=6, client_judged_s=79)
    row = limit(frame, ScreenState(playhead=Playhead(at_ns=frame.at_ns)), 80)
    text = "".join(part for part, _ in row)
    assert text.startswith("binds: KV cache  100 % used, 1.2 preemptions/s   ")
    assert text.endswith("client saturated 6 of 79 s")


def test_a_target_that_the_screen_cannot_judge_is_named_where_there_is_room():
    targets = {"tpot": (LatencyTarget("p95", 40.0, name="TPOT"),)}
    assert "TPOT p95 40ms in the summary" in status(120, targets=targets)[0]


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize(
    ("slo", "said"), [("pass", "SLO HELD"), ("fail", "SLO MISSED"), ("undecided", "SLO UNDECIDED")]
)
def test_a_run_that_is_over_says_whether_it_held_its_targets_and_whether_it_is_valid(width, slo, said):
    for valid, reasons in ((True, ()), (False, ("the client was saturated",))):
        frame = frame_of(state="ended", live=False, targets=MISSED, outcome=Outcome(slo, valid, reasons))
        rows = ["".join(text for text, _ in part(frame, ScreenState(), width)) for part in (header, load)]
        assert said in " ".join(rows)
        assert ("not valid" in rows[1]) is not valid
        assert "valid" in rows[1]
        assert ("whole run" in rows[0]) == (width >= 120)


def test_figures_of_a_live_run_say_of_which_time_they_are():
    assert "last 10 s" in status(120, targets=MISSED)[0]
    for width, words in ((80, "24.3% in target, 10 s"), (120, "24.3% in target ")):
        frame = frame_of(attained=Attained(0.243))
        assert words in "".join(text for text, _ in load(frame, ScreenState(), width))


ITL_MISSED = {"ttft": (LatencyTarget("p95", 500.0, 295.0),), "itl": (LatencyTarget("p95", 100.0, 138.0),)}


@pytest.mark.parametrize("width", [80, 120, 200])
def test_that_nothing_is_full_is_no_all_clear_beside_a_target_that_is_missed(width):
    frame = frame_of(targets=ITL_MISSED, limit=Limit("room", "queue 1, KV 91 %", 0))
    state = ScreenState(playhead=Playhead(at_ns=frame.at_ns))
    row = limit(frame, state, width)
    assert "binds: nothing full, yet ITL missed  " in "".join(text for text, _ in row)
    assert dict(row)["nothing full, yet ITL missed"] == "warn"
    shown = [*header(frame, state, width), *row]
    assert not [text for text, _ in shown if "headroom" in text]
    held = replace(frame, targets={"itl": (LatencyTarget("p95", 100.0, 38.0),)})
    assert ("headroom", "ok") in limit(held, state, width)


def test_each_target_that_is_missed_is_named_once_and_by_what_the_screen_calls_it():
    both = {
        name: (LatencyTarget("p95", 1.0, 2.0), LatencyTarget("p50", 1.0, 2.0))
        for name in ("ttft", "chunk_gap")
    }
    frame = frame_of(targets=both, limit=Limit("room", "queue 1", 0))
    text = "".join(part for part, _ in limit(frame, ScreenState(playhead=Playhead(at_ns=frame.at_ns)), 120))
    assert "nothing full, yet TTFT, GAP missed" in text


def test_the_headroom_a_run_ended_with_is_not_green_beside_its_missed_targets():
    frame = frame_of(targets=ITL_MISSED, state="ended", limit=Limit("room", "queue 1", 0))
    row = limit(frame, ScreenState(playhead=Playhead(at_ns=frame.at_ns)), 120)
    assert ("headroom", "") in row


def test_the_rates_say_of_how_many_seconds_they_are_where_there_is_room():
    frame = frame_of(due_rps=4.0, achieved_rps=3.9, rates_s=3.0)
    text = "".join(part for part, _ in load(frame, ScreenState(), 160))
    assert "sent 3.9 of 4.0 due/s" in text
    assert "last 3 s" in text
    assert "last 3 s" in "".join(run[0] for field in sent(frame) for run in field.runs)
