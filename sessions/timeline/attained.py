"""How many of the requests lately held the targets, for a screen: from sketches, target by target."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sessions.plan.config import RunConfig
from sessions.plan.slo import Target, kept_targets
from sessions.store.manifest import Manifest
from sessions.timeline.timeline import Timeline


class Attained(NamedTuple):
    share: float
    of: str = "requests"
    """Or `tokens`, of an ITL target: sketches do not tell whose tokens they were."""


_SKETCHED = {"ttft": "ttft_from_due", "ttft_sent": "ttft_from_sent", "e2e": "e2e", "itl": "itl"}


def targets_of(config: RunConfig) -> list[Target]:
    """Those of a run, of its plan, or of its search for the limit."""
    plan = config.plan
    return kept_targets(plan.targets if plan is not None and plan.targets else config.slo)


def attained(timeline: Timeline, manifest: Manifest | None, span_ns: tuple[int, int]) -> Attained | None:
    """Share of the requests of `span_ns` (of tokens for ITL) that held the target which fewest held, within a
    sketch's 1 %; failed and unsent requests held none. None without a target that a sketch tells of."""
    targets = [] if manifest is None else targets_of(manifest.config)
    targets = [target for target in targets if target.quantile is not None and target.metric in _SKETCHED]
    if not targets:
        return None
    a, b = timeline.ticks.upto(np.array(span_ns, dtype=np.float64)).tolist()
    lost = sum(int(timeline.ticks[name][a:b].sum()) for name in ("failed", "not_sent"))
    shares = []
    for target in targets:
        found = timeline.sketches(_SKETCHED[target.metric], span_ns)
        total = found.total
        held = int(found.counts[:, found.values_ns <= target.limit * 1e6].sum())
        missed = 0 if target.metric == "itl" else lost
        if total + missed:
            share = held / (total + missed)
            shares.append(Attained(share, "tokens" if target.metric == "itl" else "requests"))
    return min(shares, default=None)
