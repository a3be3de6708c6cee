"""View 7: all that happened, filtered, with a cursor that leads to each instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sessions.frame.schema import ChartMark
from tui.draw import numbers
from tui.draw.rows import Row, fitted
from tui.draw.text import safe
from tui.panels import time_axis
from tui.views.view import Drawing, Pressed

FILTERS: dict[str, tuple[str, ...]] = {
    "all": (),
    "load": ("load", "state", "end"),
    "marks": ("mark",),
    "what binds": ("limit",),
    "errors and warnings": ("error", "warning"),
    "notes": ("note",),
}
"""Kinds of `ChartMark`; none: every kind."""


@dataclass(frozen=True)
class Events:
    filter: str = "all"
    back: int = 0
    """How many events the cursor is before the newest."""

    def rows(self, drawing: Drawing) -> list[Row]:
        found = self._found(drawing)
        frame, theme, width = drawing.frame, drawing.theme, drawing.width
        back = min(self.back, max(len(found) - 1, 0))
        said = f" {len(found)} of {len(frame.marks)} events"
        head: Row = [(" EVENTS ", "title"), (self.filter, "strong"), (said, "dim")]
        errors = sorted(frame.errors.items(), key=lambda item: (-item[1], item[0]))
        head += [(f"   {safe(kind, 24)} {numbers.count(count)}", "bad") for kind, count in errors if count]
        rows = [fitted(head, width)]
        if not found:
            return [*rows, fitted([("  nothing of this kind yet", "dim")], width)]
        # The event under the cursor is said with all its words.
        at_cursor = time_axis.event(found[-1 - back], frame, width - 1, theme, whole=True)
        at_cursor = at_cursor[: max(drawing.height - 1, 1)]
        room = drawing.height - len(at_cursor)
        # The cursor's row is kept in sight with as many after it as there is room for.
        last = len(found) - max(back - room // 2, 0)
        shown = found[max(last - room, 0) : last]
        cursor = len(found) - 1 - back - max(last - room, 0)
        for index, lines in enumerate(time_axis.all_events(shown, frame, room, width - 1, theme)):
            pointer = theme.glyph("play") if index == cursor else " "
            told = at_cursor if index == cursor else lines
            rows += [fitted([(" " if i else pointer, "key"), *line], width) for i, line in enumerate(told)]
        return rows

    def pressed(self, action: str, drawing: Drawing) -> Pressed:
        found = self._found(drawing)
        most = max(len(found) - 1, 0)
        page = max(drawing.height - 2, 1)
        steps = {"row_next": -1, "row_previous": 1, "page_next": -page, "page_previous": page}
        if action in steps:
            return Pressed(replace(self, back=min(max(min(self.back, most) + steps[action], 0), most)))
        if action == "filter":
            names = list(FILTERS)
            return Pressed(Events(names[(names.index(self.filter) + 1) % len(names)]))
        if action == "open" and found:
            return Pressed(self, seek_ns=found[-1 - min(self.back, most)].t_ns)
        return Pressed(self)

    def _found(self, drawing: Drawing) -> Sequence[ChartMark]:
        kinds = FILTERS[self.filter]
        return [mark for mark in drawing.frame.marks if not kinds or mark.kind in kinds]
