"""A long run with its screen open: does memory stay flat, are descriptors given back, do times stay exact?

    python benchmarks/soak.py [--minutes 60] [--rate 16] [--tokens 64] [--docs docs/measured/endurance.md]
    python benchmarks/soak.py --minutes 480 --streams 200 --tokens 256 --input-tokens 192 --speed 8

A run on a real terminal of 120x40 against the simulator in a process of its own (SIMULATED: what is measured
are our own processes, files and clocks). The time is cut into eight slices. Of each: the resident memory of
screen, supervisor and load workers at its end, their open descriptors, the bytes on disk, and the send lag of
the requests due in it. Memory is taken to 24 h by the slope over the second half, held against 300, 100 and
100 MB; not of less than two hours, in which what is kept whole of a run is still being filled.

By `--speed 8` all processes live by a clock eight times as fast (tests/faults/clock.py, which needs a C
compiler): eight hours pass in an hour. Then memory, descriptors and bytes on disk are what is measured,
and no time is told.
"""

from __future__ import annotations

import argparse
import os
import re
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common.section import machine, write
from loadgen.records import Request
from sessions.store.follow import following
from sessions.store.journal import request_paths
from sessions.store.manifest import read
from tests.faults.clock import FaultClock, why_none
from tests.tui.terminal import on_a_terminal

SLICES = 8
MODULES = {"tui.cli": "screen", "sessions.run": "supervisor", "sessions.worker.process": "worker"}
LEAST_TAKEN_MIN = 120.0
MOST_MB = {"screen": 300.0, "supervisor": 100.0, "worker": 100.0}
COMMAND = [sys.executable, "-m", "tui.cli"]
ROOT = Path(__file__).resolve().parents[1]


class Sample(NamedTuple):
    at_s: float
    memory_mb: dict[str, float]
    descriptors: dict[str, int]
    disk_mb: float


def sampled(run: int, directory: Path, at_s: float) -> Sample:
    """What a run takes now; of several workers the largest."""
    memory_mb: dict[str, float] = {}
    descriptors: dict[str, int] = {}
    with suppress(psutil.Error):
        command = psutil.Process(run)
        for process in (command, *command.children(recursive=True)):
            with suppress(psutil.Error):
                words = process.cmdline()
                name = next((name for module, name in MODULES.items() if module in words), None)
                if name is not None:
                    memory_mb[name] = max(memory_mb.get(name, 0.0), process.memory_info().rss / 1e6)
                    descriptors[name] = max(descriptors.get(name, 0), process.num_fds())
    disk_mb = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file()) / 1e6
    return Sample(at_s, memory_mb, descriptors, disk_mb)


