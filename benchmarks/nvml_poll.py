"""What a poll of 8 GPUs costs, how well its rate is held, and what a driver that blocks costs the load.

    python benchmarks/nvml_poll.py [--seconds 60] [--gpus 8] [--rounds 3] [--docs docs/guide/telemetry.md]

Over a stand-in library, not a real driver: the real pynvml calls what is built from
tests/telemetry/nvml/fake_nvml.c (a C compiler is needed), whose answers cost next to nothing. What is
measured is ours (ctypes, threads, records, JSON), not NVIDIA's. The load is a real `ttftop run` against
`ttftop simulate`, once without telemetry, once with it, and once while a call about one GPU blocks for 3 s;
they take turns. The status is 1 when the CPU of a poll or the rate misses its goal.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import msgspec  # noqa: E402

from benchmarks.common.processes import go, of_run  # noqa: E402
from benchmarks.common.section import machine, write  # noqa: E402
from sessions.store.follow import SessionFollower  # noqa: E402
from sessions.timeline.timeline import Timeline  # noqa: E402
from telemetry.nvml.source import INTERVAL_NS, NvmlSource  # noqa: E402
from telemetry.poller import Poller  # noqa: E402
from telemetry.records import GpuSamples, TelemetryRecord  # noqa: E402

SOURCE = ROOT / "tests/telemetry/nvml/fake_nvml.c"
BLOCKED, BLOCKED_S = 3, 3.0
"""The GPU about which a call blocks, and for how long."""
LOAD_S, RATE_RPS = 12.0, 100
FIRST = -10 if os.geteuid() == 0 else 0
"""Nice value of the simulator and of the runs, where that is allowed: all three kinds of run alike."""
CPU_GOAL_MS, RATE_GOAL_PCT = 5.0, 1.0
STATE = (
    "field185 200000\nfield82 71\nfield74 0\nfield269 0\nfield270 0\nfield271 0\nfield197 0\nfield198 0\n"
    "field138 0\nfield139 0\nfield3 0\nfield4 0\nfield143 0\nfield145 0\nreasons 4\n"
    "gpm 1\ngpm2 63500\ngpm5 41200\ngpm10 87000\ngpm20 1000\ngpm21 1000\npid1 4711\npid1_memory 1000000\n"
)


class Polled(NamedTuple):
    """A poller alone, for a minute."""

    polls: int
    span_s: float
    rate_hz: float
    cpu_ms: float
    """Of the whole process, a poll: JSON included."""
    own_ms: tuple[float, float]
    """CPU as the records tell it: median, most."""
    took_ms: tuple[float, float]

    @property
    def off_pct(self) -> float:
        return 100 * (self.rate_hz / (1e9 / INTERVAL_NS) - 1)


class Loaded(NamedTuple):
    """One real run."""

    lag_ms: tuple[float, float, float]
    """Send lag p50, p99, max."""
    sent: int
    due: int
    samples: list[int]
    """Of each GPU, those with values."""
    polls: int


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="that the poller alone is watched")
    parser.add_argument("--gpus", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3, help="of the three runs under load")
    parser.add_argument("--docs", type=Path, help="the page whose section is written")
    options = parser.parse_args()
    if "TTFTOP_FAKE_NVML" not in os.environ:
        sys.exit(again_over_the_library(options.gpus))
    where = machine()
    state = Path(os.environ["TTFTOP_FAKE_NVML"])
    print(f"stand-in for libnvidia-ml.so.1, {options.gpus} GPUs; no real driver. {where}", flush=True)
    alone = polled(options.seconds)
    rounds: dict[str, list[Loaded]] = {}
    with tempfile.TemporaryDirectory() as folder, Simulator() as url:
        for number in range(options.rounds):
            for name, words in (("none", "none"), ("nvml", "nvml"), ("blocked", "nvml")):
                blocks = name == "blocked"
                found = loaded(url, Path(folder) / f"{name}{number}", words, state, options.gpus, blocks)
                rounds.setdefault(name, []).append(found)
                print(f"round {number + 1}, {name}: send lag {found.lag_ms} ms", flush=True)
    text = said(alone, rounds, options.gpus, where)
    print(text)
    if options.docs is not None:
        write(options.docs, "nvml_poll", text)
    sys.exit(alone.cpu_ms > CPU_GOAL_MS or abs(alone.off_pct) > RATE_GOAL_PCT)


def again_over_the_library(gpus: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "libnvidia-ml.so.1"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-lpthread"], check=True)
        says(Path(folder) / "state", gpus)
        # The dynamic linker reads its path when a process starts.
        environment = {**os.environ, "LD_LIBRARY_PATH": folder, "TTFTOP_FAKE_NVML": f"{folder}/state"}
        return subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode


def says(state: Path, gpus: int, more: str = "") -> None:
    new = state.with_suffix(".new")
    new.write_text(f"count {gpus}\n{STATE}{more}")
    new.replace(state)


def polled(seconds: float) -> Polled:
    """Records of so many seconds, encoded as a session's are."""
    records: list[GpuSamples] = []
    encode = msgspec.json.Encoder().encode
    first = threading.Event()

    def take(record: TelemetryRecord) -> None:
        encode(record)
        if isinstance(record, GpuSamples):
            records.append(record)
            first.set()

    origin_ns = time.monotonic_ns()
    poller = Poller([NvmlSource()], take, lambda: time.monotonic_ns() - origin_ns)
    poller.start()
    first.wait()
    cpu_s = time.process_time()
    time.sleep(seconds)
    cpu_s = time.process_time() - cpu_s
    poller.stop()
    polls = records[1:]
    span_s = (polls[-1].t_ns - polls[0].t_ns) / 1e9
    own_ms = sorted((poll.cpu_ns or 0) / 1e6 for poll in polls)
    took_ms = sorted(poll.took_ns / 1e6 for poll in polls)
    return Polled(
        len(polls),
        span_s,
        (len(polls) - 1) / span_s,
        1e3 * cpu_s / len(polls),
        (statistics.median(own_ms), own_ms[-1]),
        (statistics.median(took_ms), took_ms[-1]),
    )


