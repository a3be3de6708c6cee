"""What one frame of the screen costs in CPU: 120 columns with 8 GPUs, at several windows.

The session is SIMULATED: workers that send 64 rps x 200 tokens together, 8 GPUs and a server read at 4 Hz.
`python benchmarks/frame_cost.py [HOURS] [WORKERS]`

Frames are asked for as the session screen does it. For each window: a run that is followed (a frame every
100 ms, with what was recorded in them), then jumps about in a run whose limits are all judged, and jumps in
one whose limits are not. The very first frame is told by itself: it puts in order all that was read, which on
a screen is spread over the frames that are drawn while a session is read in.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from loadgen.records import TICK_NS, Tick
from loadgen.sketch import SketchCounts
from sessions.bottleneck.history import BottleneckHistory
from sessions.frame.build import build
from sessions.frame.schema import Frame
from sessions.plan.config import RunConfig
from sessions.plan.target_config import TargetConfig
from sessions.steady.stretch import WindowNow
from sessions.store.manifest import ClockAnchor, Manifest, SessionInfo
from sessions.store.records import LoadChange
from sessions.timeline.timeline import Timeline
from telemetry.records import GpuDevice, GpuDevices, GpuSample, GpuSamples, ServerSample

GPUS, COLUMNS, LIMIT_MS = 8, 120, 10.0
S = 1_000_000_000
FOLLOWED_S = 15
"""Of the session's end, read in as it is drawn."""


def sketch(draw: np.random.Generator, n: int, median_ms: float, sigma: float) -> list[int]:
    counts = SketchCounts()
    for ns in draw.lognormal(np.log(median_ms * 1e6), sigma, n).tolist():
        counts.add(int(ns))
    return counts.take()


def records(ticks: int, workers: int, rps: int = 64) -> Iterator[Any]:
    """By time; a request has 200 tokens."""
    draw = np.random.default_rng(1)
    pool: list[dict[str, Any]] = [
        {
            "itl": sketch(draw, rps * 50 // workers, 20, 0.3),
            **{
                name: sketch(draw, rps // 4 // workers, 200, 0.5)
                for name in ("ttft_from_due", "ttft_from_sent", "e2e")
            },
            "send_lag": sketch(draw, rps // 4 // workers, 0.1, 0.5),
        }
        for _ in range(40)
    ]
    names = [f"GPU-{k}" for k in range(GPUS)]
    devices = [
        GpuDevice(name, k, power_limit_w=700.0, sm_clock_max_mhz=1980.0) for k, name in enumerate(names)
    ]
    yield LoadChange(t_ns=0, change="start", rate_rps=float(rps))
    yield GpuDevices(0, "nvml", devices)
    for i in range(1, ticks + 1):
        t_ns, sent, tokens, sketches = (
            i * TICK_NS,
            rps // 4 // workers,
            rps * 50 // workers,
            pool[i % len(pool)],
        )
        for worker in range(workers):
            yield Tick(
                t_ns=t_ns, dt_ns=TICK_NS, worker=worker, due=sent, sent=sent, succeeded=sent,
                chunks=tokens, output_tokens=tokens, in_flight=270 // workers, rate_rps=float(rps),
                cpu_ns=60_000_000, reads=tokens, chunk_gap=sketches["itl"], **sketches,
            )  # fmt: skip
        samples = [
            GpuSample(
                name, 97.0, 10**10, None, 2 * 10**10, 500.0 + i % 90, temperature_c=61.0, sm_clock_mhz=1980.0,
                energy_j=125.0 * i, sm_active_pct=70.0 + i % 9, dram_active_pct=50.0,
                throttled_pct={"power cap": 0.0, "thermal": 0.0},
            )
            for name in names
        ]  # fmt: skip
        yield GpuSamples(t_ns - 1000, 1, "nvml", samples)
        # The KV cache fills for 50 s of every 500 s: limits change 58 times in 8 hours.
        yield ServerSample(
            t_ns - 2000, 1, "m", running=99.0, waiting=0.0, kv_pct=99.0 if i % 2000 < 200 else 40.0
        )


def told(name: str, frames_ms: list[float]) -> float:
    """Prints a row; the median."""
    middle, high = np.quantile(frames_ms, (0.5, 0.99)).tolist()
    print(f"  {name:<44} median {middle:5.1f}  p99 {high:5.1f}  most {max(frames_ms):5.1f} ms")
    return float(middle)


def main() -> int:
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    ticks = int(hours * 3600 * S) // TICK_NS
    end_ns, draw = ticks * TICK_NS, random.Random(1)
    timeline = Timeline()
    to_come: list[Any] = []
    began = time.process_time()
    for record in records(ticks, workers):
        if record.t_ns <= end_ns - 3 * FOLLOWED_S * S:
            timeline.apply(record)
        else:
            to_come.append(record)
    print(f"SIMULATED {hours:g} h, {workers} worker(s), {GPUS} GPUs, {COLUMNS} columns; CPU time")
    print(f"  made and read in: {time.process_time() - began:.1f} s")
    history, windows = BottleneckHistory(timeline), WindowNow(timeline)
    manifest = Manifest(
        SessionInfo("i", "n", ""), ClockAnchor(0, 0), RunConfig(TargetConfig("http://127.0.0.1:1"))
    )

    def frame(at_ns: int, window_ns: int, of: BottleneckHistory) -> tuple[float, Frame]:
        before = time.process_time()
        drawn = build(
            timeline,
            manifest,
            at_ns=at_ns,
            window_ns=window_ns,
            slots=COLUMNS,
            live=True,
            killed=False,
            history=of,
            windows=windows,
        )
        return (time.process_time() - before) * 1e3, drawn

    def followed(window_ns: int) -> Iterator[float]:
        began_ns = timeline.newest_ns
        for i in range(10 * FOLLOWED_S):
            at_ns = began_ns + i * S // 10
            while to_come and to_come[0].t_ns <= at_ns:
                record = to_come.pop(0)
                timeline.apply(record)
                history.noted(record.t_ns)
            yield frame(timeline.known_ns, window_ns, history)[0]

    at_ns = timeline.known_ns
    first_ms, drawn = frame(at_ns, 60 * S, history)
    print(f"  the first frame of all: {first_ms:.0f} ms")
    caught_up: list[float] = []
    while drawn.limits_pending:
        spent_ms, drawn = frame(at_ns, 60 * S, history)
        caught_up.append(spent_ms)
    told(f"{len(caught_up)} frames until its limits are judged", caught_up or [0.0])
    worst = 0.0
    for window_s in (30, 300, int(hours * 3600)):
        window_ns = window_s * S
        told(f"{window_s} s, the first frame", [frame(at_ns, window_ns, history)[0]])
        jumps = [draw.randrange(at_ns) for _ in range(100)]
        searched = BottleneckHistory(timeline)
        rows = {
            "followed": list(followed(window_ns)),
            "jumps": [frame(to_ns, window_ns, history)[0] for to_ns in jumps],
            "jumps, limits not judged": [frame(to_ns, window_ns, searched)[0] for to_ns in jumps],
        }
        worst = max(worst, *(told(f"{window_s} s, {name}", frames_ms) for name, frames_ms in rows.items()))
    print(f"  allowed: a median of {LIMIT_MS:g} ms; most {worst:.1f} ms")
    return 0 if worst <= LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
