"""What a stretch of load is in a session, and that screen and summary judge the same one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from loadgen.records import TICK_NS, Tick
from loadgen.sketch import bucket
from sessions.plan.config import LoadConfig, PlanConfig, WorkloadConfig
from sessions.plan.stages import Stage
from sessions.steady.stretch import Stretch, WindowNow, stretch_at, window
from sessions.store.records import LoadChange, StageChange, State
from sessions.summary.plan_stages import plan_result
from tests.sessions.timeline.folding import folded

S = 1_000_000_000
LOAD = LoadConfig(rate_rps=8.0)


def ticks(
    from_s: float, to_s: float, *, rps: float = 8.0, in_flight: float = 16.0, grows: float = 0.0, **more: Any
) -> Iterator[Tick]:
    """Evenly: answers of 2 s, 19 gaps of 100 ms after 100 ms; `grows` of those in flight each second."""
    for i in range(round(from_s * 4), round(to_s * 4)):
        due, gaps = round(rps / 4), round(rps / 4 * 19)
        yield Tick(
            t_ns=(i + 1) * TICK_NS,
            dt_ns=TICK_NS,
            worker=0,
            due=due,
            succeeded=due if i / 4 >= from_s + 2 else 0,
            in_flight=round(in_flight + grows * (i / 4 - from_s)),
            **{"rate_rps": rps} | more,
            ttft_from_due=[bucket(100_000_000), due],
            chunk_gap=[bucket(100_000_000), gaps],
            e2e=[bucket(2 * S), due] if i / 4 >= from_s + 2 else [],
        )


def test_since_the_last_change_of_load_in_whole_seconds_until_nothing_more_is_due() -> None:
    start = LoadChange(S, "start", rate_rps=4.0)
    timeline = folded(
        start, *ticks(1, 30), LoadChange(10 * S, "rate", rate_rps=8.0), State(20 * S, "draining")
    )
    assert stretch_at(timeline, LOAD, None, S // 2) is None
    assert stretch_at(timeline, LOAD, None, 9 * S) == Stretch(S, 9 * S, False, True, True)
    assert stretch_at(timeline, LOAD, None, 19 * S + 7) == Stretch(10 * S, 19 * S, False, True, True)
    assert stretch_at(timeline, LOAD, None, 29 * S) == Stretch(10 * S, 20 * S, True, True, True), "no drain"
    timed = LoadConfig(rate_rps=8.0, duration_s=14.0, arrivals="constant")
    assert stretch_at(timeline, timed, None, 29 * S) == Stretch(10 * S, 15 * S, True, True, False)


def test_what_is_held_is_no_load_and_a_ramp_is_not_judged() -> None:
    held = folded(LoadChange(S, "start", rate_rps=8.0), LoadChange(5 * S, "hold", rate_rps=0.0))
    assert stretch_at(held, LOAD, None, 9 * S) is None
    rising = [tick for i in range(60) for tick in ticks(1 + i, 2 + i, rps=4.0 + 4 * i)]
    assert window(folded(*rising), Stretch(S, 61 * S, True, True, True)) is None
    assert window(folded(*ticks(1, 61)), Stretch(S, 61 * S, True, True, True)) is not None


def test_steady_load_is_steady_and_its_window_begins_when_the_first_answers_are_there() -> None:
    timeline = folded(LoadChange(S, "start", rate_rps=8.0), *ticks(1, 61))
    found = window(timeline, Stretch(S, 61 * S, True, True, True))
    assert found is not None
    assert found.verdict == "steady"
    assert 3.0 <= found.from_ns / S <= 4.5
    assert found.to_ns == 61 * S


def test_the_backlog_in_the_client_is_a_queue_as_well() -> None:
    waiting = [
        Tick(
            tick.t_ns,
            tick.dt_ns,
            0,
            due=tick.due,
            succeeded=tick.succeeded,
            in_flight=16,
            backlog=2 * i,
            rate_rps=8.0,
            e2e=tick.e2e,
        )
        for i, tick in enumerate(ticks(1, 61))
    ]
    found = window(folded(*waiting), Stretch(S, 61 * S, True, True, True))
    assert found is not None
    assert found.verdict == "drifting_up"


def test_of_two_workers_what_is_in_flight_is_added_up() -> None:
    both = [*ticks(1, 121, grows=0.2), *ticks(1, 121, grows=0.2)]
    for tick in both[len(both) // 2 :]:
        tick.worker = 1
    found = window(folded(*both), Stretch(S, 121 * S, True, True, False))
    assert found is not None
    assert found.why.startswith("in flight grows by 0.4/s: 16 rps came")


def test_screen_and_summary_say_the_same_of_a_stage_and_of_it_while_it_drains() -> None:
    asked = [
        Stage("a", rate_rps=8.0, duration_s=60.0, warm_up_s=10.0),
        Stage("b", concurrency=16, requests=400),
    ]
    plan = PlanConfig("p", asked)
    records = [
        LoadChange(S, "stage", rate_rps=8.0),
        StageChange(S, 0, "begin", "a"),
        *ticks(1, 61, grows=2.0),
        StageChange(61 * S, 0, "load_over"),
        *ticks(61, 70, rps=0.0, in_flight=140.0, rate_rps=None),
        StageChange(70 * S, 0, "over"),
        LoadChange(70 * S, "stage", concurrency=16),
        StageChange(70 * S, 1, "begin", "b"),
        *ticks(70, 120, rate_rps=None, concurrency=16),
        *ticks(120, 130, rps=0.0, in_flight=9.0, rate_rps=None, concurrency=16),
        StageChange(130 * S, 1, "load_over"),
        StageChange(130 * S, 1, "over"),
    ]
    timeline = folded(*records)
    first, second = plan_result(timeline, plan, WorkloadConfig(), S, True).stages
    live = WindowNow(timeline)
    for stage, at_s in ((first, 61), (first, 69.9), (second, 125), (second, 131)):
        seen = live.at(LOAD, plan, round(at_s * S))
        assert seen is not None
        assert stage.window is not None
        assert seen.verdict == stage.window.verdict
        assert seen.from_ns == pytest.approx((stage.window.from_s + 1) * S, abs=1e6)
        assert seen.to_ns == round((stage.window.to_s + 1) * S)
    assert first.window is not None
    assert second.window is not None
    assert first.window.verdict == "drifting_up"
    assert 10.0 <= first.window.from_s <= 11.0
    assert first.window.to_s == 60.0
    assert second.window.verdict == "steady"
    assert second.window.to_s == 119.0, "its 400 requests were up"


def test_what_is_seen_of_an_instant_does_not_depend_on_what_came_after() -> None:
    records = [LoadChange(S, "start", rate_rps=8.0), *ticks(1, 41), *ticks(41, 81, grows=4.0)]
    whole = folded(*records)
    for at_s in (2, 5, 30, 41, 60, 80):
        then = folded(*(record for record in records if record.t_ns <= at_s * S))
        assert WindowNow(whole).at(LOAD, None, at_s * S) == WindowNow(then).at(LOAD, None, at_s * S)
    seen = WindowNow(whole)
    forth = [seen.at(LOAD, None, at_s * S) for at_s in range(81)]
    assert [seen.at(LOAD, None, at_s * S) for at_s in reversed(range(81))] == forth[::-1]
    said = [found.verdict for found in forth if found is not None]
    assert list(dict.fromkeys(said)) == ["settling", "steady", "drifting_up"]


def test_a_rate_that_moves_by_more_than_a_twentieth_is_a_ramp_and_a_last_tick_of_none_is_not() -> None:
    stretch = Stretch(S, 61 * S, True, True, True)
    for higher, judged in ((8.3, True), (8.6, False)):
        timeline = folded(*ticks(1, 31), *ticks(31, 61, rate_rps=higher))
        assert (window(timeline, stretch) is not None) is judged, higher
    assert window(folded(*ticks(1, 60.75), *ticks(60.75, 61, rate_rps=0.0)), stretch) is not None


def test_behind_a_plan_that_was_left_the_load_is_the_persons() -> None:
    plan = PlanConfig("p", [Stage("a", rate_rps=8.0, duration_s=60.0)])
    timeline = folded(
        LoadChange(S, "stage", rate_rps=8.0),
        StageChange(S, 0, "begin", "a"),
        *ticks(1, 40),
        StageChange(20 * S, 0, "left"),
        LoadChange(20 * S, "rate", rate_rps=9.0),
    )
    assert stretch_at(timeline, LOAD, plan, 15 * S) == Stretch(S, 15 * S, False, True, True)
    assert stretch_at(timeline, LOAD, plan, 30 * S) == Stretch(20 * S, 30 * S, False, True, True)
