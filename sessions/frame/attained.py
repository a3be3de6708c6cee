"""How many of the requests lately held the targets, for a screen: from sketches, target by target."""

from __future__ import annotations

import numpy as np

from sessions.frame.targets import SKETCHED, asked_targets
from sessions.store.manifest import Manifest
from sessions.timeline.sketches import VALUES_NS
from sessions.timeline.timeline import Timeline

_JUDGED = ("ttft", "ttft_sent", "e2e", "itl")


def attained(timeline: Timeline, manifest: Manifest | None, span_ns: tuple[int, int]) -> float | None:
    """Share of the requests of `span_ns` (of tokens for ITL) that held the target which fewest held, within a
    sketch's 1 %; failed and unsent requests held none. None without a target that a sketch tells of."""
    targets = [
        target
        for target in asked_targets(manifest)
        if target.quantile is not None and target.metric in _JUDGED
    ]
    if not targets:
        return None
    a, b = timeline.ticks.upto(np.array(span_ns, dtype=np.float64)).tolist()
    lost = sum(int(timeline.ticks[name][a:b].sum()) for name in ("failed", "not_sent"))
    shares = []
    for target in targets:
        counts = timeline.counts(SKETCHED[target.metric], span_ns)
        total = int(counts.sum())
        held = int(counts[..., target.limit * 1e6 >= VALUES_NS].sum())
        missed = 0 if target.metric == "itl" else lost
        if total + missed:
            shares.append(held / (total + missed))
    return min(shares, default=None)
