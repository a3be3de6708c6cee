"""A clock that runs fast, is set or leaps, for whole processes: `with FaultClock(rate=10) as clock`.

Every program that is started with `clock.environment()` reads the time and waits by it, whether Python, libuv or
libc (clock.c says what is not: CPU time, times of files). Debian's `faketime` is not taken: by it no wait for a lock
with a time limit ends in Python 3.11, since it does not know sem_clockwait(3), and deadlines of timerfd stay true.
Needs Linux, glibc 2.34 and a C compiler: `why_none()`.
"""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")
_TOLD = struct.Struct("=5q")
_STEP_AT, _LEAP_AT = 24, 32


def _compiler() -> str | None:
    return shutil.which(os.environ.get("CC", "cc"))


def why_none() -> str:
    """Why there can be no such clock here, and what to install; empty: there can."""
    if sys.platform != "linux":
        return "the clock of tests/faults needs Linux"
    return "" if _compiler() else "the clock of tests/faults needs a C compiler: apt-get install gcc"


class FaultClock:
    """A second of true time is `rate` of its own, from when it was made."""

    def __init__(self, rate: int = 1) -> None:
        self._place = tempfile.TemporaryDirectory()
        self._library = Path(self._place.name) / "clock.so"
        self._told = Path(self._place.name) / "told"
        command = [
            _compiler() or "cc",
            "-O2",
            "-shared",
            "-fPIC",
            "-o",
            str(self._library),
            str(SOURCE),
            "-ldl",
        ]
        subprocess.run(command, check=True, capture_output=True)
        self._told.write_bytes(_TOLD.pack(rate, time.monotonic_ns(), time.time_ns(), 0, 0))
        with self._told.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), _TOLD.size)

    def __enter__(self) -> FaultClock:
        return self

    def __exit__(self, *_: object) -> None:
        self._page.close()
        self._place.cleanup()

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a process needs in its environment to live by this clock."""
        given = dict(os.environ if base is None else base)
        return {**given, "LD_PRELOAD": str(self._library), "TTFTOP_FAULT_CLOCK": str(self._told)}

    def step(self, seconds: float) -> None:
        """Sets the wall clock ahead or back, as somebody does, or a suspended machine that goes on."""
        self._add(_STEP_AT, seconds)

    def leap(self, seconds: float) -> None:
        """All clocks go on by so much at one stroke, as those of a machine that stood still."""
        self._add(_LEAP_AT, seconds)

    def _add(self, at: int, seconds: float) -> None:
        (before,) = struct.unpack_from("=q", self._page, at)
        struct.pack_into("=q", self._page, at, before + int(seconds * 1e9))
