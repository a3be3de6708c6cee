"""Many requests due at one instant: they leave some at a time, so that the worker hears and reads meanwhile."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from loadgen.arrivals.load import ClosedLoad, OpenLoad
from loadgen.arrivals.rate_curve import steady
from loadgen.clock import ManualClock, monotonic_ns
from loadgen.transport.pool import Pool
from loadgen.worker.engine import Engine
from loadgen.worker_config import Finish
from tests.loadgen.raw_server import KEEP, RawServer, good
from tests.loadgen.worker.engine_runs import Emitted, run, worker_config

MS = 1_000_000


class TakesAMillisecond(Pool):
    """Opening a connection takes 1 ms of the clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: ManualClock, port: int) -> None:
        super().__init__(loop, clock, [(socket.AF_INET, ("127.0.0.1", port))])
        self.manual, self.opens = clock, 0

    def open(self, *args: Any) -> Callable[[], None]:
        self.opens += 1
        self.manual.advance_to(self.manual.now_ns() + MS)
        return super().open(*args)


@pytest.mark.parametrize("load", [ClosedLoad(100), OpenLoad("constant", [steady(0, 1e6)])])
def test_after_a_few_milliseconds_of_sending_all_else_has_its_turn(load: ClosedLoad | OpenLoad) -> None:
    async def body() -> tuple[int, list[int]]:
        async with RawServer(lambda n, body: [KEEP]) as server:
            loop, emitted = asyncio.get_running_loop(), Emitted()
            config = worker_config(server.port, load, origin_ns=monotonic_ns() - 10**9, requests=100)
            pool = TakesAMillisecond(loop, ManualClock(MS), server.port)
            pool.manual.origin_ns = config.origin_ns
            engine = Engine(config, pool.manual, loop, pool, emitted)
            engine.start()
            by_turn = [0]
            stuck = loop.call_later(20, engine.idle.set)
            while pool.opens < 100 and not engine.idle.is_set():
                await asyncio.sleep(0)
                by_turn.append(pool.opens)
            stuck.cancel()
            engine.command(Finish(0.0))
            await asyncio.wait_for(engine.ended.wait(), 20)
            return pool.opens, [b - a for a, b in pairwise(by_turn)]

    opens, each_turn = asyncio.run(body())
    assert opens == 100
    assert max(each_turn) <= 6


def test_all_slots_of_a_large_closed_loop_are_filled_and_every_request_is_answered() -> None:
    emitted, server = run(lambda n, body: good(), load=ClosedLoad(150), requests=300, max_in_flight=150)
    assert sorted(record.index for record in emitted.requests) == list(range(300))
    assert emitted.errors() == {}
    assert len(server.bodies) == 300


def test_what_a_run_had_no_time_to_send_until_its_end_is_counted_as_not_sent() -> None:
    """With 100 slots at 1 ms each, a run of 20 ms has time for some of them."""

    async def body() -> Emitted:
        async with RawServer(lambda n, body: good()) as server:
            loop, emitted = asyncio.get_running_loop(), Emitted()
            config = worker_config(
                server.port, ClosedLoad(100), origin_ns=monotonic_ns() - 10**9, end_ns=20 * MS
            )
            pool = TakesAMillisecond(loop, ManualClock(0), server.port)
            pool.manual.origin_ns = config.origin_ns
            engine = Engine(config, pool.manual, loop, pool, emitted)
            engine.start()
            await asyncio.wait_for(engine.idle.wait(), 20)
            pool.manual.advance_to(300 * MS)
            engine.command(Finish(1.0))
            await asyncio.wait_for(engine.ended.wait(), 20)
            return emitted

    emitted = asyncio.run(body())
    due, sent, not_sent = (emitted.total(name) for name in ("due", "sent", "not_sent"))
    assert due == sent + not_sent
    assert 20 <= sent <= 30
    assert due >= 100
