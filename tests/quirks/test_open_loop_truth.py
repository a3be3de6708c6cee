"""An open loop tells the truth about a server that is slow, or that stops, and about its own sending."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from loadgen.arrivals.load import ClosedLoad, OpenLoad
from loadgen.arrivals.rate_curve import steady
from loadgen.records import Request
from loadgen.worker.engine import Engine
from tests.loadgen.raw_server import RawServer, Script, Step, good
from tests.loadgen.worker.engine_runs import Emitted, run_engine, worker_config

S = 1_000_000_000


def run(script: Script, load: OpenLoad, loop_s: float, **changes: object) -> Emitted:
    async def body() -> Emitted:
        async with RawServer(script) as server:

            async def during(engine: Engine, emitted: Emitted) -> None:
                await asyncio.wait_for(engine.idle.wait(), loop_s)

            return await run_engine(worker_config(server.port, load, **changes), during)

    return asyncio.run(body())


def ttft_ns(records: list[Request]) -> np.ndarray:
    return np.array([r.first_token_ns - r.due_ns for r in records])  # type: ignore[operator]


def lateness_ns(records: list[Request]) -> np.ndarray:
    return np.array([r.sent_ns - r.due_ns for r in records])  # type: ignore[operator]


@pytest.mark.slow
def test_a_server_that_always_answers_in_six_seconds_has_a_ttft_of_six_seconds() -> None:
    """A client with a bounded pool says 8.7 s and 11.4 s here, one with a read timeout that all failed."""
    emitted = run(lambda n, body: [6.0, *good()], OpenLoad("constant", [steady(0, 30.0)]), 40, requests=240)
    assert (emitted.total("sent"), emitted.total("succeeded")) == (240, 240)
    waits_s = ttft_ns(emitted.requests) / S
    assert waits_s.min() >= 6.0
    # half a second is far from 8.7 s, and farther than a machine stalls for 1 % of the requests
    assert (np.quantile(waits_s, [0.5, 0.99]) < 6.5).all()


@pytest.fixture
def simulator() -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Port and process of a fast simulator that may be frozen."""
    process = subprocess.Popen(
        [sys.executable, "-m", "loadgen.simulator", "--port", "0", "--profile", "small"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    yield int(line.split("http://127.0.0.1:")[1].split("/")[0].split()[0]), process
    process.send_signal(signal.SIGCONT)
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.mark.slow
def test_a_server_frozen_for_two_seconds_is_sent_to_all_the_same_and_the_wait_is_seen(
    simulator: tuple[int, subprocess.Popen[str]],
) -> None:
    port, process = simulator
    frozen: list[int] = []

    async def during(engine: Engine, emitted: Emitted) -> None:
        await asyncio.sleep(2.0)
        process.send_signal(signal.SIGSTOP)
        frozen.append(engine._clock.now_ns())
        await asyncio.sleep(2.0)
        frozen.append(engine._clock.now_ns())
        process.send_signal(signal.SIGCONT)
        await asyncio.wait_for(engine.idle.wait(), 20)

    config = worker_config(port, OpenLoad("constant", [steady(0, 20.0)]), end_ns=6 * S)
    config.template.fields["model"] = "sim-small"
    emitted = asyncio.run(run_engine(config, during))
    assert (emitted.total("due"), emitted.total("succeeded")) == (120, 120)
    start_ns, end_ns = frozen
    meanwhile = [r for r in emitted.requests if start_ns <= r.due_ns < end_ns]
    sent_meanwhile = [r for r in emitted.requests if r.sent_ns and start_ns <= r.sent_ns < end_ns]
    wanted = (end_ns - start_ns) / S * 20
    assert abs(len(meanwhile) - wanted) <= 1
    assert abs(len(sent_meanwhile) - wanted) <= 2
    assert np.median(lateness_ns(meanwhile)) < 50_000_000, "they did not wait for the server, which took 2 s"
    waits = ttft_ns(emitted.requests)
    assert (waits >= 0.05 * S).sum() >= 35, "nearly all that were due during the freeze were delayed"
    assert np.quantile(waits, 0.99) >= 1.9 * S
    assert np.median(waits) < 0.5 * S, "the others were not"


@pytest.mark.slow
def test_sends_do_not_drift_and_their_count_is_exact() -> None:
    """A schedule that drifts adds to the lateness of all later sends; a busy machine delays some and adds to none.

    So the least lateness of the second half, of some 300 sends, may not be later than that of the first by what
    a microsecond a send would come to.
    """
    emitted = run(lambda n, body: good(), OpenLoad("constant", [steady(0, 64.0)]), 30, end_ns=10 * S)
    records = sorted(emitted.requests, key=lambda record: record.due_ns)
    assert emitted.total("due") == emitted.total("sent") == emitted.total("succeeded") == 640
    assert [r.due_ns for r in records] == [k * S // 64 for k in range(640)]
    late = lateness_ns(records)
    assert late.min() >= 0
    assert late[320:].min() - late[:320].min() < 320 * 1000


@pytest.mark.parametrize("load", [ClosedLoad(4), OpenLoad("constant", [steady(0, 400.0)])])
def test_the_cap_holds_on_the_servers_side_and_the_counts_add_up(load: OpenLoad | ClosedLoad) -> None:
    at_once, most = 0, 0

    class Counting(list[Step]):
        """Steps that count how many of them are being played."""

        def __iter__(self):  # type: ignore[no-untyped-def]
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            try:
                yield from super().__iter__()
            finally:
                at_once -= 1

    def script(number: int, body: bytes) -> list[Step]:
        return Counting([0.03, *good()])

    async def body() -> Emitted:
        async with RawServer(script) as server:
            return await run_engine(worker_config(server.port, load, max_in_flight=4, requests=40))

    emitted = asyncio.run(body())
    assert most == 4
    assert emitted.total("due") == emitted.total("sent") + emitted.total("not_sent") == 40
    assert emitted.total("sent") == emitted.total("succeeded") + emitted.total("failed")
    assert max(tick.in_flight for tick in emitted.ticks) <= 4
