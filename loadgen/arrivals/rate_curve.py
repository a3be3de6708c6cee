"""Rates over time: segments in a row, their cumulative count, and its inverse.

A rate curve has a cumulative count, the integral of the rate; point `n` of an arrival process at unit rate is
due when that count reaches `n`. So steps, ramps and a change made while running are one mechanism: time is
stretched, points stay.

Source: the inversion (time-rescaling) construction of a non-homogeneous Poisson process; Cinlar,
Introduction to Stochastic Processes (1975), ch. 4.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from loadgen.arrivals.load import Segment, Shape

_SECOND_NS = 1_000_000_000


def _gained(segment: Segment, x_s: float) -> float:
    """Requests that fall due in the first `x_s` seconds of `segment`."""
    r0, r1 = segment.from_rps, segment.to_rps
    if segment.shape == "constant" or segment.end_ns is None or r0 == r1:
        return r0 * x_s
    length_s = (segment.end_ns - segment.start_ns) / _SECOND_NS
    if segment.shape == "linear":
        return r0 * x_s + (r1 - r0) * x_s * x_s / (2 * length_s)
    growth = math.log(r1 / r0) / length_s
    return r0 * math.expm1(growth * x_s) / growth


def _seconds_until(segment: Segment, gain: float) -> float | None:
    """Inverse of `_gained`: None when the segment's rate never gets there."""
    if gain <= 0:
        return 0.0
    r0, r1 = segment.from_rps, segment.to_rps
    if segment.shape == "constant" or segment.end_ns is None or r0 == r1:
        return gain / r0 if r0 > 0 else None
    length_s = (segment.end_ns - segment.start_ns) / _SECOND_NS
    if segment.shape == "linear":
        slope = (r1 - r0) / length_s
        square = r0 * r0 + 2 * slope * gain
        return 2 * gain / (r0 + math.sqrt(square)) if square >= 0 else None
    growth = math.log(r1 / r0) / length_s
    inside = growth * gain / r0
    return math.log1p(inside) / growth if inside > -1 else None


def _rate_at(segment: Segment, t_ns: int) -> float:
    r0, r1 = segment.from_rps, segment.to_rps
    if segment.shape == "constant" or segment.end_ns is None or r0 == r1:
        return r0
    part = (t_ns - segment.start_ns) / (segment.end_ns - segment.start_ns)
    return r0 + (r1 - r0) * part if segment.shape == "linear" else r0 * (r1 / r0) ** part


class Curve:
    """A rate over time and its cumulative count. Immutable; segments must follow one another."""

    __slots__ = ("_counts", "_segments", "_starts")

    def __init__(self, segments: Sequence[Segment]) -> None:
        if not segments:
            raise ValueError("a curve needs at least one segment")
        counts, total = [], 0.0
        for segment, following in zip(segments, [*segments[1:], None], strict=True):
            counts.append(total)
            if following is not None:
                if segment.end_ns != following.start_ns:
                    raise ValueError(f"segments do not meet: {segment.end_ns} and {following.start_ns}")
                total += _gained(segment, (following.start_ns - segment.start_ns) / _SECOND_NS)
            elif segment.end_ns is not None and segment.shape == "constant":
                raise ValueError("the last segment must be open-ended, or a ramp followed by its plateau")
        self._segments = tuple(segments)
        self._counts = counts
        self._starts = [segment.start_ns for segment in segments]

    def rate_rps(self, t_ns: int) -> float:
        """Offered rate at session time `t_ns`; 0 before the curve begins."""
        at = bisect_right(self._starts, t_ns) - 1
        return 0.0 if at < 0 else _rate_at(self._segments[at], t_ns)

    def count(self, t_ns: int) -> float:
        """Expected arrivals from the curve's start to `t_ns`: the integral of the rate."""
        at = bisect_right(self._starts, t_ns) - 1
        if at < 0:
            return 0.0
        segment = self._segments[at]
        return self._counts[at] + _gained(segment, (t_ns - segment.start_ns) / _SECOND_NS)

    def when_ns(self, n: float) -> int | None:
        """The first session time at which `count` reaches `n`; None if it never does (rate 0)."""
        at = max(0, bisect_right(self._counts, n) - 1)
        # Of segments that begin at the same count (a hold gains nothing) the earliest reaches it first.
        while at > 0 and self._counts[at] == n:
            at -= 1
        while at < len(self._segments):
            segment = self._segments[at]
            seconds = _seconds_until(segment, n - self._counts[at])
            if seconds is not None:
                t_ns = segment.start_ns + round(seconds * _SECOND_NS)
                if segment.end_ns is None or t_ns <= segment.end_ns:
                    return t_ns
                if at + 1 < len(self._segments) and n <= self._counts[at + 1]:
                    return segment.end_ns  # rounding at the seam of two segments
            at += 1
        return None

    def cut(self, at_ns: int, segments: Sequence[Segment]) -> Curve:
        """This curve until `at_ns`, then `segments` (the first of which must start there)."""
        kept = []
        for segment in self._segments:
            if segment.start_ns >= at_ns:
                break
            if segment.end_ns is not None and segment.end_ns <= at_ns:
                kept.append(segment)
                continue
            rate = _rate_at(segment, at_ns)
            kept.append(Segment(segment.start_ns, at_ns, segment.from_rps, rate, segment.shape))
        return Curve([*kept, *segments])

    def rest(self, at_ns: int) -> list[Segment]:
        """What is left of it from `at_ns` on, which is not before it begins."""
        left = [segment for segment in self._segments if segment.end_ns is None or segment.end_ns > at_ns]
        first = left[0]
        if first.start_ns < at_ns:
            left[0] = Segment(at_ns, first.end_ns, _rate_at(first, at_ns), first.to_rps, first.shape)
        return left


def ramp(start_ns: int, from_rps: float, to_rps: float, over_s: float, shape: str) -> list[Segment]:
    """A `linear` or `exp` ramp and the plateau it ends on."""
    end_ns = start_ns + round(over_s * _SECOND_NS)
    kind: Shape = "exp" if shape == "exp" else "linear"
    return [Segment(start_ns, end_ns, from_rps, to_rps, kind), steady(end_ns, to_rps)]


def steady(start_ns: int, rate_rps: float) -> Segment:
    """One rate, for ever."""
    return Segment(start_ns, None, rate_rps, rate_rps)
