"""When the load generator itself is the limit: thresholds on its own lag, CPU and late reads.

Judged by whole seconds of session time. A second is troubled when, in some worker, the process used more
than 0.8 of a core; or p99 of the send lag was above 50 ms and above 20 % of the median TTFT of the 10 s up to
its end; or more than half of the reads with tokens held several while the worker's loop ran more than 20 ms
late. The client is saturated in seconds that are troubled in the same way as a second next to them: 2 s at
least. A tick that covers more than a second says that the process was not let run: all its seconds are
troubled.

What a second is found to be rests on nothing that comes later but its neighbour: a run that goes on does not
take back what was said of it (`sessions.bottleneck.client_seconds` counts over a run).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadgen.records import TICK_NS
from sessions.timeline.columns import Floats, Ints, binned
from sessions.timeline.sketches import Sketches
from sessions.timeline.timeline import Timeline

SECOND_NS = 1_000_000_000
CPU_SHARE = 0.8
SEND_LAG_NS = 50e6
SEND_LAG_SHARE = 0.2
TTFT_S = 10
"""Seconds over which the median TTFT is taken that the send lag is held against."""
COALESCED_SHARE = 0.5
LOOP_LAG_NS = 20e6
STILL_NS = 1e9

_BLOCK = 300
Bools = NDArray[np.bool_]


class Saturation(NamedTuple):
    seconds: int
    """How many seconds the client was saturated."""
    of_seconds: int
    """How many seconds there were ticks for."""
    note: str
    """The worst of it in one line; empty when there was nothing."""

    @property
    def saturated(self) -> bool:
        return self.seconds > 0


class Troubles(NamedTuple):
    """What a client's seconds were like, the worst of its workers, by second."""

    seconds: Ints
    """Those there were ticks for: second `i` ends at `i + 1` s of session time."""
    busy: Floats
    """CPU seconds a second."""
    send_lag_ns: Floats
    """p99; 0 where nothing was sent."""
    lag_limit_ns: Floats
    """What it may be, beside the TTFT of the time."""
    late: Floats
    """Share of the reads that held several tokens, where the loop ran late; else 0."""
    still_ns: Floats
    """The longest tick that ended then."""

    @property
    def suspect(self) -> Ints:
        """Seconds in which some figure is trouble: without one of them, `over` finds none."""
        over = (
            (self.busy > CPU_SHARE) | (self.send_lag_ns > self.lag_limit_ns) | (self.late > COALESCED_SHARE)
        )
        return self.seconds[over | (self.still_ns > STILL_NS)]

    def over(self, first: int, last: int) -> Saturation:
        """Saturation over the seconds `[first, last)`."""
        a, b = np.searchsorted(self.seconds, (first, last))
        seconds, n = self.seconds[a:b], int(b - a)
        troubles: tuple[tuple[Floats, Floats | float, float, str], ...] = (
            (self.busy[a:b], CPU_SHARE, 1.0, "the client used {:.0%} of a core"),
            (self.send_lag_ns[a:b], self.lag_limit_ns[a:b], 1e6, "requests left {:.0f} ms late (p99)"),
            (
                self.late[a:b],
                COALESCED_SHARE,
                1.0,
                "{:.0%} of reads held several tokens: their times are blurred",
            ),
        )
        still = self.still_ns[a:b]
        total = still > STILL_NS
        # Most of its seconds have no tick of their own.
        missed = int((still[total] // SECOND_NS).sum())
        note = f"the client stood still for {still.max() / 1e9:.1f} s" if missed else ""
        for size, limit, unit, words in troubles:
            if not (over := size > limit).any():
                continue
            hit = _sustained(over, seconds)
            total |= hit
            if not note and hit.any():
                note = words.format(float(size[hit].max()) / unit)
        return Saturation(int(total.sum()) + missed, n + missed, note)


def saturation(timeline: Timeline, from_ns: int, to_ns: int) -> Saturation:
    """Judges the whole seconds within `[from_ns, to_ns]`."""
    first, last = -(-from_ns // SECOND_NS), to_ns // SECOND_NS
    return troubles(timeline, first, last).over(first, last)


def saturation_now(timeline: Timeline, at_ns: int) -> Saturation:
    """Judges the last four seconds up to the newest tick at `at_ns`: seconds that end with that tick, so that
    trouble is said as soon as it has lasted, not at the next whole second."""
    last, phase_ns = divmod(at_ns // TICK_NS * TICK_NS, SECOND_NS)
    return troubles(timeline, last - 4, last, phase_ns).over(last - 4, last)


def troubles(timeline: Timeline, first: int, last: int, phase_ns: int = 0) -> Troubles:
    """The troubles of the seconds `[first, last)` of session time, counted from `phase_ns`."""
    ticks = timeline.ticks
    a, b = ticks.upto(np.array([first, last], dtype=np.float64) * SECOND_NS + phase_ns).tolist()
    if b <= a:
        return Troubles(np.zeros(0, dtype=np.int64), *(np.zeros(0) for _ in range(5)))
    found = ticks_by_second(timeline, a, b, ("cpu_ns", "dt", "reads", "coalesced_reads"), phase_ns)
    seconds, place, n = found.seconds, found.place, len(found.seconds)
    cpu, wall, reads, coalesced = found.sums
    busy = (cpu / np.maximum(wall, 1)).max(axis=1)
    reads, coalesced = reads.sum(axis=1), coalesced.sum(axis=1)
    loop_lag = np.zeros(n)
    np.maximum.at(loop_lag, place, ticks["loop_lag_max_ns"][a:b])
    late = np.where(loop_lag > LOOP_LAG_NS, coalesced / np.maximum(reads, 1), 0.0)
    still = np.zeros(n)
    np.maximum.at(still, place, ticks["dt"][a:b])
    lag_ns = _send_lag_p99(timeline, seconds, phase_ns)
    limit_ns = np.full(n, SEND_LAG_NS)
    if len(high := np.flatnonzero(lag_ns > SEND_LAG_NS)):  # else the TTFT does not matter
        ttft_ns = np.nan_to_num(_ttft_p50(timeline, seconds[high], phase_ns), nan=0.0)
        limit_ns[high] = np.maximum(SEND_LAG_NS, SEND_LAG_SHARE * ttft_ns)
    return Troubles(seconds, busy, lag_ns, limit_ns, late, still)


class TicksBySecond(NamedTuple):
    """Some columns of ticks, added up by second and worker."""

    seconds: Ints
    """Those there were ticks for, ascending."""
    place: Ints
    """Of each tick: where its second stands in `seconds`."""
    sums: list[Floats]
    """One a column, `(seconds, workers)`; 0 where a worker had no tick."""


def ticks_by_second(
    timeline: Timeline, a: int, b: int, names: tuple[str, ...], phase_ns: int = 0
) -> TicksBySecond:
    """The columns `names` of the ticks `[a, b)`; seconds of session time are counted from `phase_ns`."""
    ticks, workers = timeline.ticks, timeline.workers
    at = (ticks["t"][a:b].astype(np.int64) - 1 - phase_ns) // SECOND_NS
    seconds, place = np.unique(at, return_inverse=True)
    key = place * len(workers) + np.searchsorted(np.array(workers), ticks["worker"][a:b])
    shape = (len(seconds), len(workers))
    sums = [binned(key, ticks[name][a:b], shape[0] * shape[1]).reshape(shape) for name in names]
    return TicksBySecond(seconds, place, sums)


def _sustained(hit: Bools, seconds: Ints) -> Bools:
    """Those of `hit` whose second has a neighbour that is hit, too."""
    together = hit[1:] & hit[:-1] & (np.diff(seconds) == 1)
    out = np.zeros_like(hit)
    out[1:] |= together
    out[:-1] |= together
    return out


def _send_lag_p99(timeline: Timeline, seconds: Ints, phase_ns: int) -> Floats:
    parts = []
    for i in range(0, len(seconds), _BLOCK):
        block = seconds[i : i + _BLOCK]
        edges = np.column_stack([block, block + 1]).ravel() * float(SECOND_NS) + phase_ns
        low, counts = timeline.sketches("send_lag", edges)
        parts.append(Sketches(low, counts[::2]).quantiles_ns((0.99,))[:, 0])
    return np.nan_to_num(np.concatenate(parts), nan=0.0)


def _ttft_p50(timeline: Timeline, seconds: Ints, phase_ns: int) -> Floats:
    """Median over the `TTFT_S` up to the end of each second; NaN where there was none."""
    parts = []
    for run in np.split(seconds, np.flatnonzero(np.diff(seconds) != 1) + 1):
        for i in range(0, len(run), _BLOCK):
            block = run[i : i + _BLOCK]
            edges = np.arange(block[0] - TTFT_S + 1, block[-1] + 2) * float(SECOND_NS) + phase_ns
            found = timeline.sketches("ttft_from_due", edges).trailing(TTFT_S)
            parts.append(found.quantiles_ns((0.5,))[TTFT_S - 1 :, 0])
    return np.concatenate(parts)
