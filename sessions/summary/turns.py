"""What became of conversations, turn by turn."""

from __future__ import annotations

import numpy as np

from sessions.metrics import ttft_from_due
from sessions.summary.arithmetic import mean
from sessions.summary.exact_quantiles import exact_quantiles
from sessions.summary.schema import Turn
from sessions.timeline.requests import NONE, Requests

_NS_PER_MS = 1e6


def turns(good: Requests) -> list[Turn]:
    """A row a turn over the requests that succeeded; none where there were no conversations."""
    made = []
    for turn in np.unique(good["turn"][good["turn"] != NONE]).tolist():
        rows = good[good["turn"] == turn]
        ttft = exact_quantiles(ttft_from_due(rows), _NS_PER_MS)
        made.append(
            Turn(
                turn=turn + 1,
                count=len(rows),
                input_tokens_mean=mean(rows["input_tokens"]),
                cached_tokens_mean=mean(rows["cached_tokens"]),
                ttft_p50_ms=ttft.p50,
                ttft_p95_ms=ttft.p95,
                ttft_p99_ms=ttft.p99,
            )
        )
    return made
