"""How long a worker may leave its sockets alone between two rounds of reads, from what its last tick saw.

A read carries the time at which the kernel had its last byte, so a late read makes no token late. A time
is lost only when two events of one stream lie in the socket together. So the delay stays far below the gaps
between events of a stream, and there is none where reads carry no time of their own.
"""

from __future__ import annotations

from collections.abc import Callable

from loadgen.alarm import Alarm
from loadgen.clock import Clock
from loadgen.records import Tick
from loadgen.sketch import quantile_ns
from loadgen.worker.targets import Targets

LONGEST_NS = 1_000_000
"""A closed loop sends its next request that much later at the most."""
_WAKE_NS = 200_000
"""Sockets are read again so long before the alarm rings: waking up takes some of it."""
_SHORT_GAPS = 0.05
"""The gap that counts is the one that this share of all gaps falls below."""
_GAP_OVER_DELAY = 10
"""That gap is so many times longer than the delay."""
_LEAST_READS = 2
"""A delay that would gather fewer reads is not worth its timer."""


def read_delay_after(tick: Tick) -> int:
    """Nanoseconds of delay after each round of reads until the next tick; 0 for none."""
    gap_ns = quantile_ns(tick.chunk_gap, _SHORT_GAPS)
    if gap_ns is None or tick.kernel_reads < tick.reads:
        return 0
    read_delay_ns = min(LONGEST_NS, int(gap_ns / _GAP_OVER_DELAY))
    return read_delay_ns if tick.reads * read_delay_ns >= _LEAST_READS * tick.dt_ns else 0


class ReadDelay:
    """The delay that the last tick allows, as far as nothing else would be kept waiting."""

    def __init__(self, clock: Clock, alarm: Alarm, targets: Targets, flushing: Callable[[], bool]) -> None:
        """`flushing`: streams are being flushed for a tick, which waits for nothing."""
        self._clock, self._alarm, self._targets, self._flushing = clock, alarm, targets, flushing
        self._delay_ns = 0

    def note(self, tick: Tick) -> None:
        self._delay_ns = read_delay_after(tick)

    def now_ns(self) -> int:
        """How long nothing but sockets that can wait would be kept waiting."""
        if not self._delay_ns or self._flushing() or self._targets.opening:
            return 0
        if (at_ns := self._alarm.at_ns) is None:
            return self._delay_ns
        return min(self._delay_ns, at_ns - _WAKE_NS - self._clock.now_ns())
