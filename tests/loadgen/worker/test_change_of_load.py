"""A load that changes its kind in mid-run, over real sockets: nothing is lost and nothing is asked twice."""

from __future__ import annotations

import asyncio

import pytest

from loadgen.arrivals.load import ClosedLoad, Load, OpenLoad
from loadgen.arrivals.rate_curve import Curve, steady
from loadgen.arrivals.schedule import Schedule
from loadgen.worker.engine import Engine
from loadgen.worker_config import SetLoad
from tests.loadgen.raw_server import RawServer, Script, good
from tests.loadgen.worker.engine_runs import Emitted, run_engine, worker_config

S = 1_000_000_000
MS = S // 1000


def run_changing(script: Script, first: Load, *changes: SetLoad, **more: object) -> Emitted:
    """A run that begins with `first` and is told of all `changes` at its start."""

    async def body() -> Emitted:
        async with RawServer(script) as server:

            async def during(engine: Engine, emitted: Emitted) -> None:
                for change in changes:
                    engine.command(change)
                await asyncio.wait_for(engine.idle.wait(), 20)

            return await run_engine(worker_config(server.port, first, **more), during)

    return asyncio.run(body())


def due_between(emitted: Emitted, begin_ns: int, end_ns: int) -> list[int]:
    return sorted(r.due_ns for r in emitted.requests if begin_ns <= r.due_ns < end_ns)


def test_open_then_closed_then_open_again_in_one_run() -> None:
    emitted = run_changing(
        lambda n, body: [0.02, *good()],
        OpenLoad("constant", [steady(0, 50.0)]),
        SetLoad(S, ClosedLoad(3)),
        SetLoad(2 * S, OpenLoad("constant", [steady(2 * S, 20.0)])),
        end_ns=3 * S,
    )
    assert due_between(emitted, 0, S) == [k * S // 50 for k in range(50)]
    assert due_between(emitted, 2 * S, 3 * S) == [2 * S + k * S // 20 for k in range(20)]
    closed = [r for r in emitted.requests if S <= r.due_ns < 2 * S]
    assert len(closed) > 30
    ends = {r.end_ns for r in emitted.requests}
    assert sum(r.due_ns == S for r in closed) >= 2
    assert all(r.due_ns == S or any(0 <= r.due_ns - end < 50 * MS for end in ends) for r in closed)
    assert sorted(r.index for r in emitted.requests) == list(range(len(emitted.requests)))
    assert emitted.total("due") == emitted.total("sent") == len(emitted.requests)
    by_tick = {tick.t_ns: (tick.rate_rps, tick.concurrency) for tick in emitted.ticks}
    assert [by_tick[t] for t in (S // 2, S // 2 * 3, S // 2 * 5)] == [(50.0, None), (None, 3), (20.0, None)]


def test_arrivals_that_change_from_constant_to_poisson_begin_at_the_instant() -> None:
    emitted = run_changing(
        lambda n, body: good(),
        OpenLoad("constant", [steady(0, 20.0)]),
        SetLoad(S, OpenLoad("poisson", [steady(S, 100.0)])),
        end_ns=2 * S,
        seed=5,
    )
    schedule = Schedule("poisson", 5, Curve([steady(S, 100.0)]), end_ns=2 * S)
    expected = []
    while (due_ns := schedule.due_ns) is not None:
        expected.append(due_ns)
        schedule.advance()
    assert due_between(emitted, 0, S) == [k * S // 20 for k in range(20)]
    assert due_between(emitted, S, 2 * S) == expected


def test_a_closed_loop_counts_what_the_open_loop_before_it_left_in_flight() -> None:
    emitted = run_changing(
        lambda n, body: [0.5 if n < 10 else 0.02, *good()],
        OpenLoad("constant", [steady(0, 100.0)]),
        SetLoad(95 * MS, ClosedLoad(4)),
        end_ns=S,
    )
    # ten are in flight at 95 ms and end from 500 ms on: no slot is free until only three of them are left
    begun = due_between(emitted, 95 * MS, S)
    assert begun[0] >= 560 * MS
    assert max(tick.in_flight for tick in emitted.ticks) == 10


@pytest.mark.parametrize(("drop", "not_sent"), [(True, 8), (False, 0)])
def test_what_waits_in_the_backlog_is_sent_or_dropped_when_the_kind_changes(
    drop: bool, not_sent: int
) -> None:
    emitted = run_changing(
        lambda n, body: [0.3, *good()],
        OpenLoad("constant", [steady(0, 100.0)]),
        SetLoad(95 * MS, ClosedLoad(2), drop),
        max_in_flight=2,
        requests=14,
    )
    assert emitted.total("due") == emitted.total("sent") + emitted.total("not_sent") == 14
    assert emitted.total("not_sent") == not_sent
    assert max(tick.in_flight for tick in emitted.ticks) == 2


def test_two_workers_that_change_from_closed_to_open_share_one_schedule_and_no_index() -> None:
    async def body() -> list[Emitted]:
        async with RawServer(lambda n, body: [0.01, *good()]) as server:

            async def during(engine: Engine, emitted: Emitted) -> None:
                engine.command(SetLoad(S // 2, OpenLoad("poisson", [steady(S // 2, 80.0)])))
                await asyncio.wait_for(engine.idle.wait(), 20)

            first = worker_config(server.port, ClosedLoad(3), workers=2, end_ns=S + S // 2, seed=3)
            second = worker_config(
                server.port,
                ClosedLoad(3),
                worker=1,
                workers=2,
                end_ns=S + S // 2,
                seed=3,
                origin_ns=first.origin_ns,
            )
            return list(await asyncio.gather(run_engine(first, during), run_engine(second, during)))

    each = asyncio.run(body())
    schedule = Schedule("poisson", 3, Curve([steady(S // 2, 80.0)]), end_ns=S + S // 2)
    expected = []
    while (due_ns := schedule.due_ns) is not None:
        expected.append(due_ns)
        schedule.advance()
    assert sorted(due for emitted in each for due in due_between(emitted, S // 2, 2 * S)) == expected
    indices = [r.index for emitted in each for r in emitted.requests]
    assert len(set(indices)) == len(indices)
    assert all(r.index % 3 % 2 == r.worker for emitted in each for r in emitted.requests)  # by slot
