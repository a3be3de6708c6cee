"""What a poll of 8 GPUs costs, and how well its rate is held: over the stand-in library, not a real driver.

    python benchmarks/nvml_poll.py [--seconds 60] [--gpus 8]

Needs a C compiler. The real pynvml calls a library built from tests/telemetry/fake_nvml.c, whose answers cost
next to nothing: what is measured is ours (ctypes, threads, records, JSON), not NVIDIA's.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import msgspec

from telemetry.nvml import INTERVAL_NS, NvmlSource
from telemetry.poller import Poller
from telemetry.records import GpuSamples, SourceNote, TelemetryRecord

SOURCE = Path(__file__).parents[1] / "tests/telemetry/fake_nvml.c"
BLOCKED_S = 3.0
BLOCKED = 3
STATE = (
    "field185 200000\nfield82 71\nfield74 0\nfield269 0\nfield270 0\nfield271 0\nfield197 0\nfield198 0\n"
    "field138 0\nfield139 0\nfield3 0\nfield4 0\nfield143 0\nfield145 0\nreasons 4\n"
    "gpm 1\ngpm2 63500\ngpm5 41200\ngpm10 87000\ngpm20 1000\ngpm21 1000\npid1 4711\npid1_memory 1000000\n"
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--gpus", type=int, default=8)
    options = parser.parse_args()
    if "TTFTOP_FAKE_NVML" not in os.environ:
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / "libnvidia-ml.so.1"
            subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-lpthread"], check=True)
            says(Path(folder) / "state", options.gpus)
            # The dynamic linker reads its path when a process starts.
            environment = {
                **os.environ,
                "LD_LIBRARY_PATH": folder,
                "TTFTOP_FAKE_NVML": f"{folder}/state",
                "PYTHONPATH": str(Path(__file__).parents[1]),
            }
            sys.exit(subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode)
    print(f"stand-in for libnvidia-ml.so.1, {options.gpus} GPUs; no real driver")
    measure(options.seconds)
    block(Path(os.environ["TTFTOP_FAKE_NVML"]), options.gpus)


def says(state: Path, gpus: int, more: str = "") -> None:
    new = state.with_suffix(".new")
    new.write_text(f"count {gpus}\n{STATE}{more}")
    new.replace(state)


def polled(seconds: float) -> tuple[list[TelemetryRecord], float]:
    """Records of so many seconds, encoded as a session's are; CPU seconds of this process meanwhile."""
    records: list[TelemetryRecord] = []
    encode = msgspec.json.Encoder().encode
    first = threading.Event()

    def take(record: TelemetryRecord) -> None:
        encode(record)
        records.append(record)
        if isinstance(record, GpuSamples):
            first.set()

    origin_ns = time.monotonic_ns()
    poller = Poller([NvmlSource()], take, lambda: time.monotonic_ns() - origin_ns)
    poller.start()
    first.wait()
    cpu_s = time.process_time()
    time.sleep(seconds)
    cpu_s = time.process_time() - cpu_s
    poller.stop()
    return records, cpu_s


def measure(seconds: float) -> None:
    records, cpu_s = polled(seconds)
    polls = [record for record in records if isinstance(record, GpuSamples)][1:]
    span_s = (polls[-1].t_ns - polls[0].t_ns) / 1e9
    own_ms = sorted((poll.cpu_ns or 0) / 1e6 for poll in polls)
    took_ms = sorted(poll.took_ns / 1e6 for poll in polls)
    wanted_hz = 1e9 / INTERVAL_NS
    rate_hz = (len(polls) - 1) / span_s
    print(f"polls                 {len(polls)} in {span_s:.2f} s")
    print(
        f"rate                  {rate_hz:.4f} Hz, {100 * (rate_hz / wanted_hz - 1):+.2f} % of {wanted_hz:g}"
    )
    print(f"CPU, whole process    {1e3 * cpu_s / len(polls):.2f} ms a poll (goal: 5), JSON included")
    print(
        f"CPU, as recorded      {own_ms[len(own_ms) // 2]:.2f} ms at the median, {own_ms[-1]:.2f} ms at most"
    )
    print(
        f"time of a poll        {took_ms[len(took_ms) // 2]:.2f} ms at the median, {took_ms[-1]:.2f} at most"
    )


def block(state: Path, gpus: int) -> None:
    """GPU 3 blocks for 3 s in the middle of 6: how many samples each GPU gets."""
    release = threading.Timer(1.5 + BLOCKED_S, says, (state, gpus))
    threading.Timer(1.5, says, (state, gpus, f"delay_ms.nvmlDeviceGetClockInfo.{BLOCKED} 600000\n")).start()
    release.start()
    records, _ = polled(6.0)
    release.join()
    polls = [record for record in records if isinstance(record, GpuSamples)]
    got = [sum(poll.gpus[place].util_pct is not None for poll in polls) for place in range(gpus)]
    others = got[:BLOCKED] + got[BLOCKED + 1 :]
    print(
        f"GPU {BLOCKED} blocks for {BLOCKED_S:g} s: it has {got[BLOCKED]} of {len(polls)} samples, ", end=""
    )
    print(f"the others have {min(others)} to {max(others)}")
    for record in records:
        if isinstance(record, SourceNote):
            print(f"    {record.message}")


if __name__ == "__main__":
    main()
