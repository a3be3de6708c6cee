"""How far a search for the limit has come at an instant: its step, and what the steps before it bracket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sessions.limit.results import bracket, results_of
from sessions.plan.stages import Stage
from sessions.store.records import StageChange
from sessions.timeline.timeline import Timeline

_PACE_S = 2.0
"""So long a step goes on before its pace says when it is over."""


@dataclass(frozen=True)
class SearchProgress:
    load: str
    """Of the step, such as `8.72 rps` or `one at a time`."""
    due: int
    """Requests of the step so far, warm-up and all."""
    of: int | None
    """So many at the most: it ends as soon as it is decided."""
    left_s: float | None
    """Until so many are due, at the most; None where nobody can tell."""
    passed: float | None
    """The highest load that held, of the steps that are over."""
    failed: float | None
    """The lowest above it that did not."""


def search_at(
    timeline: Timeline, changes: Sequence[StageChange], stage: Stage, begun_ns: int, at_ns: int
) -> SearchProgress:
    """Of the step `stage`, which began at `begun_ns`; `changes` are those up to `at_ns`."""
    passed, failed = bracket(results_of(change.result for change in changes))
    rows = timeline.ticks.upto(np.array([begun_ns, at_ns], dtype=np.float64))
    due = int(timeline.ticks.sums(("due",), rows).sum())
    return SearchProgress(
        stage.name.partition(" in ")[0],
        due,
        stage.requests,
        _left_s(stage, due, (at_ns - begun_ns) / 1e9),
        passed,
        failed,
    )


def _left_s(stage: Stage, due: int, elapsed_s: float) -> float | None:
    if stage.requests is None:
        return None
    more = max(stage.requests - due, 0)
    if stage.rate_rps:
        return more / stage.rate_rps
    return more * elapsed_s / due if due and elapsed_s >= _PACE_S else None
