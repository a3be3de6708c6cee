"""How long sockets are left alone between rounds of reads."""

from __future__ import annotations

import asyncio
import time

import pytest

from loadgen.arrivals.load import OpenLoad
from loadgen.arrivals.rate_curve import steady
from loadgen.clock import monotonic_ns
from loadgen.records import TICK_NS, Tick
from loadgen.sketch import SketchCounts
from loadgen.transport import read_loop
from loadgen.worker import read_delay
from loadgen.worker.read_delay import LONGEST_NS, read_delay_after
from tests.loadgen.raw_server import HEAD, RawServer, chunked, good, sse, token
from tests.loadgen.worker.engine_runs import Emitted, run_engine, worker_config


def tick(gaps_ns: list[int], *, reads: int = 5000, kernel_reads: int | None = None) -> Tick:
    gaps = SketchCounts()
    for gap_ns in gaps_ns:
        gaps.add(gap_ns)
    return Tick(
        t_ns=TICK_NS,
        dt_ns=TICK_NS,
        worker=0,
        chunk_gap=gaps.take(),
        reads=reads,
        kernel_reads=reads if kernel_reads is None else kernel_reads,
    )


def test_reads_of_busy_streams_are_delayed_a_tenth_of_their_gap_and_no_longer_than_the_limit() -> None:
    assert 0.98 * 400_000 < read_delay_after(tick([4_000_000] * 100)) < 1.02 * 400_000
    assert read_delay_after(tick([50_000_000] * 100)) == LONGEST_NS


def test_the_shortest_gaps_decide_not_the_typical_ones() -> None:
    assert read_delay_after(tick([1_000_000] * 6 + [50_000_000] * 94)) < 110_000
    assert read_delay_after(tick([0] * 6 + [50_000_000] * 94)) < 1_000


def test_there_is_no_delay_without_the_kernels_times_without_gaps_or_with_few_reads() -> None:
    assert read_delay_after(tick([10_000_000] * 100, kernel_reads=4999)) == 0
    assert read_delay_after(tick([])) == 0
    assert read_delay_after(tick([10_000_000] * 100, reads=490)) == 0


def test_no_delay_spans_the_time_at_which_a_request_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    delays: list[tuple[int, int]] = []
    monkeypatch.setattr(read_delay, "read_delay_after", lambda tick: LONGEST_NS)

    async def body() -> Emitted:
        async with RawServer(
            lambda number, request: [HEAD, *([chunked(sse(token()), end=False), 0.005] * 60), *good(1)[1:]]
        ) as server:
            config = worker_config(server.port, OpenLoad("poisson", [steady(0, 150.0)]), requests=100)

            def delay(duration_ns: int) -> None:
                began = monotonic_ns() - config.origin_ns
                delays.append((began, duration_ns))
                time.sleep(duration_ns / 1e9)

            monkeypatch.setattr(read_loop, "sleep_ns", delay)
            return await run_engine(config)

    emitted = asyncio.run(body())
    assert emitted.errors() == {}
    assert len(delays) > 20
    due_ns = [request.due_ns for request in emitted.requests]
    assert [due for due in due_ns for began, long in delays if began < due < began + long] == []
