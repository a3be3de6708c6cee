"""Sessions in which anything may happen, for properties of what bound when. The same seed, the same session."""

from __future__ import annotations

import random
from typing import Any

from loadgen.records import TICK_NS, Tick, WorkerNote
from loadgen.sketch import bucket
from sessions.store.records import LoadChange
from telemetry.records import GpuDevice, GpuDevices, GpuSample, GpuSamples, ServerSample

S = 1_000_000_000


def random_session(seed: int, seconds: int = 150) -> list[Any]:
    """Records by time. Figures are multiples of an eighth, so that no sum of them depends on its order."""
    draw = random.Random(seed)
    begin_ns = draw.choice((0, S, 3 * S + 7, 40 * S))
    records: list[Any] = [_change(draw, begin_ns)] if draw.random() < 0.9 else []
    records += [_change(draw, begin_ns + draw.randrange(seconds * S)) for _ in range(draw.randrange(4))]
    for worker in range(draw.choice((1, 1, 2, 3))):
        records += _worker(draw, worker, begin_ns, seconds)
    for source in ("metrics-b", "metrics-a")[: draw.randrange(3)]:
        records += _server(draw, source, begin_ns, seconds)
    records += _gpus(draw, draw.randrange(4), begin_ns, seconds)
    return sorted(records, key=lambda record: record.t_ns)


def _change(draw: random.Random, t_ns: int) -> LoadChange:
    if draw.random() < 0.2:
        return LoadChange(t_ns=t_ns, change="concurrency", concurrency=draw.randrange(1, 40))
    return LoadChange(t_ns=t_ns, change="rate", rate_rps=float(draw.choice((1, 8, 40))))


def _stretches(draw: random.Random, seconds: int) -> list[tuple[int, int, int]]:
    """From and to which tick something of a kind holds, kinds 0 to 9."""
    out, at = [], 0
    while at < 4 * seconds:
        length = draw.choice((1, 3, 9, 20, 60, 200))
        out.append((at, min(at + length, 4 * seconds), draw.randrange(10)))
        at += length
    return out


def _worker(draw: random.Random, worker: int, begin_ns: int, seconds: int) -> list[Any]:
    out: list[Any] = []
    before = 0
    in_flight = 0
    for first, last, kind in _stretches(draw, seconds):
        if kind == 0:  # no word of it
            continue
        sent, slow = draw.choice((0, 2, 8)), draw.random() < 0.2
        if kind == 1:
            out.append(WorkerNote(begin_ns + first * TICK_NS + draw.randrange(S), worker, "backing_off"))
            out.append(WorkerNote(begin_ns + last * TICK_NS + 1, worker, "reachable_again"))
        for i in range(first, last):
            if kind == 2 and i % 9:  # long ticks
                continue
            in_flight = max(in_flight + draw.choice((-2, 0, 1, 3)), 0) if kind != 3 else 0
            failed = sent // 2 if kind == 4 else 0
            t_ns = begin_ns + (i + 1) * TICK_NS
            rate = None if kind == 9 else 8.0 + (i - first if kind == 5 else 0)
            out.append(
                Tick(
                    t_ns=t_ns, dt_ns=(i + 1 - before) * TICK_NS, worker=worker,
                    due=sent + (kind == 6) * 4, sent=sent, succeeded=sent - failed, failed=failed,
                    output_tokens=0 if kind == 7 else 64 * sent, in_flight=in_flight,
                    backlog=9 if kind == 6 else 0, rate_rps=rate, reads=64, coalesced_reads=40 if slow else 2,
                    cpu_ns=draw.choice((20, 220 if slow else 40)) * 1_000_000,
                    loop_lag_max_ns=60_000_000 if slow else 300_000,
                    e2e=[bucket(draw.choice((S // 2, S))), sent] if sent else [],
                    ttft_from_due=[bucket(S // 8), sent] if sent else [],
                    send_lag=[bucket(90_000_000 if slow else 1_000_000), sent] if sent else [],
                )
            )  # fmt: skip
            before = i + 1
    return out


def _server(draw: random.Random, source: str, begin_ns: int, seconds: int) -> list[Any]:
    out: list[Any] = []
    preempted = 0.0
    for first, last, kind in _stretches(draw, seconds):
        for i in range(first, last):
            preempted += 0.5 if kind == 1 else 0.0
            if kind == 0:
                continue
            known = kind != 9 or draw.random() < 0.5
            out.append(
                ServerSample(
                    begin_ns + i * TICK_NS + 5, 1, source, running=8.0,
                    waiting=draw.choice((0.0, 1.0, 3.0)) if kind in (2, 3) else 0.0 if known else None,
                    kv_pct=draw.choice((99.0, 92.0, 88.0)) if kind in (3, 4) else 20.0 if known else None,
                    preemptions=preempted if known else None,
                )
            )  # fmt: skip
    return out


def _gpus(draw: random.Random, count: int, begin_ns: int, seconds: int) -> list[Any]:
    if not count:
        return []
    out: list[Any] = []
    for t_ns in (
        begin_ns + 1,
        begin_ns + draw.randrange(seconds * S),
        begin_ns + draw.randrange(seconds * S),
    ):
        devices = [
            GpuDevice(
                f"g{i}", i, sm_clock_max_mhz=2000.0, power_limit_w=draw.choice((None, 700.0)),
                serves_target=draw.choice((None, None, True, False)),
            )
            for i in range(count)
        ]  # fmt: skip
        out.append(GpuDevices(t_ns, draw.choice(("nvml", "dcgm")), devices))
    for source in ("dcgm", "nvml")[: draw.randrange(1, 3)]:
        for first, last, kind in _stretches(draw, seconds):
            for i in range(first, last):
                if kind == 0:
                    continue
                samples = [
                    GpuSample(
                        f"g{k}", draw.choice((40.0, 100.0)), power_w=draw.choice((300.0, 690.0, 660.0)),
                        temperature_c=draw.choice((50.0, 90.0)) if kind == 1 else 50.0,
                        sm_clock_mhz=draw.choice((1500.0, 1900.0)) if kind in (1, 2) else 2000.0,
                        throttled_pct={"power cap": draw.choice((0.0, 15.0, 40.0))} if kind == 3 else None,
                        sm_active_pct=draw.choice((60.0, 87.0, 95.0)) if kind in (4, 5) else None,
                        dram_active_pct=draw.choice((60.0, 72.0, 90.0)) if kind in (5, 6) else None,
                    )
                    for k in range(count)
                ]  # fmt: skip
                out.append(GpuSamples(begin_ns + i * TICK_NS + 9, 1, source, samples))
    return out
