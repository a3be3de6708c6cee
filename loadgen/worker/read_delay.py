"""How long a worker may leave its sockets alone between two rounds of reads, from what its last tick saw.

A read carries the time at which the kernel had its last byte, so a late read makes no token late. A time
is lost only when two events of one stream lie in the socket together. So the delay stays far below the gaps
between events of a stream, and there is none where reads carry no time of their own.
"""

from __future__ import annotations

from loadgen.records import Tick
from loadgen.sketch import quantile_ns

LONGEST_NS = 1_000_000
"""A closed loop sends its next request that much later at the most."""
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
