"""The figures of a stretch of time that a person marked, from A to B. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loadgen.records import TICK_NS
from sessions.frame.schema import Stat
from sessions.metrics import QUANTILES, THIN_FLOORS
from sessions.timeline.energy import curves, used
from sessions.timeline.timeline import Timeline

_SHOWN = ("p50", "p95", "p99")
_METER_NS = 120_000_000_000
"""As far before it readings of power are looked at: an exporter may refresh every 30 s."""
_COUNTS = ("sent", "succeeded", "failed", "output_tokens")


@dataclass(frozen=True)
class Region:
    """What ended in ticks of `(from_ns, to_ns]`; both are ends of ticks."""

    from_ns: int
    to_ns: int
    ttft: Stat
    """From due."""
    itl: Stat
    sent_rps: float
    succeeded_rps: float
    output_tps: float
    failed: int
    j_per_token: float | None
    """None where next to all of the energy is not known, or no token came."""

    @property
    def seconds(self) -> float:
        return (self.to_ns - self.from_ns) / 1e9


def tick_end(at_ns: int) -> int:
    """The end of the last tick that was whole by then."""
    return at_ns // TICK_NS * TICK_NS


def region(timeline: Timeline, from_ns: int, to_ns: int, *, chunk_gaps: bool) -> Region | None:
    """The figures between two instants, whichever comes first, brought to the ends of ticks; None where there
    is no tick between them.

    Args:
        chunk_gaps: the server's chunks bear several tokens that nobody counted: their gaps stand for ITL.
    """
    begin_ns, end_ns = sorted((tick_end(from_ns), tick_end(to_ns)))
    if begin_ns == end_ns:
        return None
    ticks = timeline.ticks
    rows = ticks.upto(np.array([begin_ns, end_ns], dtype=np.float64))
    counts = dict(zip(_COUNTS, ticks.sums(_COUNTS, rows).sum(axis=(1, 2)).tolist(), strict=True))
    seconds = (end_ns - begin_ns) / 1e9
    energy = used(curves(timeline.gpus, end_ns, begin_ns - _METER_NS), begin_ns, end_ns)
    joules, tokens = energy.whole(seconds), counts["output_tokens"]
    return Region(
        begin_ns,
        end_ns,
        _stat(timeline, "ttft_from_due", begin_ns, end_ns),
        _stat(timeline, "chunk_gap" if chunk_gaps else "itl", begin_ns, end_ns),
        counts["sent"] / seconds,
        counts["succeeded"] / seconds,
        tokens / seconds,
        int(counts["failed"]),
        None if joules is None or not tokens else joules / tokens,
    )


def _stat(timeline: Timeline, metric: str, from_ns: int, to_ns: int) -> Stat:
    n, quantiles_ns = timeline.quantiles(metric, from_ns, to_ns, tuple(QUANTILES[name] for name in _SHOWN))
    if not n:
        return Stat()
    p50, p95, p99 = (float(value) / 1e6 for value in quantiles_ns)
    return Stat(n, p50, p95, p99, frozenset(name for name in _SHOWN if n < THIN_FLOORS[name]))