def a_day(samples: list[Sample], name: str) -> float | None:
    """MB after 24 h, by the line through the samples of the second half; None where it was never seen."""
    seen = [(sample.at_s, sample.memory_mb[name]) for sample in samples if name in sample.memory_mb]
    half = seen[len(seen) // 2 :]
    if len(half) < 2:
        return None
    at_s, mb = np.array(half).T
    slope, _ = np.polyfit(at_s, mb, 1)
    return float(mb[-1] + max(slope, 0.0) * (86_400 - at_s[-1]))


def sent_requests(directory: Path) -> np.ndarray:
    """Of each request that was sent: due at s, sent so many ms late, its chunks; `(requests, 3)`."""
    found = []
    for path in request_paths(directory):
        file = following(path)
        while records := file.poll():
            for record in records:
                if isinstance(record, Request) and record.sent_ns is not None:
                    late_ms = (record.sent_ns - record.due_ns) / 1e6
                    found.append((record.due_ns / 1e9, late_ms, record.chunks))
    return np.array(found).reshape(-1, 3)


def soak(asked: argparse.Namespace, root: Path, environment: Mapping[str, str]) -> tuple[Path, list[Sample]]:
    """Runs it; the session's directory, and a sample every half slice."""
    server = subprocess.Popen(
        [*COMMAND, "simulate", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    try:
        assert server.stdout is not None
        url = next(found[0] for line in server.stdout if (found := re.search(r"http://127\S*:\d+", line)))
        threading.Thread(target=server.stdout.read, daemon=True).start()
        load = (
            ["--rate", f"{asked.rate:g}"] if asked.streams is None else ["--concurrency", str(asked.streams)]
        )
        argv = [*COMMAND, "run", url, *load, "--output-tokens", str(asked.tokens)]
        argv += ["--input-tokens", str(asked.input_tokens)]
        argv += ["--duration", f"{asked.minutes * 60:g}s", "--sessions-dir", str(root)]
        run, terminal = on_a_terminal(argv, (120, 40), {**environment, "TERM": "xterm-256color"}, ROOT)
        reading = threading.Thread(target=_read, args=(terminal,), daemon=True)
        reading.start()
        return _watch(run, root, asked.minutes * 60, asked.speed)
    finally:
        server.kill()


def _read(terminal: int) -> None:
    with suppress(OSError):
        while select.select([terminal], [], []) and os.read(terminal, 1 << 16):
            pass


def _watch(run: subprocess.Popen[bytes], root: Path, seconds: float, speed: int) -> tuple[Path, list[Sample]]:
    """`seconds` are those of the run's own clock, and so are the times of the samples."""
    while not (found := list(root.glob("*/session.toml"))):
        if run.poll() is not None:
            raise SystemExit("the run did not begin")
        time.sleep(0.1)
    directory, begun_s, samples = found[0].parent, time.monotonic(), list[Sample]()
    every_s = seconds / (2 * SLICES)
    while len(samples) < 2 * SLICES and run.poll() is None:
        until_s = begun_s + every_s * (len(samples) + 1) / speed - 0.5
        time.sleep(max(0.0, until_s - time.monotonic()))
        samples.append(sampled(run.pid, directory, (time.monotonic() - begun_s) * speed))
        print(f"\r{len(samples)} of {2 * SLICES}", end="", file=sys.stderr, flush=True)
    until_s = time.monotonic() + 120
    while read(directory).result is None and time.monotonic() < until_s:
        time.sleep(0.2)
    run.terminate()
    run.wait()
    return directory, samples


def report(directory: Path, samples: list[Sample], minutes: float, speed: int) -> tuple[str, bool]:
    """A table in Markdown, and whether all of it is within its bounds."""
    slice_s = minutes * 60 / SLICES
    names, sent = list(MOST_MB), sent_requests(directory)
    timed = speed == 1
    """The lag of a send is so many times as long by a fast clock, and so is every wait for a core."""
    events = sent[:, 2].sum() / (minutes * 60)
    clock = "" if timed else f"clock x{speed}: {minutes / 60:.3g} h of it in {minutes / speed:.3g} min, "
    lines = [
        f"{minutes:g} min, {clock}{events:.0f} events/s, {time.strftime('%Y-%m-%d')}, {machine()}. "
        "SIMULATED server, real processes.",
        "",
        f"| to min | {' | '.join(f'{name} MB' for name in names)} | descriptors | disk MB | requests |"
        + (" send lag p50 ms | p99 ms |" if timed else ""),
        f"| {'---: | ' * (len(names) + 4 + 2 * timed)}".rstrip(),
    ]
    for number in range(min(SLICES, len(samples) // 2)):
        sample = samples[2 * number + 1]
        due_s = sent[:, 0]
        own = sent[(due_s >= number * slice_s) & (due_s < (number + 1) * slice_s), 1]
        p50, p99 = np.percentile(own, [50, 99]) if len(own) else (np.nan, np.nan)
        memory = " | ".join(f"{sample.memory_mb.get(name, np.nan):.1f}" for name in names)
        taken = " / ".join(str(sample.descriptors.get(name, "-")) for name in names)
        lines.append(
            f"| {(number + 1) * slice_s / 60:.4g} | {memory} | {taken} | {sample.disk_mb:.2f} | {len(own)} |"
            + (f" {p50:.3f} | {p99:.3f} |" if timed else "")
        )
    days = {name: a_day(samples, name) for name in names}
    said = ", ".join(
        f"{name} {'not seen' if mb is None else f'{mb:.0f} MB'} (bound {MOST_MB[name]:.0f})"
        for name, mb in days.items()
    )
    if minutes < LEAST_TAKEN_MIN:
        most = {name: max(sample.memory_mb.get(name, 0.0) for sample in samples) for name in names}
        lines += ["", "Too short to be taken to 24 h: the first hours fill what is kept whole of a run."]
        return "\n".join(lines), all(mb <= MOST_MB[name] for name, mb in most.items())
    lines += ["", f"Taken to 24 h by the slope of the second half: {said}."]
    return "\n".join(lines), all(mb is not None and mb <= MOST_MB[name] for name, mb in days.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=16.0, help="requests per second (16)")
    parser.add_argument("--tokens", type=int, default=64, help="of each answer (64)")
    parser.add_argument("--input-tokens", type=int, default=256, help="of each prompt (256)")
    parser.add_argument("--streams", type=int, help="so many at all times, not a rate")
    parser.add_argument("--speed", type=int, default=1, help="of the clock that all of it lives by (1)")
    parser.add_argument("--docs", type=Path, help="a page whose section is rewritten")
    asked = parser.parse_args()
    if asked.speed != 1 and why_none():
        raise SystemExit(f"--speed: {why_none()}")
    with ExitStack() as opened:
        place = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        environment = dict(os.environ)
        if asked.speed != 1:
            environment = opened.enter_context(FaultClock(asked.speed)).environment()
        directory, samples = soak(asked, place, environment)
        said, within = report(directory, samples, asked.minutes, asked.speed)
    print(f"\n{said}")
    if asked.docs is not None:
        write(asked.docs, "soak" if asked.speed == 1 else "soak-fast", said)
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
