"""One latency up to an instant, as a view of it shows it: by column, lately, and under the last two loads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sessions.curve.cleared import cleared_ns
from sessions.curve.loads import LoadStage
from sessions.frame.schema import Band, Frame, Stat
from sessions.frame.stats import QS, stat_of
from sessions.timeline.sketches import Sketches
from sessions.timeline.timeline import Timeline

METRICS: Mapping[str, str] = {
    "ttft": "ttft_from_due",
    "itl": "itl",
    "chunk_gap": "chunk_gap",
    "e2e": "e2e",
    "send_lag": "send_lag",
}
"""Of a view's figures, what they are sketched as."""
NOUGHT_MS = 0.002
"""Gaps up to this are none: the chunks came in one read."""
_LEAST_SHARE = 0.01
_FROM_DUE = ("ttft_from_due", "e2e")


class Under(NamedTuple):
    """A load, and what was seen while it was on: first tokens and whole answers without those of a queue that
    the load before it had left."""

    stage: LoadStage
    stat: Stat
    found: Sketches
    """One row."""


class LatencyNow(NamedTuple):
    columns: Sketches
    """A row a column of the frame's axis."""
    band: Band
    recent: Stat
    run: Stat
    bounds_ms: tuple[float, float] | None
    """Nearly all of the run's values that are lengths lie between these; None while there are none."""
    now: Under | None
    """The newest load that has been on for a second."""
    before: Under | None
    """The one before it."""


def latency_now(timeline: Timeline, loads: Sequence[LoadStage], frame: Frame, metric: str) -> LatencyNow:
    """`loads`: those up to the frame's instant; `metric`: a name of `METRICS`."""
    name, at_ns = METRICS[metric], frame.at_ns
    edges = np.minimum(frame.start_ns + np.arange(frame.slots + 1, dtype=np.float64) * frame.slot_ns, at_ns)
    columns = timeline.sketches(name, edges)
    run = timeline.sketches(name, (-1.0, at_ns))
    gaps = "chunk_gap" if frame.itl_is_chunk_gap else "itl"
    if metric == "ttft":
        band, recent, whole = frame.ttft, frame.ttft_recent, frame.ttft_run
    elif metric == gaps:
        band, recent, whole = frame.itl, frame.itl_recent, frame.itl_run
    else:
        band = Band(*(columns.quantiles_ns(QS).T / 1e6))
        recent = stat_of(timeline.sketches(name, (at_ns - frame.recent_s * 1e9, at_ns)))
        whole = stat_of(run)
    return LatencyNow(
        columns,
        band,
        recent,
        whole,
        _bounds_ms(run),
        _under(timeline, name, loads[-1], at_ns) if loads else None,
        _under(timeline, name, loads[-2], at_ns) if len(loads) > 1 else None,
    )


def _bounds_ms(run: Sketches) -> tuple[float, float] | None:
    if not run.total:
        return None
    lengths = run.values_ms > NOUGHT_MS
    found = Sketches(run.low, np.where(lengths, run.counts, 0))
    if not found.total:
        return None
    low, high = found.quantiles_ns((_LEAST_SHARE, 1.0))[0].tolist()
    return low / 1e6, high / 1e6


def _under(timeline: Timeline, name: str, stage: LoadStage, at_ns: int) -> Under:
    end_ns = stage.stretch.end_ns if stage.stretch.over or stage.ramp else at_ns
    begin_ns = stage.stretch.begin_ns
    if name in _FROM_DUE:
        clear_ns = cleared_ns(timeline, stage.since_ns, end_ns)
        begin_ns = end_ns if clear_ns is None else min(max(begin_ns, clear_ns), end_ns)
    found = timeline.sketches(name, (begin_ns, end_ns))
    return Under(stage, stat_of(found), found)
