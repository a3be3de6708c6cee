"""How long a worker may leave its sockets alone between two rounds of reads, from what its last tick saw.

A read carries the time at which the kernel had its last byte, so a late read makes no token late. A time
is lost only when two events of one stream lie in the socket together. So the rest stays far below the gaps
between events of a stream, and there is none where reads carry no time of their own.
"""

from __future__ import annotations

from loadgen.records import Tick
from loadgen.sketch import quantile_ns

LONGEST_NS = 1_000_000
"""A closed loop sends its next request that much later at the most."""
_GAPS_A_REST = 10
_SHORT_GAPS = 0.05
"""Rests are so many times shorter than the gap that this share of all gaps falls below."""
_READS_A_REST = 2
"""Rests that would gather fewer reads are not worth their timer."""


def read_delay_after(tick: Tick) -> int:
    """Nanoseconds of rest after each round of reads until the next tick; 0 for none."""
    gap_ns = quantile_ns(tick.chunk_gap, _SHORT_GAPS)
    if gap_ns is None or tick.kernel_reads < tick.reads:
        return 0
    read_delay_ns = min(LONGEST_NS, int(gap_ns / _GAPS_A_REST))
    return read_delay_ns if tick.reads * read_delay_ns >= _READS_A_REST * tick.dt_ns else 0
