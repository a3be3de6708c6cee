"""A search as it runs: steps are stages, a person's keys leave it, and what each came to stands in the session."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadgen.clock import MonotonicClock, monotonic_ns
from loadgen.records import TICK_NS, Request, Tick
from sessions.limit.search import Ask, Result, answer
from sessions.limit.step import Step
from sessions.plan.config import ConfigError, LimitConfig, PlanConfig
from sessions.plan.slo import parse_slo
from sessions.plan.stages import Stage
from sessions.run.limit_runner import LimitRunner
from sessions.run.resume import resumed
from sessions.run.step_requests import Seen, StepRequests
from sessions.store.journal import (
    SUPERVISOR_FILE,
    JournalWriter,
    RequestJournalWriter,
    request_file,
    worker_file,
)
from sessions.store.manifest import Manifest, write
from sessions.store.records import StageChange
from sessions.summary.limit import limit_found
from sessions.timeline.timeline import Timeline
from tests.sessions.summary.summing import manifest

ASK = Ask(parse_slo("ttft.p50<500ms"), closed=True, most=8.0)
LIMIT = 3


class Server:
    """Stands for the workers and the session's files: holds the target up to `LIMIT` at a time."""

    def __init__(self) -> None:
        self.begun: list[Stage] = []
        self.of: list[int | None] = []
        self.changes: list[StageChange] = []
        self.cuts = 0
        self.stuck_on: int | None = None
        self.runner: LimitRunner

    def begin(self, number: int, of: int | None, stage: Stage) -> int:
        self.of.append(of)
        self.begun.append(stage)
        if len(self.begun) - 1 != self.stuck_on:
            asyncio.get_running_loop().call_soon(self.runner.on_idle, number)
        return 0

    def end(self) -> None:
        pass

    def cut(self, number: int, stage: Stage) -> None:
        self.cuts += 1
        self.runner.on_idle(number)

    def record(self, change: StageChange) -> None:
        self.changes.append(change)

    def look(self, begin_ns: int, warm_up: int, over_ns: int | None = None) -> Seen:
        missed = float((self.begun[-1].concurrency or 0) > LIMIT)
        return Seen(100, 0, 0.1, 100, [[missed] * 100], over_ns is not None)

    def close(self) -> None:
        pass


def searching(server: Server, limit: LimitConfig | None = None) -> LimitRunner:
    plan, clock = PlanConfig("limit", []), MonotonicClock(monotonic_ns())
    server.runner = LimitRunner(ASK, limit or LimitConfig(closed=True), plan, server, server, clock)  # type: ignore[arg-type]
    return server.runner


def searched() -> Manifest:
    """Of a session that searches for what `ASK` asks."""
    made = manifest()
    config = msgspec.structs.replace(
        made.config,
        slo=["ttft.p50<500ms"],
        plan=PlanConfig("limit", []),
        limit=LimitConfig(closed=True, most=8.0),
    )
    return msgspec.structs.replace(made, config=config)


def results_of(server: Server) -> list[Result]:
    return [msgspec.json.decode(change.result, type=Result) for change in server.changes if change.result]


def test_each_step_is_a_stage_and_what_it_came_to_stands_in_the_session() -> None:
    server = Server()
    asyncio.run(asyncio.wait_for(searching(server).run(), 20))
    assert [stage.concurrency for stage in server.begun] == [1, 1, 2, 4, 3, 3, 1]
    # Of a p50 50 requests count, then as many again, or four times as many; 30 before them warm up.
    assert [stage.warm_up_requests for stage in server.begun] == [0, *[30] * 5, 0]
    assert [stage.requests for stage in server.begun] == [12, 80, 80, 80, 130, 230, 12]
    begun = [change for change in server.changes if change.event == "begin"]
    assert [msgspec.json.decode(change.stage, type=Stage) for change in begun] == server.begun
    assert [change.number for change in begun] == list(range(7))
    assert server.of == [None] * 7, "nobody knows how many there will be"
    found = answer(ASK, results_of(server))
    assert (found.passed, found.failed, found.certified) == (3.0, 4.0, True)
    names = [stage.name for stage in server.begun]
    assert (names[0], *names[-2:]) == (
        "one at a time",
        "3 at once again (between 3 and 4)",
        "one at a time again (between 3 and 4)",
    )


