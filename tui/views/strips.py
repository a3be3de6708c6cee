"""What charts of a view are set in: a title on a rule, a gutter with the scale, figures at the side, time."""

from __future__ import annotations

from collections.abc import Sequence

from tui.draw.rows import Field, Row, Span, chosen, fitted, width_of
from tui.draw.theme import Theme
from tui.panels import time_axis
from tui.panels.strip import strip as strip
from tui.plots.chart import Mark
from tui.views.view import Drawing


def titled(fields: Sequence[Field], width: int, theme: Theme, right: Sequence[Span] = ()) -> Row:
    """The fields that have room on a rule across the width, and `right` behind it."""
    rule, room = theme.glyph("floor"), width - width_of(right)
    spans = chosen(fields, room - 4, gap=2)
    left = room - width_of(spans) - 4
    return fitted([(rule + " ", "grid"), *spans, (" " + rule * max(left + 1, 1), "grid"), *right], width)


def axis_row(drawing: Drawing) -> Row:
    return time_axis.axis(drawing.frame, drawing.screen_state, drawing.at)


def faint(marks: Sequence[Mark]) -> list[Mark]:
    """Changes of load as faint lines, what a person marked and errors as they are: the rest is in the list of
    events, and would stand before the data."""
    kept = {"line_load": ("grid", "┊"), "line_mark": ("line_mark", "┊"), "line_error": ("line_error", "┊")}
    return [Mark(mark.column, *kept[mark.role]) for mark in marks if mark.role in kept]
