"""Measures the load worker itself: against a server that stamps its sends, at one load after another.

The worker is the real one, in a process of its own, with its recorder: what is measured is what a run uses.
Its records and the server's stamps are two accounts of the same tokens on one clock; their difference is
the error of the client's times.
"""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from loadgen.arrivals.load import OpenLoad
from loadgen.arrivals.rate_curve import steady
from loadgen.calibration.server import read_stamps
from loadgen.clock import monotonic_ns
from loadgen.records import Request, Tick
from loadgen.worker_config import Address, Finish, WorkerConfig
from loadgen.workload.lengths import Fixed
from loadgen.workload.spec import PromptSpec, SyntheticWorkload
from loadgen.workload.template import RequestTemplate
from sessions.calibration.result import Trial
from sessions.own_process import module_command
from sessions.store.follow import SessionFollower
from sessions.worker.processes import WorkerProcesses

TIMING_ERROR_US = 1000.0
SEND_LAG_US = 2000.0
CPU_SHARE = 0.6
COALESCED_SHARE = 0.01
SERVER_SHARE = 0.95
"""A load is clean below the first four of these (p99, p99, mean, all); our server must send the fifth."""

TOKENS, INTERVAL_US = 100, 10_000
"""Of each stream: a second of a token every 10 ms, as fast as servers of today stream to one client."""
_SETTLE_S = 1.2
NO_LIMIT = "no higher load was tried"
FIRST, LEAST, MOST = 4000.0, 250.0, 128_000.0
_FINER = 3

Floats = NDArray[np.float64]


class CalibrationError(Exception):
    """It could not be measured: one line saying why."""


@dataclass(frozen=True)
class Server:
    """Our stamping server in its own process."""

    port: int
    stamps: Path


