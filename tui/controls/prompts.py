"""Which line is typed after a key that asks for one. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from sessions.frame.schema import Frame
from sessions.frame.workload import workload_at
from sessions.plan.mix import AS_ASKED
from sessions.summary.digest import Digest
from tui.controls.home_list import session_text
from tui.controls.playhead import Playhead
from tui.controls.prompt import Listed, Prompt
from tui.controls.session_source import SessionSource
from tui.draw.text import masked

ASKING = ("load_exact", "ramp", "workload", "mark", "baseline")
"""The actions of the key table that open a line."""


def asked_by(
    action: str, frame: Frame | None, playhead: Playhead, takes_commands: bool, source: SessionSource
) -> Prompt:
    """The line that one of `ASKING` opens. `takes_commands`: there is a run that can be told something.

    Raises:
        ValueError: it has no place in this run; why, in a few words. A baseline that there was is away.
    """
    if action == "baseline":
        if source.curve.baseline is None:
            return baseline_prompt(source.curve.others())
        source.curve.close_baseline()
        raise ValueError("the baseline is away")
    if action == "mark":
        return mark_prompt(playhead.following) if takes_commands else note_prompt(playhead.at_ns)
    if action == "workload":
        return workload_prompt(source)
    closed_loop = frame is not None and frame.closed_loop
    if action == "load_exact":
        return load_prompt(closed_loop)
    if closed_loop:
        raise ValueError("a ramp is of a rate, and this is a closed loop: = sets its concurrency")
    if frame is not None and frame.plan is not None and frame.plan.state in ("running", "draining"):
        raise ValueError(
            "the plan sets the rate: = or an arrow takes it from the plan, then a ramp can be set"
        )
    return ramp_prompt(None if frame is None else frame.rate_rps)


def load_prompt(closed_loop: bool) -> Prompt:
    """Asks for an exact load."""
    return Prompt("concurrency", "concurrency:") if closed_loop else Prompt("rate", "rate (req/s):")


def ramp_prompt(rate_rps: float | None) -> Prompt:
    """Asks for a ramp, from `rate_rps` where no other beginning is typed."""
    return Prompt("ramp", "ramp (like 32 in 60s, 4..32/60s):", rate_rps=rate_rps)


def workload_prompt(source: SessionSource) -> Prompt:
    """Asks which preset requests are to be made of from now on; it begins with the one after that in force.

    Raises:
        ValueError: what the run was asked is not known yet.
    """
    from sessions.run.asking import presets_of  # what requests are made of: not before somebody asks

    if source.manifest is None:
        raise ValueError("what this run was asked is not known yet")
    names = (AS_ASKED, *(masked(part.name) for part in presets_of(source.manifest.config)))
    now = masked(workload_at(source.timeline, source.last_ns)) or AS_ASKED
    after = names[(names.index(now) + 1) % len(names)] if now in names else names[0]
    return Prompt("workload", f"next requests (now {now}):", after, len(after), choices=names)


def baseline_prompt(others: Sequence[Digest]) -> Prompt:
    """Asks for another session, of those offered or by its id."""
    listed = tuple(Listed(one.directory.name, session_text(one)) for one in others)
    label = "compare with (type to find, up, down):" if listed else "compare with (id, start of it, name):"
    return Prompt("baseline", label, listed=listed)


def mark_prompt(following: bool) -> Prompt:
    """Asks for a mark; while the past is looked at, it says that the mark is not set there."""
    when = "mark" if following else "mark now, not at the time shown"
    return Prompt("mark", f"{when} (words are optional):")


def note_prompt(at_ns: int) -> Prompt:
    """Asks for a mark at an instant of a session that is over, which is kept beside it."""
    return Prompt("mark", "mark here (words are optional):", beside_ns=at_ns)
