"""Latency counts in logarithmic buckets: small, mergeable by adding, every quantile within 1 %.

Bucket `b` holds `[1.02**b, 1.02**(b + 1))` microseconds; its value is the geometric middle, so the
relative error is at most sqrt(1.02) - 1 = 0.995 %. 1 us and less lie in bucket 0, about 5.8 hours and
more in the last one. No numpy here: load workers import it.
"""

from __future__ import annotations

from collections import Counter
from math import log

BUCKETS = 1200
GROWTH = 1.02
_PER_LOG = 1.0 / log(GROWTH)


def bucket(ns: int) -> int:
    """The bucket of a duration of `ns` nanoseconds, 0 to `BUCKETS - 1`."""
    if ns <= 1000:
        return 0
    return min(int(log(ns / 1000.0) * _PER_LOG), BUCKETS - 1)


def value_ns(bucket: int) -> float:
    """The duration a bucket stands for: its geometric middle, nanoseconds."""
    return float(1000.0 * GROWTH ** (bucket + 0.5))


def bucketed(durations_ns: list[int]) -> dict[int, int]:
    """`{bucket: count}` of many durations at once, several times as fast as one by one."""
    per_log, longest = _PER_LOG, BUCKETS - 1
    counted = Counter([int(log(ns / 1000.0) * per_log) if ns > 1000 else 0 for ns in durations_ns])
    if counted and max(counted) > longest:
        beyond = [at for at in counted if at > longest]
        counted[longest] += sum(counted.pop(at) for at in beyond)
    return counted


class SketchCounts:
    """Counts gained since the last `take`."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}

    def add(self, ns: int, n: int = 1) -> None:
        """Counts a duration of `ns` nanoseconds `n` times."""
        if ns > 1000:
            at = int(log(ns / 1000.0) * _PER_LOG)
            if at >= BUCKETS:
                at = BUCKETS - 1
        else:
            at = 0
        counts = self.counts
        counts[at] = counts.get(at, 0) + n

    def add_all(self, counted: dict[int, int]) -> None:
        """Adds `{bucket: count}`."""
        counts = self.counts
        for at, n in counted.items():
            counts[at] = counts.get(at, 0) + n

    def take(self) -> list[int]:
        """Flat `[bucket, count, ...]` by rising bucket; the counts start again from nothing."""
        counts, self.counts = self.counts, {}
        return [part for pair in sorted(counts.items()) for part in pair]


def quantile_ns(taken: list[int], share: float) -> float | None:
    """The duration below which `share` of what was `taken` lies; None of nothing."""
    beyond = share * sum(taken[1::2])
    for at, n in zip(taken[::2], taken[1::2], strict=True):
        beyond -= n
        if beyond < 0:
            return value_ns(at)
    return None
