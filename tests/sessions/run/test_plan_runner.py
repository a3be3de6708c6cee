"""A plan as it runs: when each stage begins, who is told of its end, and what a person's keys do to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from loadgen.clock import MonotonicClock, monotonic_ns
from sessions.plan.config import PlanConfig
from sessions.plan.plan_file import PlanFile
from sessions.plan.stages import Stage, StageBefore
from sessions.run.plan_runner import PlanRunner
from sessions.run.run_load import tell_over
from sessions.store.records import StageChange


class Loads:
    """Stands for the workers: a stage is over when `finish` says so, or at once."""

    def __init__(self, *, at_once: bool = True) -> None:
        self.said: list[tuple[int, str]] = []
        self.changes: list[StageChange] = []
        self.at_once = at_once
        self.plan: PlanRunner
        self.begun: list[Stage] = []
        self.came_to: dict[int, Any] = {}
        """What stages that are over came to, by their numbers."""
        self.clock = MonotonicClock(monotonic_ns())

    def begin(self, number: int, of: int, stage: Stage) -> int:
        self.begun.append(stage)
        if self.at_once:
            asyncio.get_running_loop().call_soon(self.plan.on_idle, number)
        return self.clock.now_ns()

    def end(self) -> None:
        pass

    async def figures(self, number: int) -> Any:
        return self.came_to.get(number)

    def record(self, change: StageChange) -> None:
        self.said.append((change.number, change.event))
        self.changes.append(change)


def run(
    plan: PlanConfig,
    during: Callable[[Loads], Awaitable[None]] | None = None,
    came_to: dict[int, Any] | None = None,
    **limits: float,
) -> Loads:
    async def body() -> Loads:
        loads = Loads(at_once=during is None)
        loads.came_to = came_to or {}
        loads.plan = PlanRunner(plan, loads, loads.clock, **limits)  # type: ignore[arg-type]
        running = asyncio.ensure_future(loads.plan.run())
        if during is not None:
            await during(loads)
        await asyncio.wait_for(running, 10)
        return loads

    return asyncio.run(body())


def stages(*names: str, **more: object) -> PlanConfig:
    return PlanConfig("p", [Stage(name, concurrency=1, requests=1, **more) for name in names])  # type: ignore[arg-type]


async def until(loads: Loads, what: tuple[int, str]) -> None:
    while what not in loads.said:
        await asyncio.sleep(0.001)


def test_stages_follow_each_other_and_each_says_when_its_load_and_when_all_is_over() -> None:
    loads = run(stages("a", "b"))
    assert loads.said == [(n, event) for n in (0, 1) for event in ("begin", "load_over", "over")]
    assert [change.name for change in loads.changes if change.event == "begin"] == ["a", "b"]


def test_a_plan_begins_at_the_stage_that_it_goes_on_with() -> None:
    plan = PlanConfig("p", stages("a", "b", "c").stages, first_stage=2)
    assert run(plan).said[0] == (2, "begin")


def test_a_pause_is_kept_after_a_stage_and_not_after_the_last() -> None:
    loads = run(stages("a", "b", pause_s=0.2))
    times = {(change.number, change.event): change.t_ns for change in loads.changes}
    assert times[1, "begin"] - times[0, "over"] >= 200_000_000


def test_answers_are_awaited_before_the_next_stage_unless_it_says_otherwise() -> None:
    async def during(loads: Loads) -> None:
        await until(loads, (0, "load_over"))
        await asyncio.sleep(0.02)
        assert (0, "over") not in loads.said
        loads.plan.on_idle(0)
        await until(loads, (1, "over"))

    timed = [
        Stage("a", rate_rps=1.0, duration_s=0.05),
        Stage("b", rate_rps=1.0, duration_s=0.05, drain=False),
    ]
    loads = run(PlanConfig("p", timed), during)
    times = {(change.number, change.event): change.t_ns for change in loads.changes}
    assert times[0, "load_over"] - times[0, "begin"] >= 50_000_000
    assert loads.said[-1] == (1, "over")


def test_answers_of_the_last_stage_are_awaited_as_long_as_those_of_a_run() -> None:
    async def during(loads: Loads) -> None:
        await until(loads, (0, "load_over"))
        await asyncio.sleep(0.03)
        assert loads.said[-1] == (0, "load_over")  # the next stage waits for all of them
        loads.plan.on_idle(0)
        await until(loads, (1, "over"))

    timed = [Stage(name, rate_rps=1.0, duration_s=0.01) for name in "ab"]
    loads = run(PlanConfig("p", timed), during, drain_s=0.02)
    times = {(change.number, change.event): change.t_ns for change in loads.changes}
    assert times[1, "over"] - times[1, "load_over"] >= 20_000_000


def test_a_person_takes_the_keys_and_gives_them_back_at_the_beginning_of_the_stage() -> None:
    async def during(loads: Loads) -> None:
        await until(loads, (0, "begin"))
        loads.plan.leave()
        loads.plan.leave()
        await until(loads, (0, "left"))
        loads.plan.on_idle(0)  # the last words of a stage that was left
        await asyncio.sleep(0.02)
        assert loads.said == [(0, "begin"), (0, "left")]
        loads.at_once = True
        loads.plan.go_on()

    loads = run(stages("a", "b"), during)
    assert loads.said[:3] == [(0, "begin"), (0, "left"), (0, "begin")]
    assert loads.said[-1] == (1, "over")


def test_who_takes_the_keys_and_gives_them_back_at_once_has_the_stage_begin_anew() -> None:
    async def during(loads: Loads) -> None:
        await until(loads, (0, "begin"))
        loads.plan.leave()
        loads.plan.go_on()
        while loads.said.count((0, "begin")) < 2:
            await asyncio.sleep(0.001)
        loads.plan.on_idle(0)
        await until(loads, (0, "over"))

    loads = run(stages("a"), during)
    assert loads.said == [(0, event) for event in ("begin", "left", "begin", "load_over", "over")]


def test_a_stage_that_was_over_when_it_was_left_is_not_over_when_it_begins_anew() -> None:
    async def during(loads: Loads) -> None:
        await until(loads, (0, "begin"))
        loads.plan.on_idle(0)
        loads.plan.leave()
        loads.plan.go_on()
        while loads.said.count((0, "begin")) < 2:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        assert loads.said[-1] == (0, "begin")
        loads.plan.on_idle(0)

    assert run(stages("a"), during).said[-1] == (0, "over")


def test_the_keys_taken_in_a_pause_are_taken_from_the_next_stage_not_from_the_one_that_is_over() -> None:
    async def during(loads: Loads) -> None:
        await until(loads, (0, "begin"))
        loads.plan.on_idle(0)
        await until(loads, (0, "over"))
        loads.plan.leave()
        await asyncio.sleep(0.02)
        loads.at_once = True
        loads.plan.go_on()

    loads = run(stages("a", "b", pause_s=60.0), during)
    assert loads.said[2:5] == [(0, "over"), (1, "left"), (1, "begin")]


def test_a_pause_ends_when_a_person_says_that_the_plan_goes_on() -> None:
    async def during(loads: Loads) -> None:
        await until(loads, (0, "begin"))
        loads.at_once = True
        loads.plan.on_idle(0)
        while not loads.plan.pausing:
            await asyncio.sleep(0.001)
        loads.plan.go_on()

    assert run(stages("a", "b", pause_s=3600.0), during).said[2:4] == [(0, "over"), (1, "begin")]


def test_a_stage_does_not_begin_over_a_person_who_took_the_keys_while_its_rate_was_worked_out() -> None:
    async def during(loads: Loads) -> None:
        async def slow_figures(number: int) -> Any:
            loads.plan.leave()
            return None

        loads.figures = slow_figures  # type: ignore[method-assign]
        loads.at_once = True
        loads.plan.on_idle(0)
        await until(loads, (1, "left"))
        await asyncio.sleep(0.02)
        assert (1, "begin") not in loads.said
        del loads.figures  # type: ignore[method-assign]
        loads.plan.go_on()

    asked = [
        Stage("a", concurrency=1, requests=1),
        Stage("b", duration_s=0.001, between=(0, 0), share=0.5),
    ]
    assert run(PlanConfig("p", asked), during).said[-1] == (1, "over")


def test_a_rate_between_two_stages_lies_between_what_they_answered() -> None:
    found = PlanFile(
        "p",
        """name = "p"
        [[stages]]
        name = "one"
        concurrency = 1
        requests = 1
        [[stages]]
        name = "all"
        concurrency = 9
        requests = 9
        [[stages]]
        between = ["one", "all"]
        steps = 3
        duration = "1ms"
        """,
    )
    came_to = {0: SimpleNamespace(request_rps=2.0), 1: SimpleNamespace(request_rps=10.0)}
    loads = run(PlanConfig("p", found.stages()), came_to=came_to)
    assert [stage.rate_rps for stage in loads.begun] == [None, None, 4.0, 6.0, 8.0]
    assert [stage.name for stage in loads.begun][2:] == ["sweep 1/3", "sweep 2/3", "sweep 3/3"]


def came(tps: float, succeeded: int = 1) -> Any:
    return SimpleNamespace(output_tps_sending=tps, requests=1, succeeded=succeeded)


def test_the_rest_of_a_table_is_left_out_once_the_throughput_is_flat() -> None:
    asked = [Stage(str(n), concurrency=n, requests=n, stop="flat") for n in (1, 2, 4, 8, 16)]
    plan = PlanConfig("p", [*asked, Stage("other", concurrency=1, requests=1, table=1)])
    loads = run(plan, came_to={0: came(100), 1: came(190), 2: came(198), 5: came(9)})
    assert [stage.name for stage in loads.begun] == ["1", "2", "4", "other"]
    assert [(n, e) for n, e in loads.said if e == "left_out"] == [(3, "left_out"), (4, "left_out")]


def gone_on(stages: list[Stage], first: int, *before: StageBefore) -> PlanConfig:
    return PlanConfig("p", stages, first_stage=first, before=list(before))


def test_a_plan_that_goes_on_in_another_session_leaves_out_what_it_would_have_left_out_in_the_first() -> None:
    asked = [Stage(str(n), concurrency=n, requests=n, stop="flat") for n in (1, 2, 4, 8)]
    flat = gone_on(
        asked, 2, StageBefore(0, output_tps_sending=190.0), StageBefore(1, output_tps_sending=198.0)
    )
    assert run(flat).begun == []
    grows = gone_on(
        asked, 2, StageBefore(0, output_tps_sending=100.0), StageBefore(1, output_tps_sending=190.0)
    )
    loads = run(grows, came_to={2: came(195)})
    assert [stage.name for stage in loads.begun] == ["4"], "the first of this session beside the last of that"
    failed = [Stage(str(n), concurrency=1, requests=1, stop="failed") for n in range(3)]
    assert run(gone_on(failed, 1, StageBefore(0, requests=3))).begun == []
    assert (
        len(run(gone_on(failed, 1, StageBefore(0, requests=3, succeeded=1)), came_to={1: came(1)}).begun) == 2
    )
    assert run(gone_on(failed, 2, StageBefore(1, left_out=True))).begun == []


def test_a_rate_between_a_stage_of_the_first_session_and_one_of_this_is_found() -> None:
    asked = [
        Stage("one", concurrency=1, requests=1),
        Stage("all", concurrency=9, requests=9),
        Stage("a", duration_s=0.001, between=(0, 1), share=0.5),
    ]
    plan = gone_on(asked, 1, StageBefore(0, request_rps=2.0))
    loads = run(plan, came_to={1: SimpleNamespace(request_rps=10.0)})
    assert [stage.rate_rps for stage in loads.begun] == [None, 6.0]


def test_the_rest_of_a_table_is_left_out_once_a_stage_had_no_success() -> None:
    plan = PlanConfig("p", [Stage(str(n), concurrency=1, requests=1, stop="failed") for n in range(4)])
    loads = run(plan, came_to={0: came(1), 1: came(1), 2: came(0, succeeded=0)})
    assert [stage.name for stage in loads.begun] == ["0", "1", "2"]


def test_a_plan_that_an_error_ends_is_not_told_as_one_that_is_over(caplog: Any) -> None:
    told: list[BaseException | None] = []

    async def body() -> None:
        ended = asyncio.get_running_loop().create_future()
        ended.add_done_callback(lambda task: tell_over(task, told.append))
        ended.set_exception(OSError("no such session"))
        called_off = asyncio.get_running_loop().create_future()
        called_off.add_done_callback(lambda task: tell_over(task, told.append))
        called_off.cancel()
        await asyncio.sleep(0)

    asyncio.run(body())
    assert [str(error) for error in told] == ["no such session"]
    assert "OSError: no such session" in caplog.text  # a bug keeps its traceback


def test_only_a_stage_of_the_same_table_that_sent_something_leaves_the_rest_out() -> None:
    failed = [Stage(str(n), concurrency=1, requests=1, stop="failed", table=n // 2) for n in range(4)]
    loads = run(PlanConfig("p", failed), came_to={n: came(0, succeeded=0) for n in range(4)})
    assert [stage.name for stage in loads.begun] == ["0", "2"]
    nothing_sent = SimpleNamespace(output_tps_sending=0, requests=0, succeeded=0)
    loads = run(PlanConfig("p", failed), came_to=dict.fromkeys(range(4), nothing_sent))
    assert [stage.name for stage in loads.begun] == ["0", "1", "2", "3"]
    flat = [Stage(str(n), concurrency=1, requests=1, stop="flat", table=int(n > 0)) for n in range(3)]
    loads = run(PlanConfig("p", flat), came_to={0: came(100), 1: came(100), 2: came(100)})
    assert [stage.name for stage in loads.begun] == ["0", "1", "2"]


def test_a_rate_that_is_found_on_the_way_is_not_above_the_highest_allowed() -> None:
    asked = [
        Stage("a", concurrency=1, requests=1),
        Stage("b", duration_s=0.001, between=(0, 0), share=0.5),
    ]
    loads = run(PlanConfig("p", asked), came_to={0: SimpleNamespace(request_rps=10.0)}, most_rps=7.5)
    assert [stage.rate_rps for stage in loads.begun] == [None, 7.5]


def test_the_keys_taken_behind_the_last_stage_leave_nothing() -> None:
    loads = run(stages("a"))
    loads.plan.leave()
    assert not loads.plan.left
    assert loads.said[-1] == (0, "over")
