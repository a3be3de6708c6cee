"""A plan as it runs: when each stage begins, who is told of its end, and what a person's keys do to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from loadgen.clock import MonotonicClock, monotonic_ns
from sessions.plan.config import PlanConfig
from sessions.plan.stages import Stage
from sessions.run.plan_runner import PlanRunner
from sessions.store.records import StageChange


class Loads:
    """Stands for the workers: a stage is over when `finish` says so, or at once."""

    def __init__(self, *, at_once: bool = True) -> None:
        self.said: list[tuple[int, str]] = []
        self.changes: list[StageChange] = []
        self.at_once = at_once
        self.plan: PlanRunner
        self.clock = MonotonicClock(monotonic_ns())

    def begin(self, number: int, of: int, stage: Stage) -> int:
        if self.at_once:
            asyncio.get_running_loop().call_soon(self.plan.on_idle, number)
        return self.clock.now_ns()

    def end(self) -> None:
        pass

    def record(self, change: StageChange) -> None:
        self.said.append((change.number, change.event))
        self.changes.append(change)


def run(plan: PlanConfig, during: Callable[[Loads], Awaitable[None]] | None = None) -> Loads:
    async def body() -> Loads:
        loads = Loads(at_once=during is None)
        loads.plan = PlanRunner(plan, loads, loads.clock)  # type: ignore[arg-type]
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
