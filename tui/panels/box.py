"""Panels under one another: each a title with its own figures, in a thin frame where there is room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tui.draw.rows import Field, Row, Span, chosen, fitted, width_of
from tui.draw.text import fit_axis
from tui.draw.theme import Theme


@dataclass(frozen=True)
class Panel:
    """`title` from the left, the lowest rank stays longest; `aside` at the right end; `rows` below."""

    title: Sequence[Field]
    rows: Sequence[Row] = ()
    aside: Sequence[Span] = field(default=())


def stacked(panels: Sequence[Panel], width: int, bottom: Sequence[Span], theme: Theme) -> list[Row]:
    """In one frame of `width` cells, their titles being its cross-bars; `bottom` lies in its lowest side."""
    wall: Span = (theme.glyph("wall"), "frame")
    out: list[Row] = []
    for i, panel in enumerate(panels):
        left, right = ("top_left", "top_right") if not i else ("left", "right")
        floor = theme.glyph("floor")
        bar = _title(panel, width - 4, floor)
        close = (" " if panel.aside else floor) + theme.glyph(right)
        out.append([(theme.glyph(left) + " ", "frame"), *bar, (close, "frame")])
        out += [[wall, *fitted(row, width - 2), wall] for row in panel.rows]
    corners = theme.glyph("bottom_left"), theme.glyph("bottom_right")
    out.append([(corners[0], "frame"), *fitted(bottom, width - 2), (corners[1], "frame")])
    return out


def plain(panel: Panel, width: int) -> list[Row]:
    """Without a frame: a title row, then its rows."""
    return [[(" ", ""), *_title(panel, width - 2, " ")], *panel.rows]


def _title(panel: Panel, width: int, filler: str) -> Row:
    aside = list(panel.aside)
    if width_of(aside) > width // 2:
        aside = []
    room = width - (width_of(aside) + 3 if aside else 0)
    title = chosen(panel.title, room)
    said = fitted(title, min(room, width_of(title)))
    gap = width - width_of(said) - width_of(aside)
    if filler == " " or gap < 2:
        return [*said, (" " * max(gap, 0), ""), *aside]
    lines = gap - 2 if aside else gap - 1
    return [*said, (" ", ""), (filler * lines, "frame"), *([(" ", ""), *aside] if aside else [])]


def labelled(plot: Sequence[Row], labels: Mapping[int, str], gutter: int) -> list[Row]:
    """Rows of a chart behind a gutter with its scale."""
    out: list[Row] = []
    for i, row in enumerate(plot):
        text = fit_axis(labels.get(i, ""), gutter - 1).rjust(gutter - 1) + " "
        out.append([(text[:gutter], "axis"), *row])
    return out
