"""The other session behind a curve: which one, of a list, and why nothing is said of the two together."""

from __future__ import annotations

from collections.abc import Sequence

from sessions.curve.baseline import Baseline
from sessions.curve.curve import aligned
from sessions.curve.point import Point
from sessions.summary.digest import Digest
from tui.controls.home_list import Item
from tui.controls.prompt import Prompt
from tui.draw.rows import Row, fitted
from tui.draw.text import safe
from tui.views.home import columns, item_row
from tui.views.view import Drawing

_NAMED = 4
"""Loads of each side, where none is common."""


def others_listed(prompt: Prompt, others: Sequence[Digest], drawing: Drawing) -> list[Row]:
    """In place of the view while one is chosen: as the home screen lists them, the chosen one marked."""
    width, found = drawing.width, prompt.found
    by_id = {one.directory.name: one for one in others}
    said = f"{len(found)} of {len(prompt.listed)}" if prompt.text else f"{len(found)}, newest first"
    out = [fitted([(" COMPARE WITH ", "title"), (said, "dim")], width)]
    if not found:
        return [*out, fitted([("  none of these: enter looks for an id or a name", "dim")], width)]
    at, room = min(prompt.at, len(found) - 1), max(drawing.height - 1, 1)
    first = min(max(at - room // 2, 0), max(len(found) - room, 0))
    items = [Item(each.asks, session=by_id[each.asks]) for each in found]
    cells = columns(items, width)
    for place in range(first, min(first + room, len(found))):
        row = item_row(items[place], width, drawing.theme, cells)
        out.append([("".join(text for text, _ in row), "cursor")] if place == at else row)
    return out


def apart(points: Sequence[Point], baseline: Baseline | None) -> str:
    """Why no figures of two sessions stand beside each other; empty where some do."""
    if baseline is None or not baseline.ready:
        return ""
    name = safe(baseline.name, 30)
    if not baseline.points:
        return f"{name} has no load that was on for a second"
    if any(aligned(baseline.points, point.stage.load, point.stage.closed) for point in points):
        return ""
    here, there = _loads(points), _loads(baseline.points)
    return f"no load in common with {name}: here {here}, there {there}"


def _loads(points: Sequence[Point]) -> str:
    """The loads, without pieces of a ramp where there are others."""
    flat = [point for point in points if not point.stage.ramp] or points
    texts = list(dict.fromkeys(f"{point.stage.load:.3g}" for point in flat))
    more = ", ..." if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + more + (" at once" if flat[-1].stage.closed else " rps")
