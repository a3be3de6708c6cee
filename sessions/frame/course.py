"""The whole course of a session that is over, in a few columns: for a small chart beside its figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sessions.frame.build import rates
from sessions.frame.session_view import SessionView
from sessions.store.journal import timeline_paths
from sessions.timeline.cache import FILE

if TYPE_CHECKING:
    from sessions.timeline.columns import Floats

COLUMNS = 60
_LEAST_NS = 1_000_000_000
"""Of a column: shorter ones hold a request or none."""
_MOST_BYTES = 4 << 20
"""Of lines that are read for it, where there is no cache: a fraction of a second."""


class Course(NamedTuple):
    seconds: float
    """From the beginning of the load."""
    ttft_p95_ms: Floats
    """From due, by when the first token came; NaN where none did."""
    sent_rps: Floats


def course(directory: Path) -> Course | None:
    """Never raises; None where there is nothing to draw, or it would take long to read."""
    try:
        lines = sum(path.stat().st_size for path in timeline_paths(directory))
        if lines > _MOST_BYTES and not (directory / FILE).exists():
            return None
        view = SessionView(directory)
        try:
            view.read_all()
            return _columns(view)
        finally:
            view.close()
    except (OSError, ValueError):
        return None


def _columns(view: SessionView) -> Course | None:
    first_ns, last_ns = view.first_ns, view.last_ns
    if last_ns - first_ns < _LEAST_NS:
        return None
    edges = np.linspace(first_ns, last_ns, min(COLUMNS, (last_ns - first_ns) // _LEAST_NS) + 1)
    timeline = view.timeline
    p95_ns = timeline.sketches("ttft_from_due", edges).quantiles_ns((0.95,))[:, 0]
    # By the time that its ticks cover: a column has five of them or six, which is no change of the rate.
    return Course((last_ns - first_ns) / 1e9, p95_ns / 1e6, rates(timeline, edges)["sent"])
