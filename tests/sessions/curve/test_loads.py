"""The loads that a session has put on, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from loadgen.records import TICK_NS, Tick
from sessions.curve.loads import loads_upto
from sessions.plan.config import LoadConfig, PlanConfig, RunConfig
from sessions.plan.stages import Stage
from sessions.plan.target_config import TargetConfig
from sessions.store.records import LoadChange, StageChange, State
from tests.sessions.timeline.folding import folded

S = 1_000_000_000
CONFIG = RunConfig(TargetConfig("http://127.0.0.1:1"), LoadConfig())


def offered(from_s: float, to_s: float, rps_from: float, rps_to: float | None = None) -> Iterator[Tick]:
    """Ticks of a rate that goes from one to another."""
    count = round((to_s - from_s) * 4)
    for i in range(count):
        rate = rps_from if rps_to is None else rps_from + (rps_to - rps_from) * (i + 1) / count
        t_ns = round(from_s * 4 + i + 1) * TICK_NS
        yield Tick(t_ns=t_ns, dt_ns=TICK_NS, worker=0, due=round(rate / 4), rate_rps=rate)


def said(timeline, at_s: float, config: RunConfig | None = CONFIG) -> list[tuple[float, float, float, bool]]:
    return [
        (one.load, one.stretch.begin_ns / S, one.stretch.end_ns / S, one.stretch.over)
        for one in loads_upto(timeline, config, round(at_s * S))
    ]


def test_each_change_begins_a_load_and_what_is_held_or_short_is_none() -> None:
    timeline = folded(
        LoadChange(1 * S, "start", rate_rps=4.0),
        *offered(1, 11, 4.0),
        LoadChange(11 * S, "rate", rate_rps=8.0),
        *offered(11, 20, 8.0),
        LoadChange(20 * S, "hold", rate_rps=0.0),
        LoadChange(25 * S, "resume", rate_rps=8.0),
        LoadChange(25 * S + S // 2, "rate", rate_rps=9.0),
        *offered(25, 33, 9.0),
        State(31 * S, "draining"),
    )
    assert said(timeline, 0.5) == []
    assert said(timeline, 7.9) == [(4.0, 1, 7, False)], "to the last whole second while it goes on"
    assert said(timeline, 22) == [(4.0, 1, 11, True), (8.0, 11, 20, True)]
    assert said(timeline, 40) == [(4.0, 1, 11, True), (8.0, 11, 20, True), (9.0, 25.5, 31, True)]
    timed = msgspec.structs.replace(CONFIG, load=LoadConfig(duration_s=26.0))
    assert said(timeline, 40, timed)[-1] == (9.0, 25.5, 27, True), "nothing is due once its time is up"


def test_a_ramp_is_cut_into_pieces_that_stay_where_they_are_and_its_end_is_a_load() -> None:
    timeline = folded(
        LoadChange(0, "start", rate_rps=1.0), *offered(0, 40, 1.0, 21.0), *offered(40, 60, 21.0)
    )
    at_30 = said(timeline, 30)
    assert [(begin, end) for _, begin, end, _ in at_30] == [(5 * i, 5 * i + 5) for i in range(6)]
    assert [load for load, *_ in at_30] == pytest.approx([2.25 + 2.5 * i for i in range(6)], abs=0.2)
    at_60 = loads_upto(timeline, CONFIG, 60 * S)
    assert [one.ramp for one in at_60] == [True] * 8 + [False]
    assert (at_60[-1].load, at_60[-1].stretch.begin_ns / S) == (21.0, pytest.approx(40, abs=0.5))
    assert said(timeline, 60)[:6] == [(*one[:3], True) for one in at_30]
    assert len(said(folded(LoadChange(0, "start", rate_rps=1.0), *offered(0, 3600, 1.0, 900.0)), 3600)) <= 12


def test_stages_of_a_plan_have_their_names_and_their_warm_up() -> None:
    stages = [Stage("low", rate_rps=2.0, warm_up_s=3.0, duration_s=10.0), Stage("users", concurrency=8)]
    config = msgspec.structs.replace(CONFIG, plan=PlanConfig("p", stages))
    timeline = folded(
        LoadChange(S, "stage", rate_rps=2.0),
        StageChange(S, 0, "begin", "low"),
        *offered(1, 11, 2.0),
        LoadChange(11 * S, "stage_end", rate_rps=0.0),
        StageChange(11 * S, 0, "load_over"),
        StageChange(12 * S, 0, "over"),
        LoadChange(13 * S, "stage", concurrency=8),
        StageChange(13 * S, 1, "begin", "users"),
        *offered(13, 20, 0.0),
    )
    low, users = loads_upto(timeline, config, 20 * S)
    assert (low.name, low.load, low.closed, low.stretch.warm_up_s) == ("low", 2.0, False, 3.0)
    assert (users.name, users.load, users.closed, users.stretch.over) == ("users", 8.0, True, False)


@pytest.mark.parametrize("at_s", [3, 7.3, 12, 19.75, 24, 33])
def test_what_is_known_of_an_instant_does_not_change_later(at_s: float) -> None:
    records = [
        LoadChange(1 * S, "start", rate_rps=4.0),
        *offered(1, 11, 4.0),
        LoadChange(11 * S, "rate", rate_rps=8.0),
        *offered(11, 34, 8.0),
        State(31 * S, "draining"),
    ]
    upto = folded(*(record for record in records if record.t_ns <= at_s * S))
    assert loads_upto(upto, CONFIG, round(at_s * S)) == loads_upto(folded(*records), CONFIG, round(at_s * S))
