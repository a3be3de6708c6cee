"""What each stage of a plan came to, worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from loadgen.records import RequestError, Tick
from loadgen.sketch import bucket
from sessions.plan.config import PlanConfig, WorkloadConfig
from sessions.plan.stages import Stage, StageBefore
from sessions.store.records import LoadChange, StageChange, State
from sessions.summary.plan_schema import Plan
from sessions.summary.plan_stages import failures_sought, plan_result
from sessions.timeline.energy import EnergyCurve
from tests.sessions.summary.summing import answered
from tests.sessions.timeline.folding import folded

S = 1_000_000_000
MS = 1_000_000


def result(stages: list[Stage], *records: Any, ended: bool = True, **more: Any) -> Plan:
    plan = PlanConfig("p", stages)
    return plan_result(folded(*records), plan, WorkloadConfig(), S, ended, **more)


def test_a_request_belongs_to_the_stage_in_which_it_was_due_and_a_warm_up_to_none() -> None:
    plan = result(
        [Stage("a", rate_rps=2.0, duration_s=3.0, warm_up_s=1.0), Stage("b", concurrency=3, requests=2)],
        LoadChange(S, "stage", rate_rps=2.0),
        StageChange(S, 0, "begin", "a"),
        answered(0, 1.5, ttft_ms=900),  # warming up
        answered(1, 2.5),
        answered(2, 3.9, ttft_ms=300),  # answered after its stage
        answered(3, 3.95, error=RequestError("rejected")),
        StageChange(4 * S, 0, "load_over"),
        StageChange(5 * S, 0, "over"),
        StageChange(6 * S, 1, "begin", "b"),
        answered(4, 6.0, ttft_ms=500, tokens=1),
        answered(5, 6.5, ttft_ms=500, tokens=1),
        StageChange(7 * S, 1, "load_over"),
        StageChange(7 * S, 1, "over"),
    )
    a, b = plan.stages
    assert (a.name, a.state, a.from_s, a.measured_from_s, a.to_s, a.over_s) == ("a", "done", 0, 1, 3, 4)
    assert (a.requests, a.succeeded, a.failed, a.warm_up_requests) == (3, 2, 1, 1)
    assert a.offered_rps == 3 / 2
    # Until the last answer: the request due at 3.9 s ends at 3.9 + 0.3 + 0.1 s; the measuring began at 2 s.
    assert a.request_rps == pytest.approx(2 / 2.3)
    assert a.output_tps == pytest.approx(22 / 2.3)
    assert a.total_tps == pytest.approx(62 / 2.3)
    assert (a.ttft_ms.count, a.ttft_ms.mean, a.ttft_ms.p50) == (2, 200.0, 200.0)
    assert (a.tpot_ms.p50, a.itl_mean_ms, a.tps_per_user) == (10.0, 10.0, 100.0)
    assert a.e2e_ms.mean == 300.0
    # Of one whose number was up, the sending ends with its last request.
    assert (b.concurrency, b.offered_rps, b.to_s, b.over_s) == (3, None, 5.5, 6.0)
    assert (b.requests, b.itl_mean_ms, b.tps_per_user) == (2, None, None)


def test_warm_up_requests_are_the_first_that_were_due() -> None:
    plan = result(
        [Stage("a", concurrency=1, requests=4, warm_up_requests=2)],
        StageChange(S, 0, "begin", "a"),
        *(answered(i, 1 + i, ttft_ms=100 * (4 - i)) for i in range(4)),
        StageChange(9 * S, 0, "over"),
    )
    (stage,) = plan.stages
    assert (stage.requests, stage.warm_up_requests, stage.ttft_ms.mean) == (2, 2, 150.0)


def test_of_a_stage_that_began_twice_the_last_time_counts_and_one_that_was_cut_says_so() -> None:
    plan = result(
        [
            Stage("a", concurrency=1, requests=9),
            Stage("b", concurrency=1, requests=9),
            Stage("c", concurrency=1),
        ],
        StageChange(S, 0, "begin", "a"),
        answered(0, 1.1),
        StageChange(2 * S, 0, "left"),
        StageChange(3 * S, 0, "begin", "a"),
        answered(1, 3.1),
        answered(2, 3.2),
        StageChange(4 * S, 0, "over"),
        StageChange(5 * S, 1, "begin", "b"),
        answered(3, 5.1),
    )
    assert [(s.number, s.state, s.requests) for s in plan.stages] == [(1, "done", 2), (2, "cut", 1)]
    assert plan.stages_asked == 3


def test_a_stage_that_a_person_left_ends_there() -> None:
    plan = result(
        [Stage("a", rate_rps=1.0, duration_s=9.0)],
        StageChange(S, 0, "begin", "a"),
        answered(0, 1.5),
        StageChange(2 * S, 0, "left"),
        answered(1, 2.5),
    )
    assert [(s.state, s.to_s, s.requests) for s in plan.stages] == [("left", 1.0, 1)]


def test_a_stage_that_the_end_of_the_run_cut_was_sent_until_then_and_what_was_cut_off_is_no_failure() -> None:
    plan = result(
        [Stage("a", rate_rps=2.0, duration_s=60.0)],
        StageChange(S, 0, "begin", "a"),
        *(answered(i, 1.25 + i / 2) for i in range(8)),
        State(5 * S, "draining"),
        answered(8, 4.9, ttft_ms=9000, error=RequestError("unfinished")),
    )
    (stage,) = plan.stages
    assert (stage.state, stage.to_s, stage.offered_rps) == ("cut", 4.0, 9 / 4)
    assert (stage.requests, stage.succeeded, stage.failed, stage.cut_off) == (9, 8, 0, 1)


def test_a_stage_whose_number_of_requests_is_up_before_its_time_was_sent_until_the_last_was_due() -> None:
    plan = result(
        [Stage("a", concurrency=1, duration_s=60.0, requests=2)],
        StageChange(S, 0, "begin", "a"),
        answered(0, 1.0),
        answered(1, 2.0, ttft_ms=5000),
        StageChange(8 * S, 0, "load_over"),
        StageChange(8 * S, 0, "over"),
    )
    assert plan.stages[0].to_s == 1.0


def test_constant_arrivals_take_as_many_gaps_as_there_are_requests_also_after_a_warm_up() -> None:
    due = [answered(i, 1 + i / 4) for i in range(8)]
    events = [StageChange(S, 0, "begin", "a"), *due, StageChange(9 * S, 0, "over")]
    for warm_up, counted in ((0, 8), (4, 4)):
        stage = Stage("a", rate_rps=4.0, arrivals="constant", requests=8, warm_up_requests=warm_up)
        made = result([stage], *events).stages[0]
        assert (made.requests, made.offered_rps) == (counted, pytest.approx(4.0))


def test_requests_that_were_never_sent_were_due_all_the_same() -> None:
    plan = result(
        [Stage("a", rate_rps=4.0, duration_s=2.0)],
        StageChange(S, 0, "begin", "a"),
        answered(0, 1.5),
        answered(1, 2.5),
        Tick(3 * S, S, 0, due=8, sent=2, not_sent=6),
        StageChange(3 * S, 0, "load_over"),
        StageChange(4 * S, 0, "over"),
        Tick(5 * S, S, 0, due=9, sent=0, not_sent=9),
    )
    (stage,) = plan.stages
    assert (stage.requests, stage.not_sent, stage.offered_rps) == (2, 6, 4.0)


def test_keys_taken_after_a_stage_was_over_leave_it_done() -> None:
    plan = result(
        [Stage("a", concurrency=1, requests=1)],
        StageChange(S, 0, "begin", "a"),
        answered(0, 1.5),
        StageChange(2 * S, 0, "load_over"),
        StageChange(2 * S, 0, "over"),
        StageChange(3 * S, 0, "left"),
    )
    assert [(stage.state, stage.over_s) for stage in plan.stages] == [("done", 1.0)]


def test_of_a_stage_that_is_on_all_that_was_due_counts_and_no_target_is_decided() -> None:
    plan = PlanConfig("p", [Stage("a", rate_rps=4.0, duration_s=9.0)], targets=["errors < 1%"])
    events = [
        StageChange(S, 0, "begin", "a"),
        answered(0, 1.5),
        Tick(2 * S, S, 0, due=4, sent=4, in_flight=3),
    ]
    (stage,) = plan_result(folded(*events), plan, WorkloadConfig(), S, False).stages
    assert (stage.state, stage.requests, stage.offered_rps) == ("running", 1, 4.0)
    assert [(result.figure, result.verdict) for result in stage.targets] == [(0.0, "undecided")]


def test_the_joules_of_a_measured_time_are_those_of_all_tokens_that_came_in_it() -> None:
    # 100 W all the time. Half of the tokens that came in the measured second were of the warm-up.
    watts = EnergyCurve(np.array([0.0, 9.0 * S]), np.array([0.0, 900.0]), np.full(2, np.nan))
    stage = Stage("a", rate_rps=1.0, duration_s=2.0, warm_up_s=1.0)
    (made,) = result(
        [stage],
        StageChange(S, 0, "begin", "a"),
        answered(0, 1.9, tokens=51),
        answered(1, 2.4, tokens=51),
        Tick(2 * S, S, 0, output_tokens=1),
        Tick(3 * S, S, 0, output_tokens=100),
        StageChange(3 * S, 0, "load_over"),
        StageChange(3 * S, 0, "over"),
        curves=[watts],
    ).stages
    assert made.mean_w == pytest.approx(100.0)
    assert made.joules_per_output_token == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("stop", "succeeded", "sought"),
    [
        ("failed", (True, True, False), 1),
        ("failed", (False,), 0),  # the first of all: nothing was answered
        ("failed", (True, False, False), 1),
        (None, (True, False), 0),
    ],
)
def test_only_the_failure_that_ends_a_list_behind_a_success_is_what_the_plan_was_after(
    stop: Any, succeeded: tuple[bool, ...], sought: int
) -> None:
    stages = [Stage(str(n), concurrency=1, requests=1, stop=stop) for n in range(len(succeeded))]
    events: list[Any] = []
    for n, good in enumerate(succeeded):
        error = None if good else RequestError("http_400")
        events += [StageChange((10 * n + 1) * S, n, "begin"), answered(n, 10 * n + 1.5, error=error)]
        events += [StageChange((10 * n + 3) * S, n, "over")]
    assert failures_sought(stages, result(stages, *events).stages) == sought


@pytest.mark.parametrize(("succeeded", "sought"), [(3, 1), (0, 0)])
def test_the_success_before_the_failure_that_was_sought_may_be_of_the_session_that_is_gone_on_with(
    succeeded: int, sought: int
) -> None:
    stages = [Stage(str(n), concurrency=1, requests=1, stop="failed") for n in range(2)]
    failed = answered(0, 1.5, error=RequestError("http_400"))
    made = result(stages, StageChange(S, 1, "begin"), failed, StageChange(3 * S, 1, "over"))
    before = [StageBefore(0, requests=3, succeeded=succeeded)]
    assert failures_sought(stages, made.stages, before) == sought


def test_a_stage_that_the_next_one_follows_at_once_has_no_gaps_of_that() -> None:
    def gaps(t_s: int, ms: int) -> Tick:
        sketch = [bucket(ms * MS), 100]
        return Tick(t_s * S, S, 0, rate_rps=2.0, itl=sketch, chunk_gap=sketch)

    stages = [Stage("a", rate_rps=2.0, duration_s=2.0, drain=False), Stage("b", rate_rps=2.0, duration_s=2.0)]
    a, b = result(
        stages,
        StageChange(S, 0, "begin", "a"),
        *(gaps(t_s, 10) for t_s in (2, 3)),
        answered(0, 1.5),
        answered(1, 2.9, ttft_ms=1500),  # ends in the next stage
        StageChange(3 * S, 0, "load_over"),
        StageChange(3 * S, 0, "over"),
        StageChange(3 * S, 1, "begin", "b"),
        *(gaps(t_s, 400) for t_s in (4, 5)),
        answered(2, 4.0),
        StageChange(5 * S, 1, "load_over"),
        StageChange(5 * S, 1, "over"),
    ).stages
    assert a.itl_p99_ms == pytest.approx(10.0, rel=0.02)
    assert b.itl_p50_ms == pytest.approx(400.0, rel=0.02)
