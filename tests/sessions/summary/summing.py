"""Made-up runs summed up, and the records that several tests of the summary add to them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from loadgen.records import TICK_NS, Request, RequestError, Tick
from sessions.plan.config import LoadConfig, RunConfig
from sessions.plan.target_config import TargetConfig
from sessions.store.follow import SessionFollower
from sessions.store.journal import (
    SUPERVISOR_FILE,
    JournalWriter,
    RequestJournalWriter,
    request_file,
    worker_file,
)
from sessions.store.manifest import ClockAnchor, Manifest, SessionInfo, write
from sessions.store.records import End, LoadChange
from sessions.summary.schema import Summary
from sessions.summary.summarise import summarise
from sessions.timeline.timeline import Timeline
from telemetry.records import GpuDevice, GpuDevices, GpuSample, GpuSamples
from tests.sessions.timeline.folding import folded

SECOND = 1_000_000_000
START_S = 1.3
"""When the load of a made-up run begins, in session time."""


def summed(run: Any, records: list[Any] | None = None, **more: Any) -> Summary:
    """The summary of a made-up run, or of other records than its own."""
    return summarise(folded(*(run.records if records is None else records)), run.manifest, **more)


def manifest(load: LoadConfig | None = None) -> Manifest:
    """Of a run that asked for `load`."""
    config = RunConfig(TargetConfig("http://127.0.0.1:1"), load or LoadConfig())
    return Manifest(SessionInfo("i", "n", ""), ClockAnchor(0, 0), config)


def answered(
    index: int, due_s: float, ttft_ms: int = 100, tokens: int = 11, tpot_ms: int = 10, **more: Any
) -> Request:
    """One that succeeded, unless `more` says an error, with gaps all alike."""
    due_ns = round(due_s * SECOND)
    first = due_ns + ttft_ms * 1_000_000
    last = first + (tokens - 1) * tpot_ms * 1_000_000
    return Request(
        index=index,
        worker=0,
        due_ns=due_ns,
        sent_ns=due_ns,
        first_token_ns=first,
        last_token_ns=last,
        end_ns=last,
        input_tokens=20,
        output_tokens=tokens,
        chunks=tokens,
        gaps_us=[tpot_ms * 1000] * (tokens - 1),
        **more,
    )


def steady(sent: int, failed: int, due: int, *, cpu_ns: int = 0, seconds: int = 10) -> Summary:
    """A run of whole numbers: `sent` requests in the first tick, of which `failed` failed."""
    requests = [
        Request(
            index=i,
            worker=0,
            due_ns=10,
            sent_ns=20,
            first_token_ns=30,
            last_token_ns=30,
            end_ns=40,
            error=RequestError("rejected") if i < failed else None,
        )
        for i in range(sent)
    ]
    records = [
        LoadChange(t_ns=0, change="start", rate_rps=1.0),
        Tick(t_ns=TICK_NS, dt_ns=TICK_NS, worker=0, due=due, sent=sent, not_sent=due - sent),
        *(Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, cpu_ns=cpu_ns) for i in range(2, 4 * seconds + 1)),
        *requests,
        End(t_ns=seconds * SECOND, reason="completed"),
    ]
    return summarise(folded(*records), manifest(LoadConfig(duration_s=float(seconds))))


def last_end_s(run: Any) -> float:
    """When the last answer of a made-up run had come, in session time."""
    return max(request.end_ns for request in run.requests) / 1e9


def gpu_records(seconds: int) -> list[Any]:
    """GPU 0 at 200 W and then 400 W, with an energy counter of 10 W; GPU 1 says nothing but its power."""
    records: list[Any] = [
        GpuDevices(
            t_ns=1,
            source="nvml",
            devices=[GpuDevice("GPU-b", 1, "H200"), GpuDevice("GPU-a", 0, "H200", memory_total_bytes=1000)],
        )
    ]
    for i in range(seconds):
        power = 200.0 if i < 8 else 400.0
        gpus = [
            GpuSample(
                "GPU-a", util_pct=50.0, memory_used_bytes=100 + i, power_w=power, energy_j=5000.0 + 10 * i
            ),
            GpuSample("GPU-b", power_w=70.1),
        ]
        records.append(GpuSamples(t_ns=i * SECOND, took_ns=1, source="nvml", gpus=gpus))
    return records


def stored(run: Any, directory: Path, draw: random.Random | None = None) -> Timeline:
    """Writes the session bit by bit, in random turns of its writers, and folds it as it grows."""
    draw = draw or random.Random(0)
    write(directory, run.manifest)
    queues: list[tuple[Any, list[Any]]] = [(JournalWriter(directory / SUPERVISOR_FILE), list(run.supervised))]
    for worker in sorted({tick.worker for tick in run.ticks}):
        ticks = [tick for tick in run.ticks if tick.worker == worker]
        requests = sorted((r for r in run.requests if r.worker == worker), key=lambda r: r.end_ns)
        queues.append((JournalWriter(directory / worker_file(worker)), ticks))
        queues.append((RequestJournalWriter(directory / request_file(worker)), requests))
    timeline, follower = Timeline(), SessionFollower(directory, requests=True)
    while any(records for _, records in queues):
        writer, records = draw.choice(queues)
        size = draw.choice([1, 3, 20])
        writer.append(records[:size])
        del records[:size]
        if isinstance(writer, RequestJournalWriter) and draw.random() < 0.5:
            writer.flush()
        if draw.random() < 0.3:
            for record in follower.poll():
                timeline.apply(record)
        if draw.random() < 0.05:
            summarise(timeline, run.manifest, live=True)
    for writer, _ in queues:
        writer.close()
    for record in follower.poll():
        timeline.apply(record)
    follower.close()
    return timeline


def embedded(requests: int = 8, seconds: int = 2) -> list[Any]:
    """What a run leaves whose answers have no tokens: request `i` is due at `i` ms of the first second and takes
    `10 + i` ms to its end; its prompt has 40 tokens."""
    ms = SECOND // 1000
    return [
        LoadChange(t_ns=0, change="start", rate_rps=float(requests)),
        Tick(
            t_ns=TICK_NS, dt_ns=TICK_NS, worker=0, due=requests, sent=requests, succeeded=requests,
            input_tokens=40 * requests, rate_rps=float(requests),
        ),
        *(Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0) for i in range(2, 4 * seconds + 1)),
        *(
            Request(
                index=i, worker=0, due_ns=i * ms, sent_ns=i * ms, headers_ns=(5 + i) * ms,
                end_ns=(10 + 2 * i) * ms, status=200, input_tokens=40, token_source="chunks",
                asked_input_tokens=40, asked_output_tokens=0,
            )
            for i in range(requests)
        ),
        End(t_ns=seconds * SECOND, reason="completed"),
    ]  # fmt: skip
