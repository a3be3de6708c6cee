"""How far a search for the limit has come at an instant: its step, and what the steps before it bracket."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sessions.limit.ahead import seconds_after
from sessions.limit.results import ask_of, bracket, results_of
from sessions.plan.config import RunConfig
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
    after_s: float | None = None
    """Of all steps after this one, about; None until there is a load of each kind, for nobody can tell."""


def search_at(
    timeline: Timeline,
    changes: Sequence[StageChange],
    stage: Stage,
    begun_ns: int,
    at_ns: int,
    config: RunConfig | None,
) -> SearchProgress:
    """Of the step `stage`, which began at `begun_ns`; `changes` are those up to `at_ns`. `config`: what is
    searched for, and the steps of the sessions that it goes on with."""
    limit = None if config is None else config.limit
    before = [] if limit is None else limit.before
    results = results_of([*before, *(change.result for change in changes)])
    passed, failed = bracket(results)
    rows = timeline.ticks.upto(np.array([begun_ns, at_ns], dtype=np.float64))
    due = int(timeline.ticks.sums(("due",), rows).sum())
    return SearchProgress(
        re.split(r" in | \(", stage.name, maxsplit=1)[0],
        due,
        stage.requests,
        _left_s(stage, due, (at_ns - begun_ns) / 1e9),
        passed,
        failed,
        None if config is None or limit is None else seconds_after(ask_of(config), results),
    )


def _left_s(stage: Stage, due: int, elapsed_s: float) -> float | None:
    if stage.requests is None:
        return None
    more = max(stage.requests - due, 0)
    if stage.rate_rps:
        return more / stage.rate_rps
    return more * elapsed_s / due if due and elapsed_s >= _PACE_S else None
