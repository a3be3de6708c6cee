"""What troubles the client in each second, in words."""

from __future__ import annotations

import numpy as np

from sessions.bottleneck.client_saturation import troubles
from sessions.bottleneck.seconds import LEAD_S, Seconds
from sessions.timeline.columns import Floats
from sessions.timeline.timeline import Timeline

_HEALTH_S = 4
_STILL_NS = 1.25e9
"""Ticks are closed every 250 ms by a worker that runs."""


def client_evidence(timeline: Timeline, span: Seconds) -> list[str]:
    """One sentence for each second that is asked for; empty where nothing troubles the client."""
    found = troubles(timeline, span.first - LEAD_S, span.last)
    asked = np.arange(span.first, span.last)
    from_s, to_s = np.searchsorted(found.suspect, (asked + 1 - _HEALTH_S, asked + 1))
    troubled = to_s > from_s
    still_ns = _still_ns(timeline, span)[LEAD_S:]
    notes = [""] * len(asked)
    for i in np.flatnonzero(troubled | (still_ns > _STILL_NS)).tolist():
        if still_ns[i] > _STILL_NS:
            notes[i] = f"the client has not run for {still_ns[i] / 1e9:.1f} s"
        else:
            end = span.first + i + 1
            notes[i] = found.over(end - _HEALTH_S, end).note
    return notes


def _still_ns(timeline: Timeline, span: Seconds) -> Floats:
    """For how long some worker with requests in flight has closed no tick, at each end."""
    ends = span.edges[1:]
    longest = np.zeros(len(ends))
    for own in timeline.worker_ticks.values():
        newest = own.upto(ends) - 1
        at = np.maximum(newest, 0)
        waits = (newest >= 0) & (own["waits"][at] > 0)
        longest = np.maximum(longest, np.where(waits, ends - own["t"][at], 0.0))
    return longest
