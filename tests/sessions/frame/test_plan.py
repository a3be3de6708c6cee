"""Where a plan stands at an instant: its stage, and how long it goes on."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from loadgen.records import Tick
from sessions.frame.build import build
from sessions.frame.plan import plan_at
from sessions.frame.schema import PlanProgress
from sessions.frame.search import SearchProgress
from sessions.limit.search import Result
from sessions.limit.step import Step
from sessions.plan.config import LimitConfig, PlanConfig, RunConfig
from sessions.plan.stages import Stage
from sessions.store.manifest import EndInfo
from sessions.store.records import End, LoadChange, StageChange, State
from sessions.timeline.timeline import Timeline
from tests.sessions.summary.summing import manifest
from tests.sessions.timeline.folding import folded

S = 1_000_000_000
PLAN = PlanConfig(
    "p",
    [
        Stage("a", rate_rps=2.0, duration_s=60.0, pause_s=5.0),
        Stage("b", concurrency=3, requests=9),
        Stage("c", rate_rps=1.0, requests=30, pause_s=7.0),
    ],
)


def timeline() -> Timeline:
    return folded(*timeline_records())


def timeline_records() -> list[Any]:
    return [
        LoadChange(10 * S, "stage", rate_rps=2.0),
        StageChange(10 * S, 0, "begin", "a"),
        StageChange(70 * S, 0, "load_over"),
        StageChange(75 * S, 0, "over"),
        StageChange(80 * S, 1, "begin", "b"),
        StageChange(85 * S, 1, "left"),
        StageChange(90 * S, 2, "begin", "c"),
        LoadChange(90 * S, "stage", rate_rps=1.0),
        State(91 * S, "draining"),
    ]


def at(seconds: float) -> PlanProgress | None:
    return plan_at(timeline(), PLAN, round(seconds * S))


def plan_of(
    plan: PlanConfig | None, *records: Any, at_s: int, end: EndInfo | None = None, killed: bool = False
) -> PlanProgress | None:
    """In the frame of a run of `plan`; without one, of a search between 2 and 4 rps."""
    made = manifest()
    made.config = search_config() if plan is None else msgspec.structs.replace(made.config, plan=plan)
    made.end = end
    frame = build(
        folded(*records), made, at_ns=at_s * S, window_ns=60 * S, slots=60, live=False, killed=killed
    )
    return frame.plan


def search_config() -> RunConfig:
    """Of a search that goes on with another session, of which 2 rps passed and 4 failed."""

    def result(load: float, verdict: str, purpose: str = "double") -> str:
        step = Step(purpose, load, 30, (59, 500))  # type: ignore[arg-type]
        return msgspec.json.encode(Result(step, verdict, 130, 10.0, 1.0, 0, 100, 100.0, 0.05)).decode()  # type: ignore[arg-type]

    before = [result(1.0, "pass", "single"), result(2.0, "pass"), result(4.0, "fail")]
    return msgspec.structs.replace(
        manifest().config,
        plan=PlanConfig("limit", []),
        limit=LimitConfig(before=before),
        slo=["ttft.p95<500ms"],
    )


def searching() -> list[Any]:
    """A step of it, which began after 10 s."""
    stage = Stage("2.8 rps (between 2 and 4)", rate_rps=2.8, requests=130)
    begun = StageChange(10 * S, 0, "begin", stage.name, stage=msgspec.json.encode(stage).decode())
    return [State(10 * S, "running"), begun]


def test_a_plan_says_its_stage_its_state_and_what_is_known_of_the_time_left() -> None:
    assert at(9) is None
    assert at(25) == PlanProgress("p", 1, 3, "a", "running", 45.0, None)  # b ends when it ends
    waiting, over, left = at(72), at(77), at(86)
    assert waiting is not None and over is not None and left is not None  # noqa: PT018
    assert (waiting.state, waiting.stage_left_s) == ("draining", None)
    assert (over.state, left.state, left.stage) == ("over", "left", 2)
    assert at(100) == PlanProgress("p", 3, 3, "c", "running", 20.0, 20.0)  # 30 requests at 1 a second
    assert plan_at(timeline(), None, 25 * S) is None


def test_a_plan_whose_run_is_over_does_not_go_on() -> None:
    for records in ([], [StageChange(110 * S, 2, "over")]):
        ended = plan_of(PLAN, *timeline_records(), *records, End(120 * S, "finished"), at_s=120)
        assert ended == PlanProgress("p", 3, 3, "c", "ended", None, None)


END = EndInfo("interrupted", "2026-11-26T12:00:00.000+01:00", 16.0, 130, "stopped by a signal")


@pytest.mark.parametrize(
    ("records", "end", "killed"),
    [
        ([End(16 * S, "interrupted")], None, False),
        ([State(15 * S, "draining")], None, False),
        ([], None, True),
        ([], END, False),
    ],
    ids=["ended", "ends while a step is on", "killed", "an end in the manifest alone"],
)
def test_a_search_that_does_not_go_on_is_over_at_no_time(
    records: list[Any], end: EndInfo | None, killed: bool
) -> None:
    found = plan_of(None, *searching(), *records, at_s=16, end=end, killed=killed)
    assert found is not None and found.search is not None  # noqa: PT018
    assert found.state == "ended"
    assert (found.search.left_s, found.search.after_s, found.left_s) == (None, None, None)


def test_a_search_that_a_person_has_left_is_over_at_no_time() -> None:
    left = plan_of(None, *searching(), StageChange(15 * S, 0, "left"), at_s=16)
    assert left is not None and left.search is not None  # noqa: PT018
    assert (left.state, left.search.left_s, left.search.after_s) == ("left", None, None)


def test_of_a_step_that_was_cut_nothing_more_is_due_and_the_search_goes_on() -> None:
    waiting = plan_of(
        None, *searching(), State(15 * S, "draining"), StageChange(15 * S, 0, "load_over"), at_s=16
    )
    assert waiting is not None and waiting.search is not None  # noqa: PT018
    assert (waiting.state, waiting.search.left_s) == ("draining", None)
    assert waiting.search.after_s is not None


def test_a_search_says_its_step_how_long_that_is_at_the_most_and_what_is_bracketed() -> None:
    def over(t_s: int, number: int, load: float, verdict: str) -> StageChange:
        result = Result(Step("double", load, 30, (100,)), verdict, 130, 10.0, 1.0, 0, 100, 100.0, 0.05)
        return StageChange(t_s * S, number, "over", result=msgspec.json.encode(result).decode())

    def step(number: int, load: float) -> StageChange:
        made = Stage(f"{load:g} rps in ?..?", rate_rps=load, requests=130)
        stage = msgspec.json.encode(made).decode()
        return StageChange((10 + 20 * number) * S, number, "begin", made.name, stage=stage)

    ticks = [Tick(t * S, S, 0, due=4) for t in range(1, 60)]
    records = [step(0, 2.0), over(25, 0, 2.0, "pass"), step(1, 4.0), over(45, 1, 4.0, "fail"), step(2, 2.8)]
    found = plan_at(folded(*ticks, *records), PlanConfig("limit", []), 57 * S)
    assert found is not None
    # 7 s at 4 a second are 28 of 130; the other 102 take, at 2.8 a second, 36.4 s.
    assert found.search == SearchProgress("2.8 rps", 28, 130, pytest.approx(102 / 2.8), 2.0, 4.0)
    assert (found.stage, found.of, found.left_s) == (3, None, None)


def test_a_search_that_goes_on_with_another_session_knows_its_steps_and_about_when_it_is_over() -> None:
    found = plan_of(None, *searching(), at_s=12)
    assert found is not None and found.search is not None  # noqa: PT018
    assert (found.search.load, found.search.passed, found.search.failed) == ("2.8 rps", 2.0, 4.0)
    assert found.search.unit == "rps"
    # Three more to narrow to a tenth, at about 500 requests each, one or more to place it, one to confirm.
    assert found.search.after_s is not None
    assert 2 * 500 / 2.8 < found.search.after_s < 10_000 / 2.8


def test_what_a_step_of_a_search_came_to_is_an_event() -> None:
    step = Step("narrow", 4.0, 30, (500,))
    failed = Result(step, "fail", 530, 130.0, 1.0, 61, 500, 500.0, 0.05, "ttft.p95<500ms")
    of_a_mean = failed._replace(verdict="undecided", misses=0, allowed=0.0)
    changes = [
        StageChange((10 * number + 10) * S, number, "over", result=msgspec.json.encode(result).decode())
        for number, result in enumerate((failed, of_a_mean))
    ]
    found = [(event.t_ns, event.label) for event in folded(*changes, StageChange(40 * S, 2, "over")).events]
    assert found == [
        (10 * S, "step 1 failed: 61 of 500 missed ttft.p95<500ms"),
        (20 * S, "step 2 stayed undecided"),
    ]


def test_answers_that_a_stage_awaits_have_no_bound_of_the_run() -> None:
    made = manifest()
    made.config = type(made.config)(made.config.target, plan=PLAN)
    changes = [
        StageChange(10 * S, 0, "begin", "a"),
        StageChange(20 * S, 0, "load_over"),
        State(20 * S, "draining"),
    ]
    frame = build(folded(*changes), made, at_ns=21 * S, window_ns=60 * S, slots=60, live=True, killed=False)
    assert frame.plan is not None
    assert frame.drains_until_ns is None
    assert build(
        folded(*changes), manifest(), at_ns=21 * S, window_ns=S, slots=1, live=True, killed=False
    ).drains_until_ns


def test_those_of_the_last_stage_are_awaited_as_long_as_any_at_the_end_of_a_run() -> None:
    made = manifest()
    made.config = type(made.config)(made.config.target, plan=PLAN, drain_s=8.0)
    changes = [
        StageChange(10 * S, 2, "begin"),
        StageChange(20 * S, 2, "load_over"),
        State(20 * S, "draining"),
    ]
    frame = build(folded(*changes), made, at_ns=21 * S, window_ns=60 * S, slots=60, live=True, killed=False)
    assert frame.drains_until_ns == 28 * S
