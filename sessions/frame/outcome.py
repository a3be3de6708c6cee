"""What a run that is over came to, as its summary says it, for a screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sessions.store.manifest import Manifest
from sessions.summary.stored import StoredLimit, stored_summary


@dataclass(frozen=True)
class Outcome:
    slo: str = ""
    """`pass`, `fail` or `undecided`; empty without targets, and of a search for the limit, whose verdict is
    the limit."""
    valid: bool = False
    reasons: tuple[str, ...] = ()
    """Why it is not valid."""
    attainment: float | None = None
    """Share of all scheduled requests that held every limit that is asked of one."""
    figures: Mapping[str, float | None] = field(default_factory=dict)
    """Of each target as it was typed, over the whole run."""
    limit: StoredLimit | None = None
    """What a search for the limit found; None of any other run."""


def outcome_of(manifest: Manifest | None, *, over: bool) -> Outcome | None:
    """None before the end, and of a run that has no summary."""
    summary = stored_summary(manifest) if over and manifest is not None else None
    if summary is None or manifest is None:
        return None
    slo, plan = summary.slo, summary.plan
    searched = manifest.config.limit is not None
    return Outcome(
        "" if slo is None or searched else slo.verdict,
        summary.valid is True,
        tuple(summary.reasons),
        None if slo is None or searched else slo.attainment,
        {} if slo is None or searched else {each.target: each.figure for each in slo.targets},
        None if plan is None or not searched else plan.limit,
    )
