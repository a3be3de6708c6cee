"""Quantiles of a sketch as a screen shows them."""

from __future__ import annotations

from sessions.frame.schema import Stat
from sessions.metrics import QUANTILES, THIN_FLOORS
from sessions.timeline.sketches import Sketches

SHOWN = ("p50", "p95", "p99")
QS = tuple(QUANTILES[name] for name in SHOWN)


def stat_of(found: Sketches) -> Stat:
    """Of one row."""
    n = found.total
    if not n:
        return Stat()
    p50, p95, p99 = (float(value) / 1e6 for value in found.quantiles_ns(QS)[0])
    return Stat(n, p50, p95, p99, frozenset(name for name in SHOWN if n < THIN_FLOORS[name]))