@asynccontextmanager
async def stamping_server(directory: Path) -> AsyncIterator[Server]:
    """Runs the server for the length of the block.

    Raises:
        CalibrationError: it did not start.
    """
    stamps = directory / "stamps.bin"
    process = await asyncio.create_subprocess_exec(
        *module_command("loadgen.calibration.server", str(stamps)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        try:
            line = await asyncio.wait_for(process.stdout.readline(), 20)
        except asyncio.TimeoutError:
            line = b""
        if not line.strip().isdigit():
            raise CalibrationError("the calibration server did not start")
        yield Server(int(line), stamps)
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 2)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()


async def measure(events_per_s: float, seconds: float) -> Trial:
    """Loads one worker with `events_per_s` for `seconds`, after a second in which the load builds up.

    Raises:
        CalibrationError: server or worker did not start, or no token came back.
    """
    with tempfile.TemporaryDirectory(prefix="ttftop-calibrate-") as name:
        directory = Path(name)
        async with stamping_server(directory) as server:
            config = await _run_worker(directory, server.port, events_per_s, _SETTLE_S + seconds)
            stamps = read_stamps(server.stamps.read_bytes())
        files = SessionFollower(directory, requests=True)
        records = files.poll()
        while files.behind:
            records += files.poll()
        files.close()
    requests = [record for record in records if isinstance(record, Request)]
    ticks = [record for record in records if isinstance(record, Tick)]
    return judged(events_per_s, requests, ticks, stamps, config, seconds)


async def _run_worker(directory: Path, port: int, events_per_s: float, seconds: float) -> WorkerConfig:
    """One worker through one load; returns the config it had."""
    processes = WorkerProcesses(directory, 1, lambda number, status: None, lambda number, code: None)
    await processes.start()
    try:
        await asyncio.wait_for(processes.states.all_ready.wait(), 20)
        config = _worker_config(port, events_per_s, seconds)
        processes.tell(0, config)
        await asyncio.wait_for(processes.states.all_idle.wait(), seconds + 20)
        processes.tell(0, Finish(0.0))
        await asyncio.wait_for(processes.states.all_gone.wait(), 10)
    except asyncio.TimeoutError:
        raise CalibrationError(
            f"the load worker did not get through {events_per_s:,.0f} events/s in time"
        ) from None
    finally:
        await processes.wait_or_kill(0.0)
    return config


def _worker_config(port: int, events_per_s: float, seconds: float) -> WorkerConfig:
    start_ns = 50_000_000
    return WorkerConfig(
        worker=0,
        workers=1,
        origin_ns=monotonic_ns(),
        address=Address("127.0.0.1", port),
        template=RequestTemplate(
            path=f"/stream/{TOKENS}/{INTERVAL_US}",
            headers=[("host", f"127.0.0.1:{port}"), ("content-type", "application/json")],
            endpoint="completions",
            fields={"model": "calibration", "stream": True},
        ),
        workload=SyntheticWorkload(PromptSpec(form="ids", tokens=64), Fixed(64), Fixed(TOKENS)),
        load=OpenLoad("constant", [steady(start_ns, events_per_s / TOKENS)]),
        start_ns=start_ns,
        end_ns=start_ns + int(seconds * 1e9),
        max_in_flight=65536,
    )


def judged(
    asked: float,
    requests: Sequence[Request],
    ticks: Sequence[Tick],
    stamps: Mapping[int, Sequence[int]],
    config: WorkerConfig,
    seconds: float,
) -> Trial:
    """What a load was like. `stamps`: raw monotonic ns of each token, by the stream's number.

    Raises:
        CalibrationError: nothing can be compared.
    """
    start_ns = config.start_ns + int(_SETTLE_S * 1e9)
    end_ns = start_ns + int(seconds * 1e9)
    errors_us, sent_ns = _timing(requests, stamps, config.origin_ns)
    within = (sent_ns >= start_ns) & (sent_ns < end_ns)
    window = [tick for tick in ticks if start_ns < tick.t_ns <= end_ns]
    reads, cpu_ns, wall_ns = (sum(getattr(t, name) for t in window) for name in ("reads", "cpu_ns", "dt_ns"))
    if not within.any() or not reads:
        failed = next((r.error for r in requests if r.error is not None), None)
        raise CalibrationError(f"no tokens came back{f': {failed.kind} {failed.message}' if failed else ''}")
    lags_us = [
        (r.sent_ns - r.due_ns) / 1e3
        for r in requests
        if r.sent_ns is not None and start_ns <= r.due_ns < end_ns
    ]
    p50, p99 = np.quantile(errors_us[within], [0.5, 0.99])
    sent = np.concatenate([np.asarray(row, dtype=np.float64) for row in stamps.values()]) - config.origin_ns
    rate = float(((sent >= start_ns) & (sent < end_ns)).sum()) / seconds
    step = Trial(
        asked_events_per_s=asked,
        events_per_s=round(rate, 1),
        timing_error_p50_us=round(float(p50), 1),
        timing_error_p99_us=round(float(p99), 1),
        send_lag_p99_us=round(float(np.quantile(lags_us, 0.99)), 1) if lags_us else 0.0,
        cpu_share=round(cpu_ns / wall_ns, 4),
        cpu_us_per_event=round(cpu_ns / 1e3 / max(1, sum(tick.chunks for tick in window)), 2),
        coalesced_share=round(sum(tick.coalesced_reads for tick in window) / reads, 5),
        kernel_share=round(sum(tick.kernel_reads for tick in window) / reads, 5),
    )
    return msgspec.structs.replace(step, why_not=_why_not(step, sum(r.error is not None for r in requests)))


def _timing(
    requests: Sequence[Request], stamps: Mapping[int, Sequence[int]], origin_ns: int
) -> tuple[Floats, Floats]:
    """For every token of every finished request: received minus sent, us, and when it was sent, ns."""
    errors: list[Floats] = [np.empty(0)]
    sent: list[Floats] = [np.empty(0)]
    for request in requests:
        row = stamps.get(request.input_tokens or 0)
        if request.error is not None or request.first_token_ns is None or row is None:
            continue
        gaps_ns = np.asarray(request.gaps_us, dtype=np.float64) * 1000
        received = request.first_token_ns + np.concatenate([[0.0], np.cumsum(gaps_ns)])
        if len(received) != len(row) or request.last_token_ns is None:
            continue
        # Gaps are whole microseconds: what they lost adds up, and the last token's own time shows how much.
        received += (request.last_token_ns - received[-1]) * np.linspace(0, 1, len(received))
        at = np.asarray(row, dtype=np.float64) - origin_ns
        errors.append((received - at) / 1e3)
        sent.append(at)
    return np.concatenate(errors), np.concatenate(sent)


def _why_not(step: Trial, failed: int) -> str:
    """What kept the step from being clean, worst first; empty when it was."""
    if failed:
        return f"{failed} requests failed"
    if step.timing_error_p99_us >= TIMING_ERROR_US:
        return f"timing error p99 {step.timing_error_p99_us / 1e3:.2f} ms"
    if step.coalesced_share >= COALESCED_SHARE:
        return f"{step.coalesced_share:.1%} of reads held several tokens"
    if step.cpu_share >= CPU_SHARE:
        return f"the worker used {step.cpu_share:.0%} of a core"
    if step.send_lag_p99_us >= SEND_LAG_US:
        return f"requests left {step.send_lag_p99_us / 1e3:.1f} ms late (p99)"
    if step.events_per_s < SERVER_SHARE * step.asked_events_per_s:
        return f"the calibration server sent only {step.events_per_s:,.0f} events/s"
    return ""


Measure = Callable[[float], Awaitable[Trial]]


async def sweep(measure: Measure, on_step: Callable[[Trial], None], most: float = MOST) -> list[Trial]:
    """Doubles the load until it is not clean any more, then goes between; tells each step as it is done.

    A load that was not clean is tried once more: a neighbour on the machine may have had its moment.
    """
    steps: list[Trial] = []

    async def clean(load: float) -> bool:
        for _ in range(2):
            step = await measure(load)
            steps.append(step)
            on_step(step)
            if not step.why_not:
                return True
        return False

    low, high = 0.0, min(FIRST, most)
    while await clean(high):
        low = high
        if low >= most:
            return steps
        high = min(high * 2, most)
    while low == 0.0:
        if high / 2 < LEAST:
            return steps
        high /= 2
        if await clean(high):
            low, high = high, high * 2
    for _ in range(_FINER):
        middle = round(math.sqrt(low * high), -2) or low
        if await clean(middle):
            low = middle
        else:
            high = middle
    return steps


def outcome(steps: Sequence[Trial]) -> tuple[float, str]:
    """The highest clean rate among `steps`, 0 when there is none, and what stood against more."""
    clean = [step for step in steps if not step.why_not]
    best = max((step.events_per_s for step in clean), default=0.0)
    above = [step for step in steps if step.why_not and step.asked_events_per_s > best]
    nearest = min(above, key=lambda step: step.asked_events_per_s, default=None)
    return best, NO_LIMIT if nearest is None else nearest.why_not
