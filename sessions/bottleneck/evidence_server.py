"""What the server says of itself in each second."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from sessions.bottleneck.client_saturation import SECOND_NS
from sessions.bottleneck.seconds import PREEMPTIONS_S, RECENT_S, Seconds, before, recent_means
from sessions.timeline.columns import Floats, Table
from sessions.timeline.timeline import Timeline

_LEAST = ("waiting_least", "waiting_least_1s")


def server_evidence(timeline: Timeline, span: Seconds) -> dict[str, Floats]:
    """The fields of `Evidence` by the first source by name that has spoken, as the screen shows it."""
    for source in sorted(timeline.servers):
        samples = timeline.servers[source].samples
        if samples.upto(span.edges[-1]):
            break
    else:
        unknown = ("running", "waiting", *_LEAST, "kv_pct", "preemptions_per_s")
        return dict.fromkeys(unknown, span.nothing)
    running, waiting, kv_pct = recent_means(samples, ("running", "waiting", "kv_pct"), span)
    preempted = _newest(samples, "preemptions", span)
    gained = (preempted - before(preempted, PREEMPTIONS_S)) / PREEMPTIONS_S
    return {
        "running": running,
        "waiting": waiting,
        **dict(zip(_LEAST, _least(samples, "waiting", span), strict=True)),
        "kv_pct": kv_pct,
        "preemptions_per_s": np.where(gained >= 0, gained, np.nan),
    }


def _least(samples: Table, name: str, span: Seconds) -> tuple[Floats, Floats]:
    """The lowest reading of the last 3 s, and of the last second; NaN where there was none; of the former
    also where the first one ever is not that old: how it was before is not known."""
    rows = samples.upto(span.edges)
    values = samples[name]
    spans = (values[a:b] for a, b in pairwise(rows.tolist()))
    least = np.array([np.min(part, initial=np.inf, where=np.isfinite(part)) for part in spans])
    recent = least
    for _ in range(RECENT_S - 1):
        recent = np.minimum(least, np.concatenate([[np.inf], recent[:-1]]))
    early = samples.upto(span.edges[1:] - (RECENT_S - 1) * SECOND_NS) == 0
    recent = np.where(early, np.inf, recent)
    return np.where(np.isfinite(recent), recent, np.nan), np.where(np.isfinite(least), least, np.nan)


def _newest(samples: Table, name: str, span: Seconds) -> Floats:
    """The last reading by the end of each second."""
    first, last = samples.upto(span.edges[[0, -1]]).tolist()
    earlier = samples.known_before(name, first)
    known = first + np.flatnonzero(np.isfinite(samples[name][first:last]))
    if earlier is not None:
        known = np.concatenate([[earlier], known])
    if not len(known):
        return span.nothing
    places = np.searchsorted(samples["t"][known], span.edges[1:], side="right") - 1
    return np.where(places >= 0, samples[name][known[np.maximum(places, 0)]], np.nan)
