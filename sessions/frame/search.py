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
    """Until so many are due, at the most; None where nobody can tell, and once nothing more of it is due."""
    passed: float | None
    """The highest load that held, of the steps that are over."""
    failed: float | None
    """The lowest above it that did not."""
    after_s: float | None = None
    """Of all steps after this one, about; None until there is a load of each kind, for nobody can tell, and
    where the search does not go on."""
    unit: str = ""
    """Of `passed` and `failed`: `rps` or `at once`; empty where that is not known."""


def search_at(
    timeline: Timeline,
    changes: Sequence[StageChange],
    stage: Stage,
    begun_ns: int,
    at_ns: int,
    config: RunConfig | None,
    state: str,
) -> SearchProgress:
    """Of the step `stage`, which began at `begun_ns`; `changes` are those up to `at_ns`. `config`: what is
    searched for, and the steps of the sessions that it goes on with; `state`: that of a `PlanProgress`."""
    limit = None if config is None else config.limit
    before = [] if limit is None else limit.before
    results = results_of([*before, *(change.result for change in changes)])
    passed, failed = bracket(results)
    rows = timeline.ticks.upto(np.array([begun_ns, at_ns], dtype=np.float64))
    due = int(timeline.ticks.sums(("due",), rows).sum())
    after_s = None
    if config is not None and limit is not None and state in ("running", "draining"):
        after_s = seconds_after(ask_of(config), results)
    # Older versions named a step `2.8 rps in 2..4`, which their sessions still do; it is now
    # `2.8 rps (between 2 and 4)`.
    return SearchProgress(
        re.split(r" in | \(", stage.name, maxsplit=1)[0],
        due,
        stage.requests,
        _left_s(stage, due, (at_ns - begun_ns) / 1e9) if state == "running" else None,
        passed,
        failed,
        after_s,
        "" if limit is None else "at once" if limit.closed else "rps",
    )


def _left_s(stage: Stage, due: int, elapsed_s: float) -> float | None:
    if stage.requests is None:
        return None
    more = max(stage.requests - due, 0)
    if stage.rate_rps:
        return more / stage.rate_rps
    return more * elapsed_s / due if due and elapsed_s >= _PACE_S else None