@pytest.mark.parametrize("killed_after", [0, 1, 3, 6])
def test_a_search_that_was_killed_goes_on_from_its_bracket_and_finds_the_same(
    tmp_path: Path, killed_after: int
) -> None:
    server = Server()
    asyncio.run(asyncio.wait_for(searching(server).run(), 20))
    first_steps = [change for change in server.changes if change.number < killed_after]
    cut_short = [change for change in server.changes if change.number == killed_after][:1]
    write(tmp_path, searched())
    journal = JournalWriter(tmp_path / SUPERVISOR_FILE)
    journal.append([*first_steps, *cut_short])
    journal.close()
    config = resumed(tmp_path)
    assert config.limit is not None
    assert config.plan is not None
    assert config.plan.resumes
    assert len(config.limit.before) == killed_after
    again = Server()
    asyncio.run(asyncio.wait_for(searching(again, config.limit).run(), 20))
    assert len(again.begun) == 7 - killed_after
    timeline = Timeline()
    for change in again.changes:
        timeline.apply(change)
    found = limit_found(timeline, config, [], 0)
    assert (found.passed, found.failed, found.certified, found.over) == (3.0, 4.0, True, True)
    assert [step.load for step in found.steps] == [1.0, 1.0, 2.0, 4.0, 3.0, 3.0, 1.0]


def test_a_search_that_is_over_is_not_gone_on_with(tmp_path: Path) -> None:
    server = Server()
    asyncio.run(asyncio.wait_for(searching(server).run(), 20))
    write(tmp_path, searched())
    journal = JournalWriter(tmp_path / SUPERVISOR_FILE)
    journal.append(server.changes)
    journal.close()
    with pytest.raises(ConfigError, match=r"the search of session .* is over"):
        resumed(tmp_path)


def test_a_queue_that_grows_ends_a_step_only_when_some_of_the_requests_that_count_were_sent() -> None:
    async def body() -> tuple[Server, list[int]]:
        server, sent = Server(), [0]
        plan, clock = PlanConfig("limit", []), MonotonicClock(monotonic_ns())
        ask = Ask(parse_slo("ttft.p90<500ms, errors<1%"), closed=False, most=100.0)

        def look(begin_ns: int, warm_up: int, over_ns: int | None = None) -> Seen:
            if over_ns is None:
                sent.append([226, 400][min(len(sent) - 1, 1)])
            counted = max(sent[-1] - warm_up, 0)
            values = [[1.0] * counted, [0.0] * counted] if over_ns is not None else [[], []]
            return Seen(sent[-1], 200, 0.1, 100, values, over_ns is not None)

        server.look, server.stuck_on = look, 1  # type: ignore[method-assign]
        server.runner = LimitRunner(ask, LimitConfig(), plan, server, server, clock)  # type: ignore[arg-type]
        running = asyncio.ensure_future(server.runner.run())
        while not any(change.event == "over" and change.number == 1 for change in server.changes):
            await asyncio.sleep(0.01)
        running.cancel()
        return server, sent

    server, sent = asyncio.run(asyncio.wait_for(body(), 20))
    first = results_of(server)[1]
    assert first.step.warm_up == 250
    assert sent[-1] == 400
    assert (first.verdict, first.overloaded, first.of) == ("fail", True, 150)


def test_a_step_that_is_decided_before_its_last_request_is_cut_there() -> None:
    server = Server()
    server.stuck_on = 2  # more requests could come
    asyncio.run(asyncio.wait_for(searching(server).run(), 20))
    assert server.cuts == 1
    assert len(server.begun) == 7


def test_a_person_takes_the_keys_and_the_step_begins_anew_when_they_are_given_back() -> None:
    async def body() -> Server:
        server = Server()
        server.stuck_on = 1
        server.look = lambda *_: Seen(1, 1, 0.1, 0, [[]], True)  # type: ignore[method-assign]
        runner = searching(server)
        running = asyncio.ensure_future(runner.run())
        while len(server.begun) < 2:
            await asyncio.sleep(0.001)
        runner.leave()
        await asyncio.sleep(0.01)
        assert len(server.begun) == 2
        del server.look
        runner.go_on()
        await asyncio.wait_for(running, 20)
        return server

    server = asyncio.run(body())
    assert [(c.number, c.event) for c in server.changes if c.event in ("left", "begin")][1:4] == [
        (1, "begin"),
        (1, "left"),
        (1, "begin"),
    ]
    assert answer(ASK, results_of(server)).passed == 3.0


def tick(n: int, **more: Any) -> Tick:
    return Tick(n * TICK_NS, TICK_NS, 0, **more)


def answered(index: int, due_ns: int, ttft_ns: int) -> Request:
    first = due_ns + ttft_ns
    return Request(
        *(index, 0, due_ns),
        sent_ns=due_ns,
        first_token_ns=first,
        last_token_ns=first,
        end_ns=first,
        output_tokens=1,
        chunks=1,
    )


