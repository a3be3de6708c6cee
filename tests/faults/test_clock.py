"""The clock of the faults: whatever waits waits by it, and what it shows is what it was told."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.clock import FaultClock, why_none

pytestmark = pytest.mark.skipif(bool(why_none()), reason=why_none())
ROOT = Path(__file__).parents[2]

WAITS = """
import asyncio, queue, select, socket, threading, time
from loadgen.alarm import Alarm
from loadgen.clock import MonotonicClock

async def alarm():
    loop, rung = asyncio.get_running_loop(), asyncio.Event()
    it = Alarm(loop, clock := MonotonicClock(time.monotonic_ns()), rung.set)
    it.set(clock.now_ns() + 3 * 10**9)
    await rung.wait()
    it.close()

def quietly(wait):
    try:
        wait()
    except (queue.Empty, OSError):
        pass

silent, other = socket.socketpair()
silent.settimeout(3)
waits = {
    "sleep": lambda: time.sleep(3), "event": lambda: threading.Event().wait(3),
    "queue": lambda: queue.Queue().get(timeout=3), "select": lambda: select.select([], [], [], 3),
    "poll": lambda: select.poll().poll(3000), "epoll": lambda: select.epoll().poll(3),
    "socket": lambda: silent.recv(1), "asyncio": lambda: asyncio.run(asyncio.sleep(3)),
    "alarm": lambda: asyncio.run(alarm()),
}
try:
    import uvloop
    waits["uvloop"] = lambda: uvloop.new_event_loop().run_until_complete(asyncio.sleep(3))
except ImportError:
    pass
for name, wait in waits.items():
    began = time.monotonic(), time.time(), time.perf_counter()
    quietly(wait)
    took = [now - then for now, then in zip((time.monotonic(), time.time(), time.perf_counter()), began)]
    assert 2.9 < min(took) and max(took) < 30, (name, took)
"""


def test_whatever_waits_waits_by_a_fast_clock() -> None:
    began_s = time.monotonic()
    with FaultClock(rate=30) as clock:
        command = [sys.executable, "-c", WAITS]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=clock.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began_s < 27, "nine or ten waits of three seconds"


def test_a_step_moves_the_wall_clock_alone_and_a_leap_all_clocks() -> None:
    program = (
        "import sys, time\n"
        "for _ in sys.stdin: print(time.time(), time.monotonic(), time.clock_gettime(7), flush=True)"
    )
    with (
        FaultClock() as clock,
        subprocess.Popen(
            [sys.executable, "-c", program],
            env=clock.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        ) as shown,
    ):
        assert shown.stdin is not None
        assert shown.stdout is not None

        def ahead() -> list[int]:
            assert shown.stdin is not None
            assert shown.stdout is not None
            shown.stdin.write("\n")
            true = (time.time(), time.monotonic(), time.clock_gettime(7))
            return [
                round((float(text) - at) / 60)
                for text, at in zip(shown.stdout.readline().split(), true, strict=True)
            ]

        assert ahead() == [0, 0, 0]
        clock.step(-3600)
        assert ahead() == [-60, 0, 0]
        clock.leap(600)
        assert ahead() == [-50, 10, 10]
        clock.step(3600)
        assert ahead() == [10, 10, 10]
        shown.stdin.close()
