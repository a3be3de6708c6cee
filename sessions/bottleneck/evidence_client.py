"""What troubles the client in each second, in words."""

from __future__ import annotations

import numpy as np

from loadgen.errors import CLIENT_KINDS, describe
from sessions.bottleneck.client_saturation import troubles
from sessions.bottleneck.seconds import LEAD_S, RECENT_S, Seconds, trailing
from sessions.timeline.columns import Floats
from sessions.timeline.timeline import Timeline

_HEALTH_S = 4
FAILED_SHARE = 0.10
"""Of the requests that ended in the last 3 s, that fail for want of something that this machine lacks."""
_STILL_NS = 1.25e9
"""Ticks are closed every 250 ms by a worker that runs."""


def client_evidence(timeline: Timeline, span: Seconds) -> list[str]:
    """One sentence for each second that is asked for; empty where nothing troubles the client."""
    found = troubles(timeline, span.first - LEAD_S, span.last)
    asked = np.arange(span.first, span.last)
    from_s, to_s = np.searchsorted(found.suspect, (asked + 1 - _HEALTH_S, asked + 1))
    troubled = to_s > from_s
    still_ns = _still_ns(timeline, span)[LEAD_S:]
    notes = _own_failures(timeline, span)
    for i in np.flatnonzero(troubled | (still_ns > _STILL_NS)).tolist():
        if still_ns[i] > _STILL_NS:
            notes[i] = f"the client has not run for {still_ns[i] / 1e9:.1f} s"
        else:
            end = span.first + i + 1
            notes[i] = found.over(end - _HEALTH_S, end).note or notes[i]
    return notes


def _own_failures(timeline: Timeline, span: Seconds) -> list[str]:
    """At each end, what this machine lacks when for want of it many of the last requests failed."""
    found = timeline.failures_between(CLIENT_KINDS, span.edges)
    notes = [""] * (span.last - span.first)
    if not found:
        return notes
    ticks = timeline.ticks
    ended = ticks.sums(("succeeded", "failed"), ticks.upto(span.edges)).sum(axis=(0, 2))
    ended = trailing(ended, RECENT_S)[LEAD_S:]
    recent = {kind: trailing(counts, RECENT_S)[LEAD_S:] for kind, counts in found.items()}
    failed = sum(recent.values(), np.zeros(len(notes)))
    for i in np.flatnonzero((failed > 0) & (failed > FAILED_SHARE * ended)).tolist():
        most = max(sorted(recent), key=lambda kind: recent[kind][i])
        share = min(1.0, failed[i] / max(ended[i], 1.0))
        notes[i] = f"{share * 100:.0f} % of requests fail: {describe(most)}"
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
