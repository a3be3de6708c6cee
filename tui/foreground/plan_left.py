"""Says how a plan goes on that its run did not bring to an end."""

from __future__ import annotations

from pathlib import Path

from sessions.plan.config import PlanConfig
from sessions.run.resume import first_not_over
from sessions.store.manifest import SessionError


def how_it_goes_on(directory: Path, plan: PlanConfig | None, session: str) -> str:
    """A line for whoever ran `plan` in a session of that name; empty where it is over, or there is none."""
    if plan is None or not plan.stages:  # a search for the limit has none beforehand
        return ""
    try:
        number = first_not_over(directory, plan)
    except SessionError:  # what is wrong with it was said already
        return ""
    if number is None:
        return ""
    return f"ttftop run --resume {session}    (the plan goes on at stage {number + 1} of {len(plan.stages)})"
