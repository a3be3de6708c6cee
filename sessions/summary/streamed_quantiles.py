"""What screens show of a whole run, for a summary to tell beside its exact figures."""

from __future__ import annotations

from sessions.metrics import QUANTILES
from sessions.summary.quantile_schema import SketchedQuantiles, Streamed
from sessions.timeline.sketches import Sketches
from sessions.timeline.streamed import streamed
from sessions.timeline.timeline import Timeline

_QS = tuple(QUANTILES[name] for name in ("p50", "p95", "p99"))


def streamed_quantiles(timeline: Timeline) -> Streamed:
    """Of all that is known."""
    found = streamed(timeline, float("inf"))
    return Streamed(
        ttft_from_due_ms=sketched_quantiles(found.ttft_from_due),
        itl_ms=sketched_quantiles(found.itl) if found.itl_is_known else None,
        chunk_gap_ms=sketched_quantiles(found.chunk_gap),
    )


def sketched_quantiles(of: Sketches) -> SketchedQuantiles:
    """Of one row."""
    if not of.total:
        return SketchedQuantiles(0, None, None, None)
    p50, p95, p99 = (round(float(value) / 1e6, 6) for value in of.quantiles_ns(_QS)[0])
    return SketchedQuantiles(of.total, p50, p95, p99)
