"""Stages of a plan in one worker, over real sockets: each ends by itself, says so, and asks what it was told."""

from __future__ import annotations

import asyncio
import json

from loadgen.arrivals.load import ClosedLoad, Load, OpenLoad
from loadgen.arrivals.rate_curve import Curve, steady
from loadgen.arrivals.schedule import Schedule
from loadgen.worker.engine import Engine
from loadgen.worker_config import SetLoad, Stage
from loadgen.workload.lengths import Fixed
from loadgen.workload.spec import PromptSpec, SyntheticWorkload
from tests.loadgen.raw_server import RawServer, Script, good
from tests.loadgen.worker.engine_runs import Emitted, run_engine, worker_config

S = 1_000_000_000
MS = S // 1000


def asking(tokens: int, output: int) -> SyntheticWorkload:
    return SyntheticWorkload(PromptSpec(form="ids", tokens=tokens), Fixed(tokens), Fixed(output))


def run_stages(
    script: Script, *stages: tuple[Load, Stage], workers: int = 1, **more: object
) -> tuple[list[Emitted], list[list[int | None]]]:
    """Each stage begins 20 ms after all workers said that the one before is over; what they emitted and said."""

    async def body() -> tuple[list[Emitted], list[list[int | None]]]:
        async with RawServer(script) as server:
            said: list[list[int | None]] = [[] for _ in range(workers)]
            over = [asyncio.Event() for _ in stages]
            engines: list[Engine] = []

            async def during(engine: Engine, emitted: Emitted) -> None:
                engines.append(engine)
                mine = said[engines.index(engine)]

                def on_idle(stage: int | None) -> None:
                    mine.append(stage)
                    if all(len(words) == len(mine) for words in said):
                        over[len(mine) - 1].set()

                engine.on_idle = on_idle
                while len(engines) < workers:
                    await asyncio.sleep(0.001)
                for number, (load, stage) in enumerate(stages):
                    if engine is engines[0]:
                        at_ns = emitted_clock(engine) + 20 * MS
                        for each in engines:
                            each.command(SetLoad(at_ns, at(load, at_ns), stage=after(stage, at_ns)))
                    await asyncio.wait_for(over[number].wait(), 20)

            first = worker_config(server.port, ClosedLoad(0), workers=workers, **more)
            configs = [
                worker_config(
                    server.port, ClosedLoad(0), worker=n, workers=workers, origin_ns=first.origin_ns, **more
                )
                for n in range(workers)
            ]
            return list(await asyncio.gather(*(run_engine(config, during) for config in configs))), said

    return asyncio.run(body())


def emitted_clock(engine: Engine) -> int:
    return engine._clock.now_ns()


def at(load: Load, at_ns: int) -> Load:
    if isinstance(load, OpenLoad):
        return OpenLoad(load.arrivals, [steady(at_ns, load.curve[0].from_rps)])
    return load


def after(stage: Stage, at_ns: int) -> Stage:
    end_ns = None if stage.end_ns is None else at_ns + stage.end_ns
    return Stage(stage.number, stage.workload, end_ns, stage.requests)


def poisson(rate_rps: float) -> OpenLoad:
    return OpenLoad("poisson", [steady(0, rate_rps)])


def test_stages_of_other_kinds_lengths_and_ends_follow_each_other_and_each_says_when_it_is_over() -> None:
    asked: list[tuple[int, int]] = []

    def script(n: int, body: bytes) -> list[bytes | float]:
        said = json.loads(body)
        asked.append((len(said["prompt"]), said["max_tokens"]))
        return [0.01, *good()]

    (emitted,), (said,) = run_stages(
        script,
        (ClosedLoad(3), Stage(0, asking(4, 2), requests=10)),
        (poisson(100.0), Stage(1, asking(7, 5), end_ns=200 * MS)),
        (ClosedLoad(2), Stage(2, asking(9, 1), requests=5)),
    )
    assert said == [0, 1, 2]
    lengths = [
        (r.asked_input_tokens, r.asked_output_tokens) for r in sorted(emitted.requests, key=lambda r: r.index)
    ]
    middle = lengths.count((7, 5))
    assert lengths == [(4, 2)] * 10 + [(7, 5)] * middle + [(9, 1)] * 5
    assert sorted(asked) == sorted(lengths)
    assert 5 < middle < 45  # 20 are expected
    assert [r.index for r in sorted(emitted.requests, key=lambda r: r.due_ns)] == list(range(15 + middle))
    assert emitted.total("due") == emitted.total("sent") == 15 + middle


