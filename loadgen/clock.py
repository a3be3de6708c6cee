"""The only reader of time in the load generator: nanoseconds on the monotonic clock since an origin.

CLOCK_MONOTONIC is one clock for all processes of a machine, so times of the supervisor, the workers,
the telemetry and a server on the same machine can be compared. Wall time is never used for a duration.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Session time: integer nanoseconds since the session's origin; never goes back."""

    origin_ns: int

    def now_ns(self) -> int: ...

    def wall_ahead_ns(self) -> int:
        """The wall clock minus session time by one reading of each: off by what lies between the two."""
        ...

    def measured_wall_ahead_ns(self) -> tuple[int, int]:
        """The wall clock minus session time, measured with care, and the error of that: `(ns, ns)`, as
        `realtime_to_monotonic_ns` gives them."""
        ...


class MonotonicClock:
    """The machine's clock, counted from `origin_ns` (a value of `time.monotonic_ns()`)."""

    __slots__ = ("origin_ns",)

    def __init__(self, origin_ns: int) -> None:
        self.origin_ns = origin_ns

    def now_ns(self) -> int:
        return time.monotonic_ns() - self.origin_ns

    def wall_ahead_ns(self) -> int:
        return time.time_ns() - time.monotonic_ns() + self.origin_ns

    def measured_wall_ahead_ns(self) -> tuple[int, int]:
        offset_ns, error_ns = realtime_to_monotonic_ns()
        return offset_ns + self.origin_ns, error_ns


class ManualClock:
    """A clock that moves only when told to; going back is an error. `wall_ns`: its lead over session time."""

    def __init__(self, now_ns: int = 0, wall_ns: int = 0) -> None:
        self.origin_ns = 0
        self._now_ns = now_ns
        self.wall_ns = wall_ns

    def now_ns(self) -> int:
        return self._now_ns

    def wall_ahead_ns(self) -> int:
        return self.wall_ns

    def measured_wall_ahead_ns(self) -> tuple[int, int]:
        return self.wall_ns, 0

    def advance_to(self, now_ns: int) -> None:
        if now_ns < self._now_ns:
            raise ValueError(f"time cannot go back: now {self._now_ns}, asked for {now_ns}")
        self._now_ns = now_ns


def monotonic_ns() -> int:
    """The raw monotonic clock: for an origin, or to compare with another process."""
    return time.monotonic_ns()


def sleep_ns(duration_ns: int) -> None:
    """Blocks this thread, for some tens of microseconds longer than asked."""
    time.sleep(duration_ns / 1e9)


def process_cpu_ns() -> int:
    """CPU time this process has used, user and system."""
    return time.process_time_ns()


def realtime_to_monotonic_ns(pairs: int = 20) -> tuple[int, int]:
    """Measures CLOCK_REALTIME minus CLOCK_MONOTONIC.

    Returns `(offset_ns, error_ns)`: `monotonic = realtime - offset_ns`, true within `error_ns` at the
    moment of the call. The tightest of `pairs` bracketed readings is taken, so a preemption between two
    readings does not spoil it. It drifts as NTP slews the wall clock: ask again every second or so.
    """
    best_width, best_offset = 1 << 62, 0
    for _ in range(pairs):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        if after - before < best_width:
            best_width, best_offset = after - before, wall - (before + after) // 2
    return best_offset, (best_width + 1) // 2
