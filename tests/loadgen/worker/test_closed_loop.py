"""A closed loop over real sockets: slots are kept full, and no server that fails is hammered."""

from __future__ import annotations

import asyncio

from loadgen.arrivals.load import ClosedLoad
from loadgen.worker.engine import Engine
from loadgen.worker_config import SetLoad
from tests.loadgen.raw_server import (
    RawServer,
    good,
)
from tests.loadgen.worker.engine_runs import Emitted, free_port, run_engine, worker_config

S = 1_000_000_000


def test_a_closed_loop_backs_off_from_a_dead_server_too() -> None:
    async def during(engine: Engine, emitted: Emitted) -> None:
        await asyncio.sleep(1.0)

    emitted = asyncio.run(run_engine(worker_config(free_port(), ClosedLoad(8)), during))
    assert 1 <= emitted.total("failed") <= 40


def test_a_closed_loop_does_not_hammer_a_server_that_fails_at_once() -> None:
    async def body() -> Emitted:
        async with RawServer(lambda n, b: [b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"]) as server:

            async def during(engine: Engine, emitted: Emitted) -> None:
                await asyncio.sleep(1.0)

            return await run_engine(worker_config(server.port, ClosedLoad(4)), during)

    emitted = asyncio.run(body())
    assert 4 <= emitted.total("failed") <= 80


def test_all_slots_are_filled_once_a_dead_server_has_come_back() -> None:
    async def body() -> Emitted:
        port = free_port()

        async def during(engine: Engine, emitted: Emitted) -> None:
            while "backing_off" not in [note.event for note in emitted.notes]:
                await asyncio.sleep(0.01)
            async with RawServer(lambda n, b: [0.05, *good()], port):
                await asyncio.wait_for(engine.idle.wait(), 20)

        return await run_engine(worker_config(port, ClosedLoad(5), requests=60), during)

    emitted = asyncio.run(body())
    assert [note.event for note in emitted.notes].count("reachable_again") == 1
    assert emitted.total("succeeded") > 30
    assert max(tick.in_flight for tick in emitted.ticks) == 5


def test_concurrency_follows_a_live_change_up_and_down() -> None:
    async def body() -> Emitted:
        async with RawServer(lambda n, b: [0.02, *good()]) as server:

            async def during(engine: Engine, emitted: Emitted) -> None:
                engine.command(SetLoad(S // 2, ClosedLoad(6)))
                engine.command(SetLoad(S, ClosedLoad(1)))
                await asyncio.sleep(1.6)

            return await run_engine(worker_config(server.port, ClosedLoad(2)), during)

    emitted = asyncio.run(body())
    by_tick = {tick.t_ns: tick for tick in emitted.ticks}
    assert by_tick[S // 4].in_flight == 2
    assert by_tick[S // 4 * 3].in_flight == 6
    assert by_tick[S // 4 * 5].in_flight == 1
    assert [by_tick[t].concurrency for t in (S // 4, S // 4 * 3, S // 4 * 5)] == [2, 6, 1]