def test_two_workers_share_each_stage_exactly() -> None:
    each, said = run_stages(
        lambda n, body: [0.005, *good()],
        (ClosedLoad(3), Stage(0, asking(4, 2), requests=11)),
        (poisson(200.0), Stage(1, asking(4, 2), requests=21)),
        (ClosedLoad(1), Stage(2, asking(4, 2), requests=3)),
        workers=2,
    )
    assert said == [[0, 1, 2], [0, 1, 2]]
    requests = [r for emitted in each for r in emitted.requests]
    assert len(requests) == 35
    assert len({r.index for r in requests}) == 35
    assert sorted(len(emitted.requests) for emitted in each) == [14, 21]  # 7 + 11 + 3 and 4 + 10 + 0


def test_a_stage_has_arrivals_of_its_own_that_follow_from_the_seed() -> None:
    (emitted,), _ = run_stages(
        lambda n, body: good(),
        (poisson(100.0), Stage(0, asking(4, 2), end_ns=150 * MS)),
        (poisson(100.0), Stage(1, asking(4, 2), end_ns=150 * MS)),
        seed=4,
    )
    due = sorted(r.due_ns for r in emitted.requests)
    first, second = due_alone(4 + 1_000_003, 150 * MS), due_alone(4 + 2 * 1_000_003, 150 * MS)
    assert first != second
    assert [b - due[0] for b in due[: len(first)]] == [b - first[0] for b in first]
    assert len(due) == len(first) + len(second)


def due_alone(seed: int, end_ns: int) -> list[int]:
    schedule = Schedule("poisson", seed, Curve([steady(0, 100.0)]), end_ns=end_ns)
    due = []
    while (due_ns := schedule.due_ns) is not None:
        due.append(due_ns)
        schedule.advance()
    return due


def test_what_waits_for_room_when_a_stage_begins_asks_what_its_own_stage_said() -> None:
    async def body() -> Emitted:
        async with RawServer(lambda n, body: [0.1, *good()]) as server:

            async def during(engine: Engine, emitted: Emitted) -> None:
                load = OpenLoad("constant", [steady(20 * MS, 100.0)])
                engine.command(SetLoad(20 * MS, load, stage=Stage(0, asking(4, 2), requests=6)))
                engine.command(SetLoad(90 * MS, ClosedLoad(1), stage=Stage(1, asking(9, 1), requests=2)))
                await asyncio.wait_for(engine.idle.wait(), 20)

            return await run_engine(worker_config(server.port, ClosedLoad(0), max_in_flight=2), during)

    emitted = asyncio.run(body())
    assert sorted(r.asked_input_tokens or 0 for r in emitted.requests) == [4] * 6 + [9] * 2


def test_a_load_that_a_person_sets_in_a_stage_has_no_end_of_its_own() -> None:
    async def body() -> tuple[Emitted, list[int | None]]:
        async with RawServer(lambda n, body: good()) as server:
            said: list[int | None] = []

            async def during(engine: Engine, emitted: Emitted) -> None:
                engine.on_idle = said.append
                load = OpenLoad("constant", [steady(20 * MS, 50.0)])
                engine.command(SetLoad(20 * MS, load, stage=Stage(0, asking(4, 2), end_ns=200 * MS)))
                engine.command(SetLoad(100 * MS, OpenLoad("constant", [steady(100 * MS, 100.0)])))
                while len(emitted.requests) < 40:
                    await asyncio.sleep(0.01)

            return await run_engine(worker_config(server.port, ClosedLoad(0)), during), said

    emitted, said = asyncio.run(body())
    assert said == []
    assert max(r.due_ns for r in emitted.requests) > 200 * MS
