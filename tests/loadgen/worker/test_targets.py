"""Several servers under one load: shares, conversations, one that dies, and what is told of each."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from loadgen.arrivals.load import ClosedLoad, ConversationLoad, OpenLoad
from loadgen.arrivals.rate_curve import steady
from loadgen.records import Request
from loadgen.worker_config import Address, Finish, LoadTarget, WorkerConfig
from loadgen.workload.lengths import Fixed
from loadgen.workload.spec import ConversationWorkload, PromptSpec
from loadgen.workload.template import TargetHead
from tests.loadgen.raw_server import RawServer, Step, good
from tests.loadgen.worker.engine_runs import Emitted, free_port, run_engine, worker_config


def targets_config(
    ports: Sequence[int], weights: Sequence[int] = (), load: Any = None, **changes: Any
) -> WorkerConfig:
    """A config for servers on `ports`: request `n` of target `t` names the path `/t/v1/completions`."""
    config = worker_config(ports[0], load or OpenLoad("constant", [steady(0, 400.0)]), **changes)
    return msgspec.structs.replace(
        config,
        targets=tuple(
            LoadTarget(
                f"http://127.0.0.1:{port}",
                Address("127.0.0.1", port),
                {"completions": TargetHead(f"/{number}/v1/completions", [("host", f"t{number}")])},
                weight,
            )
            for number, (port, weight) in enumerate(zip(ports, weights or [1] * len(ports), strict=True))
        ),
    )


def answer(number: int, body: bytes) -> Sequence[Step]:
    return good()


def by_target(emitted: Emitted, name: str) -> list[int]:
    """Summed up over all ticks."""
    sums: Counter[int] = Counter()
    for tick in emitted.ticks:
        for one in tick.targets:
            sums[one.target] += getattr(one, name)
    return [sums[number] for number in sorted(sums)]


def test_each_target_gets_exactly_its_weight_of_the_requests_with_its_own_path_and_host() -> None:
    async def body() -> tuple[Emitted, list[RawServer]]:
        async with RawServer(answer) as a, RawServer(answer) as b, RawServer(answer) as c:
            config = targets_config([a.port, b.port, c.port], [3, 1, 2], requests=60)
            return await run_engine(config), [a, b, c]

    emitted, servers = asyncio.run(body())
    assert [len(server.bodies) for server in servers] == [30, 10, 20]
    for number, server in enumerate(servers):
        heads = b"".join(server.heads)
        assert set(re.findall(rb"POST (\S+) HTTP", heads)) == {b"/%d/v1/completions" % number}
        assert set(re.findall(rb"host: (\S+)", heads)) == {b"t%d" % number}
    assert Counter(record.target for record in emitted.requests) == {0: 30, 1: 10, 2: 20}
    assert by_target(emitted, "due") == by_target(emitted, "succeeded") == [30, 10, 20]
    assert emitted.total("due") == emitted.total("sent") == emitted.total("succeeded") == 60
    assert by_target(emitted, "output_tokens") == [90, 30, 60]


def test_what_targets_had_adds_up_to_what_the_tick_says() -> None:
    async def body() -> Emitted:
        async with RawServer(answer) as a, RawServer(answer) as b:
            return await run_engine(targets_config([a.port, b.port], requests=40))

    emitted = asyncio.run(body())
    for name in ("ttft_from_due", "itl", "e2e"):
        for tick in emitted.ticks:
            of_all: Counter[int] = Counter()
            for one in tick.targets:
                flat = getattr(one, name)
                of_all.update(dict(zip(flat[::2], flat[1::2], strict=True)))
            flat = getattr(tick, name)
            assert of_all == dict(zip(flat[::2], flat[1::2], strict=True))
    assert sum(len(tick.targets[0].ttft_from_due) for tick in emitted.ticks) > 0
    assert all(not one.chunk_gap for tick in emitted.ticks for one in tick.targets if one.itl)


def test_workers_together_share_as_one_does() -> None:
    async def body(workers: int) -> list[Request]:
        async with RawServer(answer) as a, RawServer(answer) as b:
            config = targets_config([a.port, b.port], [2, 1], requests=30)
            own = [msgspec.structs.replace(config, worker=n, workers=workers) for n in range(workers)]
            done = await asyncio.gather(*map(run_engine, own))
            return [record for emitted in done for record in emitted.requests]

    one, three = (asyncio.run(body(workers)) for workers in (1, 3))
    assert {r.index: r.target for r in one} == {r.index: r.target for r in three}
    assert Counter(r.target for r in three) == {0: 20, 1: 10}


def test_all_turns_of_a_conversation_go_to_one_target() -> None:
    turns = Fixed(3)

    async def body() -> Emitted:
        async with RawServer(answer) as a, RawServer(answer) as b:
            load = ConversationLoad(ClosedLoad(4), turns)
            prompt = PromptSpec("text", 4, words=["one", "two", "three"])
            workload = ConversationWorkload(prompt, Fixed(4), Fixed(3), turns, 0, chat=False)
            return await run_engine(
                targets_config([a.port, b.port], load=load, workload=workload, requests=36)
            )

    emitted = asyncio.run(body())
    assert emitted.errors() == {}
    of: dict[int | None, set[int | None]] = {}
    for record in emitted.requests:
        of.setdefault(record.conversation, set()).add(record.target)
    assert all(len(targets) == 1 for targets in of.values())
    assert {target for targets in of.values() for target in targets} == {0, 1}


def test_a_target_that_is_dead_costs_its_own_share_and_no_other() -> None:
    async def body() -> tuple[Emitted, int]:
        async with RawServer(answer) as live:
            config = targets_config([free_port(), live.port], requests=100)
            return await run_engine(config), len(live.bodies)

    emitted, served = asyncio.run(body())
    assert served == 50
    assert by_target(emitted, "succeeded") == [0, 50]
    dead = [record for record in emitted.requests if record.error is not None]
    assert {record.target for record in dead} == {0}
    assert {record.error.kind for record in dead if record.error} == {"connect_refused"}
    assert by_target(emitted, "failed")[0] == len(dead) > 0
    assert by_target(emitted, "failed")[0] + by_target(emitted, "not_sent")[0] == 50
    notes = [note for note in emitted.notes if note.event == "backing_off"]
    assert [(note.target, note.message.split(": ")[1]) for note in notes] == [(0, "Connection refused")]
    assert notes[0].message.startswith("http://127.0.0.1:")


def test_slots_of_a_closed_loop_go_on_with_the_targets_that_live() -> None:
    async def body() -> Emitted:
        async with RawServer(answer) as live:
            config = targets_config([live.port, free_port()], load=ClosedLoad(2), requests=20)
            return await run_engine(config)

    emitted = asyncio.run(asyncio.wait_for(body(), 30))
    assert by_target(emitted, "succeeded") == [10, 0]
    assert by_target(emitted, "due") == [10, 10]


def test_one_that_dies_and_comes_back_is_told_and_loaded_again() -> None:
    async def body() -> Emitted:
        async with RawServer(answer) as a, RawServer(answer) as b:

            async def during(engine: Any, emitted: Emitted) -> None:
                while len(b.bodies) < 5:
                    await asyncio.sleep(0)
                await b.__aexit__()
                while "backing_off" not in [note.event for note in emitted.notes]:
                    await asyncio.sleep(0)
                async with RawServer(answer, b.port) as again:
                    while len(again.bodies) < 5:
                        await asyncio.sleep(0.01)
                    engine.command(Finish(1.0))
                    await asyncio.wait_for(engine.ended.wait(), 20)

            return await run_engine(targets_config([a.port, b.port]), during)

    emitted = asyncio.run(asyncio.wait_for(body(), 30))
    told = [
        (note.event, note.target)
        for note in emitted.notes
        if note.target is not None and note.event != "no_reuse"  # of the one that closes
    ]
    # On a busy machine the new one may be refused once more before it listens.
    assert told == [("backing_off", 1), ("reachable_again", 1)] * (len(told) // 2)
    assert told
    assert {record.target for record in emitted.requests if record.error is not None} <= {1}


def test_with_one_target_nothing_tells_that_there_could_be_more() -> None:
    async def body() -> Emitted:
        async with RawServer(answer) as server:
            return await run_engine(worker_config(server.port, requests=3))

    emitted = asyncio.run(body())
    written = b"".join(msgspec.json.encode(r) for r in (*emitted.ticks, *emitted.requests, *emitted.notes))
    assert b"target" not in written


def test_what_is_told_a_worker_survives_the_wire_and_shows_no_key() -> None:
    config = targets_config([1, 2], [3, 1])
    head = TargetHead("/v1/completions", [("authorization", "Bearer sk-CANARY")])
    target = LoadTarget("http://b", Address("b", 80, sources=("127.0.0.2",)), {"chat": head}, 2)
    config = msgspec.structs.replace(config, targets=(*config.targets, target))
    assert msgspec.json.decode(msgspec.json.encode(config), type=WorkerConfig) == config
    assert "CANARY" not in repr(config)
    assert b"targets" not in msgspec.json.encode(worker_config(1))
