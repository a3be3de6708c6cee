"""Where a plan is, or a search for the limit: a field of the second row."""

from __future__ import annotations

from sessions.frame.schema import PlanProgress
from sessions.frame.search import SearchProgress
from tui.controls import keys
from tui.controls.screen_state import ScreenState
from tui.draw import numbers
from tui.draw.rows import Row
from tui.draw.text import safe
from tui.draw.theme import Theme


def _search(step: int, search: SearchProgress, state: str, theme: Theme, width: int) -> Row:
    """The step, how long it goes on at the most, and what the steps before it bracket."""
    shown: Row = [("STEP ", "label"), (f"{step}", "strong"), (f" {safe(search.load, 28)}", "")]
    if state == "draining":
        shown.append((" awaiting answers", "warn"))
    elif search.of is not None and state == "running":
        long = width >= 100
        many = f"  {search.due:,} of {search.of:,} requests" if long else f" {search.due}/{search.of}"
        left = "" if search.left_s is None else numbers.clock(int(search.left_s * 1e9), hours=False)
        wait = f"{many}{', ' if long else ' '}{left} at most" if left else many
        shown.append((wait, "dim"))
    for load, mark, role in ((search.passed, "met", "ok"), (search.failed, "missed", "bad")):
        if load is not None:
            shown += [(f"  {load:.3g} ", "strong"), (theme.glyph(mark), role)]
    return shown


def plan_progress(plan: PlanProgress, screen_state: ScreenState, width: int) -> Row:
    """The stage, and how long the plan goes on."""
    label = "PLAN " if plan.of is not None else "STEP "
    where = f"{plan.stage}/{plan.of}" if plan.of is not None else f"{plan.stage}:"
    if plan.search is not None and plan.state != "left":
        return _search(plan.stage, plan.search, plan.state, screen_state.theme, width)
    if plan.state == "left":
        return [(label, "label"), (f"left at {where}: p goes on", "warn")]
    shown: Row = [(label, "label"), (where, "strong"), (f" {safe(plan.stage_name, 28)}", "")]
    if plan.state == "draining":
        shown.append((" awaiting answers", "warn"))
    elif plan.state == "over" and plan.of is not None and plan.stage < plan.of:
        go_on = keys.action_row("go_on", screen_state.keymap).keys[0]
        shown += [(" pause ", "dim"), (go_on, "key"), (" ends it", "dim")]
    if plan.left_s:
        shown.append((f" {numbers.clock(int(plan.left_s * 1e9), hours=False)} left", "dim"))
    return shown