def test_only_requests_up_to_the_first_that_is_under_way_are_judged(tmp_path: Any) -> None:
    """Else the quick ones would be judged first, and a slow server pass."""
    write(tmp_path, manifest())
    ticks, requests = (
        JournalWriter(tmp_path / worker_file(0)),
        RequestJournalWriter(tmp_path / request_file(0)),
    )
    for n in range(1, 5):
        ticks.append(tick(n, due=1, sent=1))
    for index in (0, 1, 3):  # the third is not answered yet
        requests.append(answered(index, index * TICK_NS + 1000, 600_000_000 if index else 1000))
    requests.close()
    ticks.close()
    step = StepRequests(tmp_path, parse_slo("ttft.p50<500ms"))
    seen = step.look(500, 0)
    assert (seen.sent, seen.in_flight, seen.ended) == (4, 1, 3)
    assert seen.values == [[0.0, 1.0]]
    assert step.look(500, 1).values == [[1.0]], "the first is its warm-up"
    assert not step.look(500, 0, 4 * TICK_NS).all_read
    step.close()


def test_single_requests_of_which_most_miss_end_the_search_and_fewer_do_not() -> None:
    for misses, steps in ((6, 7), (7, 1)):
        server = Server()
        usual = server.look

        def look(*asked: Any, server: Server = server, usual: Any = usual, misses: int = misses) -> Seen:
            single = len(server.begun) == 1
            return (
                Seen(12, 0, 0.1, 12, [[1.0] * misses + [0.0] * (12 - misses)], True)
                if single
                else usual(*asked)
            )

        server.look = look  # type: ignore[method-assign]
        asyncio.run(asyncio.wait_for(searching(server).run(), 20))
        assert len(server.begun) == steps, misses


def test_a_step_that_misses_far_too_often_is_over_before_its_first_look() -> None:
    runner = searching(Server())
    step = Step("narrow", 4.0, 30, (500, 1000))
    for misses, over in ((200, True), (100, False)):  # of 200: all, or as many as may
        values = [[1.0] * misses + [0.0] * (200 - misses)]
        assert runner._enough(step, Seen(230, 0, 0.1, 230, values, False)) is over


def of_rates(targets: str) -> LimitRunner:
    ask = Ask(parse_slo(targets), closed=False, most=100.0)
    clock, server = MonotonicClock(monotonic_ns()), Server()
    return LimitRunner(ask, LimitConfig(), PlanConfig("limit", []), server, server, clock)  # type: ignore[arg-type]


def test_a_look_judges_the_requests_up_to_it_and_not_one_more() -> None:
    runner, step = of_rates("ttft.p95<500ms"), Step("narrow", 4.0, 30, (500, 1000))
    some = ([1.0] + [0.0] * 24) * 20  # 20 of 500 decide nothing, 20 of 700 would pass
    assert not runner._enough(step, Seen(730, 0, 0.1, 730, [some + [0.0] * 200], False))
    assert runner._enough(step, Seen(1030, 0, 0.1, 1030, [some + [0.0] * 500], False))


def test_a_step_that_only_makes_a_queue_is_over_and_a_few_answers_say_nothing_of_that() -> None:
    runner, step = of_rates("ttft.p95<500ms"), Step("narrow", 4.0, 30, (500, 1000))
    for sent, in_flight, ended, over in (
        *((131, 60, 20, True), (131, 60, 19, False), (131, 40, 20, False)),  # 8 is what is held
        (130, 60, 20, False),  # of the warm-up, and 100 that count
    ):
        seen = Seen(sent, in_flight, 2.0, ended, [[0.0] * 20], False)
        assert runner._grows(step, seen) is over, (sent, in_flight, ended)


def test_of_a_step_that_is_over_each_target_has_its_own_misses_and_what_was_not_sent_misses_all(
    tmp_path: Any,
) -> None:
    write(tmp_path, manifest())
    ticks, requests = (
        JournalWriter(tmp_path / worker_file(0)),
        RequestJournalWriter(tmp_path / request_file(0)),
    )
    for n in range(1, 5):
        ticks.append(tick(n, due=1 + (n == 4), sent=1, not_sent=int(n == 4)))
    for index, ttft_ns in enumerate((900_000_000, 1000, 600_000_000, 2000)):  # the first is of another step
        requests.append(answered(index, index * TICK_NS + 1000, ttft_ns))
    requests.close()
    ticks.close()
    step = StepRequests(tmp_path, parse_slo("ttft.p50<500ms, e2e.p50<10s, errors<1%, e2e.mean<1s"))
    seen = step.look(TICK_NS, 0, 4 * TICK_NS)
    assert (seen.sent, seen.in_flight, seen.ended, seen.all_read) == (4, 0, 3, True)
    assert seen.values[:3] == [[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]]
    assert seen.values[3] == [0.001, 600.0, 0.002]
    step.close()
