"""An open loop over real sockets: what is due is sent on time or counted, whatever the server does."""

from __future__ import annotations

import asyncio
import socket

from loadgen.arrivals.load import OpenLoad
from loadgen.arrivals.rate_curve import steady
from loadgen.records import TICK_NS
from loadgen.worker.engine import Engine
from loadgen.worker_config import Finish, SetLoad
from tests.loadgen.raw_server import (
    RawServer,
    good,
)
from tests.loadgen.worker.engine_runs import Emitted, free_port, run, run_engine, worker_config

S = 1_000_000_000


def test_beyond_the_cap_the_due_wait_and_are_sent_when_there_is_room() -> None:
    emitted, server = run(
        lambda n, body: [0.05, *good()],
        requests=12,
        max_in_flight=3,
        load=OpenLoad("constant", [steady(0, 500.0)]),
    )
    assert server.connections == 3
    assert emitted.total("due") == emitted.total("sent") == 12
    assert emitted.total("not_sent") == 0
    late = [r for r in emitted.requests if r.sent_ns - r.due_ns > 20_000_000]  # type: ignore[operator]
    assert len(late) >= 6
    # waiting for the cap is the load's doing, not the instrument's: it is no send lag
    lags = [c for tick in emitted.ticks for c in tick.send_lag[1::2]]
    assert sum(lags) == 3


def test_with_a_server_that_never_answers_due_is_sent_plus_not_sent() -> None:
    async def body() -> Emitted:
        async with RawServer(lambda n, b: [60.0]) as server:
            config = worker_config(
                server.port,
                OpenLoad("constant", [steady(0, 10.0)]),
                max_in_flight=5,
                end_ns=950_000_000,
            )

            async def during(engine: Engine, emitted: Emitted) -> None:
                await asyncio.sleep(1.1)
                engine.command(Finish(0.0))

            return await run_engine(config, during)

    emitted = asyncio.run(body())
    assert [emitted.total(name) for name in ("due", "sent", "not_sent", "cut_off")] == [10, 5, 5, 5]
    assert emitted.total("failed") == 0
    assert emitted.errors() == {}
    assert all(r.first_token_ns is None for r in emitted.requests)


def test_a_refused_connection_backs_off_instead_of_making_thousands_of_failures() -> None:
    emitted = asyncio.run(
        run_engine(worker_config(free_port(), OpenLoad("constant", [steady(0, 1000.0)]), end_ns=1 * S))
    )
    assert emitted.total("due") == 1000
    assert emitted.total("sent") + emitted.total("not_sent") == 1000
    assert set(emitted.errors()) == {"connect_refused"}
    assert [note.event for note in emitted.notes] == ["started", "backing_off", "ended"]
    # Before the first refusal is heard, which a busy machine puts off, nothing is known of it.
    known_ns = emitted.notes[1].t_ns
    assert len([request for request in emitted.requests if request.due_ns > known_ns]) <= 15


def test_what_waits_for_room_does_not_wait_for_ever_when_the_server_is_gone() -> None:
    load = OpenLoad("constant", [steady(0, 1000.0)])
    config = worker_config(free_port(), load, requests=5, max_in_flight=1)
    emitted = asyncio.run(asyncio.wait_for(run_engine(config), 30))
    assert emitted.total("due") == emitted.total("sent") + emitted.total("not_sent") == 5
    assert emitted.total("failed") == emitted.total("sent") > 0
    assert set(emitted.errors()) == {"connect_refused"}


def test_a_live_change_of_rate_is_followed_from_its_instant_on() -> None:
    async def body() -> Emitted:
        async with RawServer(lambda n, b: good()) as server:
            config = worker_config(server.port, OpenLoad("constant", [steady(0, 20.0)]), end_ns=2 * S)

            async def during(engine: Engine, emitted: Emitted) -> None:
                engine.command(SetLoad(S, OpenLoad("constant", [steady(S, 200.0)])))
                await asyncio.wait_for(engine.idle.wait(), 10)

            return await run_engine(config, during)

    emitted = asyncio.run(body())
    due = sorted(r.due_ns for r in emitted.requests)
    assert len(due) == 20 + 200
    assert [t for t in due if t < S] == [k * S // 20 for k in range(20)]
    assert [t for t in due if t >= S] == [S + k * S // 200 for k in range(200)]


def test_stop_drops_the_backlog_and_hold_keeps_it() -> None:
    async def body(drop: bool) -> Emitted:
        async with RawServer(lambda n, b: [0.3, *good()]) as server:
            config = worker_config(
                server.port, OpenLoad("constant", [steady(0, 100.0)]), max_in_flight=2, requests=1000
            )

            async def during(engine: Engine, emitted: Emitted) -> None:
                engine.command(SetLoad(S // 10, OpenLoad("constant", [steady(S // 10, 0.0)]), drop))
                await asyncio.sleep(0.15)
                await asyncio.wait_for(_quiet(engine), 10)

            return await run_engine(config, during)

    async def _quiet(engine: Engine) -> None:
        while engine._in_flight or engine._backlog:
            await asyncio.sleep(0.01)

    stopped, held = asyncio.run(body(True)), asyncio.run(body(False))
    assert stopped.total("due") == held.total("due") == 11
    assert (stopped.total("sent"), stopped.total("not_sent")) == (2, 9)
    assert (held.total("sent"), held.total("not_sent")) == (11, 0)


def test_no_request_of_an_open_loop_is_sent_before_it_is_due_though_made_ready_ahead() -> None:
    load = OpenLoad("poisson", [steady(0, 400.0)])
    emitted, _ = run(lambda n, body: good(2), requests=150, load=load)
    assert len(emitted.requests) == 150
    assert all(r.sent_ns >= r.due_ns for r in emitted.requests)  # type: ignore[operator]
    assert emitted.errors() == {}


def test_the_next_connection_of_an_open_loop_is_opened_ahead_and_used() -> None:
    load = OpenLoad("constant", [steady(0, 50.0)])
    emitted, server = run(lambda n, body: [0.6, *good(2)], requests=12, load=load)
    # nothing could be used again while all answers were outstanding; the last one may have opened a spare
    assert all(r.connect_ns is not None for r in emitted.requests)
    assert 12 <= server.connections <= 13
    assert emitted.total("connects") == server.connections


def test_a_server_that_refuses_is_not_asked_for_connections_ahead_while_backing_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    async def body() -> Emitted:
        config = worker_config(port, OpenLoad("constant", [steady(0, 100.0)]), end_ns=400_000_000)
        return await run_engine(config)

    emitted = asyncio.run(body())
    assert emitted.total("due") == 40
    assert emitted.total("sent") + emitted.total("not_sent") == 40
    assert set(emitted.errors()) == {"connect_refused"}


def test_the_first_tick_covers_no_more_than_the_load_so_that_rates_are_not_low_at_first() -> None:
    begin_ns = 100_000_000
    emitted, _ = run(
        lambda n, body: good(),
        requests=40,
        start_ns=begin_ns,
        load=OpenLoad("constant", [steady(begin_ns, 100.0)]),
    )
    first, second = emitted.ticks[:2]
    assert (first.t_ns % TICK_NS, first.dt_ns) == (0, first.t_ns - begin_ns)
    assert second.t_ns - second.dt_ns == first.t_ns
    assert sum(tick.dt_ns for tick in emitted.ticks) == emitted.ticks[-1].t_ns - begin_ns
