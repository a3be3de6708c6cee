"""Says how a plan goes on that its run did not bring to an end."""

from __future__ import annotations

from pathlib import Path

from sessions.plan.config import RunConfig
from sessions.run.resume import first_not_over, steps_left
from sessions.store.manifest import SessionError
from tui.foreground.command_word import command_word
from tui.foreground.question import said_steps


def how_it_goes_on(directory: Path, config: RunConfig, session: str) -> str:
    """A line for whoever ran that plan, or search, in a session of that name; empty where it is over, or
    there is none."""
    plan, limit = config.plan, config.limit
    if plan is None:
        return ""
    again = f"{command_word()} run --resume {session}"
    try:
        if limit is not None:
            steps = steps_left(directory, config, limit)
            if steps is None:
                return ""
            return f"{again}    (the search goes on after {said_steps(len(steps))})"
        number = first_not_over(directory, plan)
    except SessionError:  # what is wrong with it was said already
        return ""
    if number is None:
        return ""
    return f"{again}    (the plan goes on at stage {number + 1} of {len(plan.stages)})"
