"""Requests of a trace, over real sockets: due when theirs were, at any speed, in any number of workers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from loadgen.arrivals.load import Beginning, OpenLoad, TraceLoad
from loadgen.arrivals.rate_curve import steady
from loadgen.arrivals.trace import TraceReplay
from loadgen.trace.compile import compiled
from loadgen.trace.formats import read_trace
from loadgen.trace.rows import TraceRow
from loadgen.worker_config import SetLoad, Stage
from loadgen.workload.lengths import Fixed
from loadgen.workload.spec import PromptSpec, SyntheticWorkload, TraceWorkload
from tests.loadgen.raw_server import RawServer, good
from tests.loadgen.worker.engine_runs import Emitted, run_engine, worker_config

S = 1_000_000_000
MS = S // 1000
AZURE = Path(__file__).parent / "fixtures" / "azure2023_conv_excerpt.csv"
"""The first lines of Azure's conversation trace of 2023. Source: github.com/Azure/AzurePublicDataset, CC-BY."""


def azure_times_ns() -> list[int]:
    """Read by hand: the digits behind the minute, since all of the excerpt lies in one hour."""
    times = []
    for line in AZURE.read_text().splitlines()[1:]:
        minutes, seconds = line.split(",")[0].split(":")[1:]
        times.append(int(minutes) * 60 * S + round(float(seconds) * 1e7) * 100)
    return [time - times[0] for time in times]


def stored(place: Path, rows: Sequence[TraceRow]) -> tuple[str, float]:
    """Path and mean rate of a compiled trace."""
    file, figures = compiled(rows)
    file.seek(0)
    place.write_bytes(file.read())
    return str(place), figures.rate_rps


def at(times_ms: Sequence[float]) -> list[TraceRow]:
    return [TraceRow(round(ms * MS), 8, 3) for ms in times_ms]


def replay(
    path: str, rate_rps: float, speed: float, worker: int = 0, workers: int = 1, **more: int
) -> list[int]:
    load = TraceLoad(path, rate_rps, [steady(0, rate_rps * speed)])
    model = TraceReplay(load, Beginning(0, worker, workers, worker, 0, 100, 0, **more))
    due = []
    while (due_ns := model.due_ns(0)) is not None:
        due.append(due_ns)
        model.take()
    return due


@pytest.mark.parametrize("speed", [1.0, 2.0, 0.5, 37.0])
def test_azures_own_arrival_times_come_out_to_the_microsecond_at_every_speed(
    tmp_path: Path, speed: float
) -> None:
    path, rate_rps = stored(tmp_path / "t", list(read_trace(AZURE).rows))
    due, theirs = replay(path, rate_rps, speed), azure_times_ns()
    assert len(due) == len(theirs) == 200
    assert max(abs(ours - time / speed) for ours, time in zip(due, theirs, strict=True)) <= 1000


@pytest.mark.parametrize("workers", [2, 3, 7])
def test_n_workers_together_have_the_requests_of_one(tmp_path: Path, workers: int) -> None:
    path, rate_rps = stored(tmp_path / "t", list(read_trace(AZURE).rows))
    shares = [replay(path, rate_rps, 3.0, worker, workers) for worker in range(workers)]
    assert sorted(due for share in shares for due in share) == replay(path, rate_rps, 3.0)
    for cap in (1, 10, 101):
        counts = [
            len(replay(path, rate_rps, 3.0, worker, workers, requests=cap)) for worker in range(workers)
        ]
        assert sum(counts) == cap


@pytest.mark.parametrize(("first", "count", "speed"), [(149, 11, 1.0), (0, 200, 60.0)])
def test_an_engine_sends_them_at_those_times_and_is_idle_behind_the_last(
    tmp_path: Path, first: int, count: int, speed: float
) -> None:
    """The busiest second of the excerpt as it was, and all of its minute in one."""
    rows = list(read_trace(AZURE).rows)[first : first + count]
    path, rate_rps = stored(tmp_path / "t", rows)
    theirs = azure_times_ns()[first : first + count]

    async def body() -> Emitted:
        async with RawServer(lambda n, body: good()) as server:
            config = worker_config(
                server.port,
                TraceLoad(path, rate_rps, [steady(50 * MS, rate_rps * speed)]),  # type: ignore[arg-type]
                workload=TraceWorkload(PromptSpec("ids", 8), path),
                start_ns=50 * MS,
            )
            return await run_engine(config)

    requests = sorted(asyncio.run(body()).requests, key=lambda r: r.index)
    assert [r.index for r in requests] == list(range(count))
    due = [(time - theirs[0]) / speed for time in theirs]
    assert max(abs(r.due_ns - 50 * MS - at) for r, at in zip(requests, due, strict=True)) <= MS
    assert all(r.sent_ns is not None and r.sent_ns >= r.due_ns for r in requests)
    lines = [line.split(",")[1:] for line in AZURE.read_text().splitlines()[1:]][first : first + count]
    assert [[str(r.asked_input_tokens), str(r.asked_output_tokens)] for r in requests] == lines