class Simulator:
    """`ttftop simulate` in a process of its own."""

    def __enter__(self) -> str:
        command = [sys.executable, "-m", "tui.cli", "simulate", "--profile", "small", "--port", "0"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        go([self._process.pid], FIRST)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(r"http://\S+", line):
                return found[0]
        raise SystemExit("ttftop simulate did not start")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)


def loaded(url: str, root: Path, telemetry: str, state: Path, gpus: int, blocks: bool) -> Loaded:
    """One run; when it `blocks`, a call about one GPU hangs for 3 s in the middle of it."""
    command = [sys.executable, "-m", "tui.cli", "run", url, "--headless"]
    command += ["--rate", str(RATE_RPS)]
    command += ["--arrivals", "constant", "--duration", f"{LOAD_S:g}s", "--input-tokens", "32"]
    command += ["--output-tokens", "32", "--sessions-dir", str(root), "--telemetry", telemetry]
    timers = []
    if blocks:
        middle_s = LOAD_S / 2
        delay = f"delay_ms.nvmlDeviceGetClockInfo.{BLOCKED} 600000\n"
        timers = [
            threading.Timer(middle_s, says, (state, gpus, delay)),
            threading.Timer(middle_s + BLOCKED_S, says, (state, gpus)),
        ]
    # Once its processes are there, and its load has begun.
    timers.append(threading.Timer(1.5, lambda: go(of_run(root), FIRST)))
    for timer in timers:
        timer.start()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    for timer in timers:
        timer.join()
    (directory,) = root.iterdir()
    summary = json.loads(
        subprocess.run(
            [sys.executable, "-m", "tui.cli", "summary", str(directory), "--json"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    lag: dict[str, Any] = summary["send_lag_ms"]
    if done.returncode not in (0, 1) or not lag["count"]:
        raise SystemExit(f"a run measured nothing:\n{done.stdout}{done.stderr}")
    timeline = timeline_of(directory)
    counts = []
    for gpu in sorted(timeline.gpus.values(), key=lambda gpu: gpu.device(timeline.newest_ns).index):
        util = gpu.samples(timeline.newest_ns)["util_pct"]
        counts.append(int((util == util).sum()))
    polls = max((len(gpu.samples(timeline.newest_ns)) for gpu in timeline.gpus.values()), default=0)
    requests = summary["requests"]
    return Loaded((lag["p50"], lag["p99"], lag["max"]), requests["sent"], requests["due"], counts, polls)


def timeline_of(directory: Path) -> Timeline:
    files, timeline = SessionFollower(directory, requests=False), Timeline()
    while True:
        for record in files.poll():
            timeline.apply(record)
        if not files.behind:
            files.close()
            return timeline


def said(alone: Polled, rounds: dict[str, list[Loaded]], gpus: int, where: str) -> str:
    """The section, in Markdown."""
    lines = [
        f"`python benchmarks/nvml_poll.py`, {gpus} GPUs of the stand-in library, no real driver. {where}.",
        "",
        "| a poller alone | measured | goal |",
        "| --- | ---: | ---: |",
        f"| CPU of a poll, whole process, JSON included | {alone.cpu_ms:.2f} ms | {CPU_GOAL_MS:g} ms |",
        "| CPU of a poll as it records it, median and most "
        f"| {alone.own_ms[0]:.2f}, {alone.own_ms[1]:.2f} ms | |",
        f"| time of a poll, median and most | {alone.took_ms[0]:.2f}, {alone.took_ms[1]:.2f} ms | |",
        f"| rate over {alone.span_s:.2f} s ({alone.polls} polls) "
        f"| {alone.rate_hz:.4f} Hz, {alone.off_pct:+.3f} % | 4 Hz ± {RATE_GOAL_PCT:g} % |",
        "",
        f"The load beside it: {RATE_RPS} requests/s for {LOAD_S:g} s against `ttftop simulate`, medians of "
        f"{len(rounds['none'])} rounds in which the three took turns"
        + (f", at nice {FIRST}." if FIRST else "."),
        "",
        "| telemetry | send lag p50 | p99 (all rounds) | max | sent of due "
        f"| samples of GPU {BLOCKED} | of the others |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    titles = {
        "none": "none",
        "nvml": f"NVML, {gpus} GPUs at 4 Hz",
        "blocked": f"the same, a call about GPU {BLOCKED} blocks for {BLOCKED_S:g} s",
    }
    for name, title in titles.items():
        found = rounds[name]
        p50, p99, most = (statistics.median(run.lag_ms[i] for run in found) for i in range(3))
        low, high = (f(run.lag_ms[1] for run in found) for f in (min, max))
        sent = f"{sum(run.sent for run in found)} of {sum(run.due for run in found)}"
        lines.append(
            f"| {title} | {p50:.3f} ms | {p99:.2f} ({low:.2f} to {high:.2f}) | {most:.1f} | {sent} "
            f"| {_samples(found)} |"
        )
    return "\n".join(lines)


def _samples(runs: list[Loaded]) -> str:
    """`31 of 48 | 48 to 48 of 48`, over all rounds; dashes where nothing was polled."""
    runs = [run for run in runs if run.samples]
    if not runs:
        return "- | -"
    blocked = [run.samples[BLOCKED] for run in runs]
    others = [count for run in runs for i, count in enumerate(run.samples) if i != BLOCKED]
    polls = [run.polls for run in runs]

    def span(values: list[int]) -> str:
        return str(min(values)) if min(values) == max(values) else f"{min(values)} to {max(values)}"

    return f"{span(blocked)} of {span(polls)} | {span(others)} of {span(polls)}"


if __name__ == "__main__":
    main()
