"""How large a session grows: 60 s of 64 rps x 200 tokens written as a worker would, taken to an hour.

The requests are SIMULATED (log-normal TTFT and token gaps, in whole microseconds), the writers are real.
`python benchmarks/journal_size.py [SIGMA] [--docs docs/format/session.md]`:
spread of the gaps, 0.3 unless told; more spread packs worse.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common.section import write
from loadgen.records import TICK_NS, Request, Tick
from loadgen.sketch import SketchCounts
from sessions.store.journal import (
    TELEMETRY_FILE,
    JournalWriter,
    RequestJournalWriter,
    request_file,
    worker_file,
)
from telemetry.records import GpuSample, GpuSamples, ServerSample

SECONDS, RATE_RPS, TOKENS, GPUS = 60, 64, 200, 8
LIMIT_MB = 150.0


def requests(draw: np.random.Generator, sigma: float) -> list[Request]:
    due = np.cumsum(draw.exponential(1e9 / RATE_RPS, SECONDS * RATE_RPS)).astype(np.int64)
    found = []
    for i, due_ns in enumerate(due.tolist()):
        gaps = draw.lognormal(np.log(20_000), sigma, TOKENS - 1).astype(int).tolist()
        first = due_ns + int(draw.lognormal(np.log(150e6), 0.4))
        last = first + 1000 * sum(gaps)
        found.append(
            Request(
                index=i,
                worker=0,
                due_ns=due_ns,
                sent_ns=due_ns + 80_000,
                headers_ns=first - 300_000,
                first_event_ns=first - 200_000,
                first_token_ns=first,
                last_token_ns=last,
                end_ns=last + 150_000,
                status=200,
                finish_reason="length",
                input_tokens=256,
                output_tokens=TOKENS,
                asked_input_tokens=256,
                asked_output_tokens=TOKENS,
                chunks=TOKENS,
                gaps_us=gaps,
            )
        )
    return sorted(found, key=lambda request: request.end_ns)


def ticks(draw: np.random.Generator, sigma: float) -> list[Tick]:
    """Ticks of steady load: as many tokens in each as arrive in a quarter of a second."""
    found = []
    for i in range(1, SECONDS * 4 + 1):
        gaps, ttft = SketchCounts(), SketchCounts()
        for gap_us in draw.lognormal(np.log(20_000), sigma, RATE_RPS * TOKENS // 4).tolist():
            gaps.add(int(gap_us * 1000))
        for ns in draw.lognormal(np.log(150e6), 0.4, RATE_RPS // 4).tolist():
            ttft.add(int(ns))
        itl, first = gaps.take(), ttft.take()
        found.append(
            Tick(
                t_ns=i * TICK_NS,
                dt_ns=TICK_NS,
                worker=0,
                due=16,
                sent=16,
                succeeded=16,
                chunks=3200,
                output_tokens=3200,
                in_flight=270,
                rate_rps=64.0,
                itl=itl,
                chunk_gap=itl,
                ttft_from_due=first,
                ttft_from_sent=first,
                e2e=first,
                send_lag=first,
                loop_lag_max_ns=312_345,
                cpu_ns=60_123_456,
                reads=3000,
                coalesced_reads=40,
                kernel_reads=3000,
            )
        )
    return found


def telemetry(i: int) -> list[GpuSamples | ServerSample]:
    t_ns = i * TICK_NS + 123_456
    gpus = [
        GpuSample(f"GPU-0a1b2c3d-0000-1111-2222-33334444555{k}", 97.0, 74_100_000_000 + i, 500_000_000)
        for k in range(GPUS)
    ]
    for gpu in gpus:
        gpu.power_w, gpu.temperature_c, gpu.sm_clock_mhz, gpu.energy_j = (
            655.123,
            71.0,
            1755.0,
            123_456.789 + i,
        )
    server = ServerSample(t_ns, 3_123_456, "http://127.0.0.1:8000/metrics", 128.0, 17.0, 97.1, 12.0)
    return [GpuSamples(t_ns, 3_123_456, "nvml", gpus), server]


def section(sizes: dict[str, float], sigma: float) -> str:
    """Megabytes an hour by file, in Markdown."""
    what = f"An hour of {RATE_RPS} requests/s of {TOKENS} tokens, {GPUS} GPUs, SIMULATED (sigma {sigma:g}):"
    rows = [f"| `{name}` | {size:.1f} |" for name, size in sizes.items()]
    return "\n".join(
        [what, "", "| file | MB |", "| --- | ---: |", *rows, f"| all of them | {sum(sizes.values()):.1f} |"]
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sigma", nargs="?", type=float, default=0.3, help="spread of the gaps")
    parser.add_argument("--docs", type=Path, help="the page whose section is written")
    options = parser.parse_args()
    sigma: float = options.sigma
    draw = np.random.default_rng(1)
    made, made_ticks = requests(draw, sigma), ticks(draw, sigma)
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        lines, packed = (
            JournalWriter(directory / worker_file(0)),
            RequestJournalWriter(directory / request_file(0)),
        )
        machines = JournalWriter(directory / TELEMETRY_FILE)
        cpu_s = time.process_time()
        per_tick = len(made) // len(made_ticks)
        for i, tick in enumerate(made_ticks):
            lines.append(tick)
            packed.append(made[i * per_tick : (i + 1) * per_tick])
            packed.flush()
        cpu_s = time.process_time() - cpu_s
        for i in range(len(made_ticks)):
            machines.append(telemetry(i))
        for writer in (lines, packed, machines):
            writer.close()
        hour = 3600 / SECONDS / 1e6
        sizes = {path.name: path.stat().st_size * hour for path in sorted(directory.iterdir())}
    total = sum(sizes.values())
    print(f"SIMULATED {SECONDS} s of {RATE_RPS} rps x {TOKENS} tokens (sigma {sigma:g}), taken to an hour:")
    for name, size in sizes.items():
        print(f"  {name:<24} {size:8.1f} MB")
    print(f"  {'total':<24} {total:8.1f} MB (allowed {LIMIT_MB:g} MB)")
    print(f"writing one worker's lines took {cpu_s / SECONDS:.1%} of a core (recorder thread, mostly gzip)")
    if options.docs is not None:
        write(options.docs, "journal_size", section(sizes, sigma))
    return 0 if total < LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