def test_a_hold_stops_a_trace_and_it_goes_on_from_there_a_rate_makes_it_faster(tmp_path: Path) -> None:
    path, rate_rps = stored(tmp_path / "t", at([0, 100, 200, 300, 400]))
    assert rate_rps == 10.0
    model = TraceReplay(TraceLoad(path, rate_rps, [steady(S, rate_rps)]), Beginning(S, 0, 1, 0, 0, 100, 0))
    due = []
    for change_ms, rate in ((1150, 0.0), (5000, 10.0), (5100, 20.0)):
        while (due_ns := model.due_ns(0)) is not None and due_ns < change_ms * MS:
            due.append(due_ns // MS)
            model.take()
        assert model.change(change_ms * MS, TraceLoad(path, rate_rps, [steady(change_ms * MS, rate)]))
        if not rate:
            assert model.due_ns(0) is None
            assert not model.exhausted(0)
    while (due_ns := model.due_ns(0)) is not None:
        due.append(due_ns // MS)
        model.take()
    assert due == [1000, 1100, 5050, 5125, 5175]
    assert model.exhausted(0)
    assert model.next_index is None


def test_another_trace_or_another_kind_of_load_needs_another_model(tmp_path: Path) -> None:
    path, rate_rps = stored(tmp_path / "t", at([0, 100]))
    model = TraceReplay(TraceLoad(path, rate_rps, [steady(0, 1.0)]), Beginning(0, 0, 1, 0, 0, 9, 0))
    assert not model.change(0, OpenLoad("poisson", [steady(0, 1.0)]))
    assert not model.change(0, TraceLoad(path + "x", rate_rps, [steady(0, 1.0)]))


def test_a_trace_that_comes_all_at_once_is_due_all_at_once(tmp_path: Path) -> None:
    path, rate_rps = stored(tmp_path / "t", at([7, 7, 7]))
    assert replay(path, rate_rps, 1.0) == [0, 0, 0]


def test_stages_of_one_trace_have_each_all_of_it_with_prompts_of_their_own(tmp_path: Path) -> None:
    path, rate_rps = stored(tmp_path / "t", at([0, 5, 10, 15, 20]))
    asks = TraceWorkload(PromptSpec("ids", 8), path)

    async def body() -> tuple[Emitted, list[bytes]]:
        async with RawServer(lambda n, body: good()) as server:

            async def during(engine: object, emitted: Emitted) -> None:
                for number, workload in enumerate(
                    (asks, asks, SyntheticWorkload(PromptSpec("ids", 8), Fixed(8), Fixed(3)))
                ):
                    over = asyncio.Event()
                    engine.on_idle = lambda stage, over=over: over.set()  # type: ignore[attr-defined]
                    now = engine._clock.now_ns() + 10 * MS  # type: ignore[attr-defined]
                    load = TraceLoad(path, rate_rps, [steady(now, rate_rps)])
                    if number == 2:
                        load = OpenLoad("constant", [steady(now, 500.0)])  # type: ignore[assignment]
                    stage = Stage(number, workload, requests=3 if number == 2 else None)
                    engine.command(SetLoad(now, load, stage=stage))  # type: ignore[attr-defined]
                    await asyncio.wait_for(over.wait(), 20)

            from loadgen.arrivals.load import ClosedLoad

            return await run_engine(worker_config(server.port, ClosedLoad(0)), during), server.bodies  # type: ignore[arg-type]

    emitted, bodies = asyncio.run(body())
    assert [r.index for r in sorted(emitted.requests, key=lambda r: r.due_ns)] == [
        *range(5),
        *range(1_000_000_000, 1_000_000_005),
        *range(1_000_000_005, 1_000_000_008),
    ]
    assert len(set(bodies)) == 13
