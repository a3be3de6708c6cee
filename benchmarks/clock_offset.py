"""How well the clock of another machine is known, of one that is known: 500 ms ahead, 50 ppm faster.

`python benchmarks/clock_offset.py [--seconds 60] [--docs docs/measured/nodes.md]`: processes of this machine
answer what time it is, by a clock that is made of ours: over UDP, over a pipe behind two others (as an ssh
is), and over that with as long on the way as a call of a Ray actor takes (0.4 ms each way on average, more
than 2 ms now and then). Asked as a node is: 40 times, 5 times every 5 s, 40 times. First idle, then with a
busy process a core.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common.section import machine, write
from sessions.nodes.clock import AT_THE_ENDS, BETWEEN, FIRST_WAITS_S, INTERVAL_S
from telemetry.clock_offset import ClockOffset

OFFSET_NS, DRIFT = 500_000_000, 50e-6
BEYOND_S = 5.0
"""So long after the last answer it is still looked."""
_TIME = struct.Struct("q")

ANSWERS = f"""
import os, random, socket, struct, sys, time
way, began = sys.argv[1], int(sys.argv[2])
def there():
    now = time.monotonic_ns()
    return now + {OFFSET_NS} + round((now - began) * {DRIFT})
def on_the_way():
    time.sleep(min(random.expovariate(1 / 0.0004), 0.02))
if way == "udp":
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.bind(("127.0.0.1", 0))
    print(end.getsockname()[1], flush=True)
    while True:
        _, asker = end.recvfrom(64)
        end.sendto(struct.pack("q", there()), asker)
while os.read(0, 1):
    if way == "ray":
        on_the_way()
    answer = struct.pack("q", there())
    if way == "ray":
        on_the_way()
    os.write(1, answer)
"""
_RELAY = "import os\nwhile data := os.read(0, 4096): os.write(1, data)"


class Way(NamedTuple):
    name: str
    ask: Callable[[], int]
    close: Callable[[], None]


def opened(name: str, began_ns: int) -> Way:
    answers = [sys.executable, "-S", "-c", ANSWERS, name, str(began_ns)]
    if name == "udp":
        process = subprocess.Popen(answers, stdout=subprocess.PIPE)
        assert process.stdout is not None
        end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        end.settimeout(10.0)
        end.connect(("127.0.0.1", int(process.stdout.readline())))

        def ask() -> int:
            end.send(b"?")
            return int(_TIME.unpack(end.recv(64))[0])

        return Way(name, ask, process.kill)
    relay = [sys.executable, "-S", "-c", _RELAY]
    there = subprocess.Popen(relay, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process = subprocess.Popen(answers, stdin=there.stdout, stdout=subprocess.PIPE)
    back = subprocess.Popen(relay, stdin=process.stdout, stdout=subprocess.PIPE)
    assert there.stdin is not None
    assert back.stdout is not None
    question, answer = there.stdin.fileno(), back.stdout.fileno()

    def ask_pipe() -> int:
        os.write(question, b"?")
        data = b""
        while len(data) < _TIME.size:
            data += os.read(answer, _TIME.size - len(data))
        return int(_TIME.unpack(data)[0])

    def close() -> None:
        for one in (there, process, back):
            one.kill()

    return Way(name, ask_pipe, close)


class Found(NamedTuple):
    round_trips_ns: list[int]
    errors_ns: list[int]
    bounds_ns: list[int]
    drift_error_ppm: float
    drift_within_ppm: float
    steps: int


def measured(name: str, seconds: float) -> Found:
    began_ns = time.monotonic_ns()
    way, clock, rng = opened(name, began_ns), ClockOffset(), random.Random(name)
    round_trips: list[int] = []
    steps = 0

    def ask(times: int) -> None:
        nonlocal steps
        for _ in range(times):
            asked_ns = time.monotonic_ns()
            there_ns = way.ask()
            received_ns = time.monotonic_ns()
            steps += clock.answered(asked_ns, there_ns, received_ns) is not None
            round_trips.append(received_ns - asked_ns)

    errors: list[int] = []
    bounds: list[int] = []

    def look(from_ns: int, to_ns: int, times: int = 40) -> None:
        for _ in range(times):
            here_ns = rng.randrange(from_ns, to_ns)
            there_ns = here_ns + OFFSET_NS + round((here_ns - began_ns) * DRIFT)
            errors.append(abs(clock.here_ns(there_ns) - here_ns))
            bounds.append(clock.within_ns(here_ns))

    ask(AT_THE_ENDS)
    for wait_s in (*FIRST_WAITS_S, *[INTERVAL_S] * round(seconds / INTERVAL_S)):
        asked_ns = time.monotonic_ns()
        time.sleep(wait_s)
        look(asked_ns, time.monotonic_ns())  # as a screen does meanwhile: nothing newer is known
        ask(BETWEEN)
    ask(AT_THE_ENDS)
    now_ns = time.monotonic_ns()
    look(began_ns, now_ns, 400)
    look(now_ns, now_ns + round(BEYOND_S * 1e9))
    way.close()
    off = abs(clock.drift_ppm - DRIFT * 1e6)
    return Found(round_trips, errors, bounds, off, clock.drift_within_ppm, steps)


def row(name: str, state: str, found: Found) -> str:
    trips, errors, bounds = sorted(found.round_trips_ns), found.errors_ns, found.bounds_ns
    held = sum(error <= bound for error, bound in zip(errors, bounds, strict=True))
    p99 = trips[math.ceil(0.99 * len(trips)) - 1]
    cells = [
        f"{name}, {state}",
        f"{median(trips) / 1e3:,.0f} ({p99 / 1e3:,.0f})",
        f"{median(errors) / 1e3:,.1f} ({max(errors) / 1e3:,.1f})",
        f"{median(bounds) / 1e3:,.0f} ({max(bounds) / 1e3:,.0f})",
        f"{held}/{len(errors)}",
        f"{found.drift_error_ppm:.2f} ({found.drift_within_ppm:.0f})",
        str(found.steps),
    ]
    return f"| {' | '.join(cells)} |"


HEAD = (
    "| way | round trip, median (p99), us | error, median (max), us | bound, median (max), us | covered "
    "| drift off (bound), ppm | steps told |\n| --- | --- | --- | --- | --- | --- | --- |"
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--docs", type=Path, help="page to write the table into")
    options = parser.parse_args()
    rows, where = [HEAD], machine()
    for state in ("idle", "busy"):
        loops = range((os.cpu_count() or 1) if state == "busy" else 0)
        busy = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in loops]
        found: dict[str, Found] = {}

        def measure(name: str, into: dict[str, Found] = found) -> None:
            into[name] = measured(name, options.seconds)

        threads = [threading.Thread(target=measure, args=(name,)) for name in ("udp", "ssh", "ray")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for process in busy:
            process.kill()
        rows += [row(name, state, one) for name, one in found.items()]
    text = "\n".join([f"{where}.", "", *rows])
    print(text)
    if options.docs is not None:
        write(options.docs, "clock_offset", text)


if __name__ == "__main__":
    main()
