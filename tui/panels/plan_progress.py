"""Where a plan is, or a search for the limit: a field of the second row."""

from __future__ import annotations

from sessions.frame.schema import PlanProgress
from sessions.frame.search import SearchProgress
from tui.controls import keys
from tui.controls.screen_state import ScreenState
from tui.draw import numbers
from tui.draw.rows import Field, Row
from tui.draw.text import safe
from tui.draw.theme import Theme

_WIDE = 140
"""Cells in which there is room for the time of a step and for that of the search."""


def _search(
    step: int, search: SearchProgress, awaiting: str, goes_on: bool, theme: Theme, width: int
) -> list[Field]:
    """The step and how long it is at the most; what the steps before it say; how long all of it goes on."""
    shown: Row = [("STEP ", "label"), (f"{step}", "strong"), (f" {safe(search.load, 28)}", "")]
    if awaiting:
        shown.append((f" ends,{awaiting}", "warn"))
    elif search.of is not None and goes_on:
        long = width >= 100
        many = f"  {search.due:,} of {search.of:,}" if long else f" {search.due}/{search.of}"
        # How long all of it goes on says more than how long the step does.
        told = search.left_s is not None and (search.after_s is None or not 100 <= width < _WIDE)
        left = numbers.clock(int((search.left_s or 0.0) * 1e9), hours=False)
        wait = f"{many}{', ' if long else ' '}{left} at most" if told else many
        shown.append((wait, "dim"))
    about: Row = []
    if search.after_s is not None:
        about = [(f"search over in {numbers.about((search.left_s or 0.0) + search.after_s)}", "dim")]
    known = _known(search) if width >= 100 else _known_short(search, theme)
    return [Field(0, *shown), Field(0, *known), Field(1, *about)]


def _known(search: SearchProgress) -> Row:
    """What the steps that are over say of the limit, in words."""
    low, high = (f"{load or 0.0:.3g}" for load in (search.passed, search.failed))
    unit = f" {search.unit}" if search.unit else ""
    if search.passed is not None and search.failed is not None:
        return [("between ", "label"), (low, "strong"), (" and ", "label"), (f"{high}{unit}", "strong")]
    if search.passed is not None:
        return [(f"{low}{unit}", "strong"), (" holds, ", "ok"), ("searching upwards", "dim")]
    if search.failed is not None:
        return [(f"{high}{unit}", "strong"), (" does not hold, ", "bad"), ("searching downwards", "dim")]
    return []


def _known_short(search: SearchProgress, theme: Theme) -> Row:
    shown: Row = []
    for load, mark, role in ((search.passed, "met", "ok"), (search.failed, "missed", "bad")):
        if load is not None:
            shown += [(f"{'  ' if shown else ''}{load:.3g} ", "strong"), (theme.glyph(mark), role)]
    return shown


def plan_progress(plan: PlanProgress, in_flight: int, screen_state: ScreenState, width: int) -> list[Field]:
    """The stage, and how long the plan goes on; `in_flight`: how many answers it waits for between two."""
    label = "PLAN " if plan.of is not None else "STEP "
    where = f"{plan.stage}/{plan.of}" if plan.of is not None else f"{plan.stage}:"
    awaiting = ""
    if plan.state == "draining":
        many = f"{in_flight:,} answer{'s' * (in_flight != 1)}" if in_flight else "answers"
        awaiting = f" awaiting {many}"
    if plan.search is not None and plan.state != "left":
        return _search(plan.stage, plan.search, awaiting, plan.state == "running", screen_state.theme, width)
    if plan.state == "left":
        return [Field(0, (label, "label"), (f"left at {where}: p goes on", "warn"))]
    shown: Row = [(label, "label"), (where, "strong"), (f" {safe(plan.stage_name, 28)}", "")]
    if awaiting:
        shown.append((awaiting, "warn"))
    elif plan.state == "over" and plan.of is not None and plan.stage < plan.of:
        go_on = keys.action_row("go_on", screen_state.keymap).keys[0]
        shown += [(" pause ", "dim"), (go_on, "key"), (" ends it", "dim")]
    if plan.left_s:
        shown.append((f" {numbers.clock(int(plan.left_s * 1e9), hours=False)} left", "dim"))
    return [Field(0, *shown)]
