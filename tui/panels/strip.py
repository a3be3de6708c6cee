"""A strip: gutter, plot and numbers side by side, on the columns all strips share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sessions.frame.schema import ChartMark, Frame
from tui.draw.layout import Columns
from tui.draw.rows import Row, Span, fitted
from tui.draw.text import fit_axis, fit_tail
from tui.draw.theme import Theme
from tui.plots.chart import Mark

_LINED = ("warning", "load", "mark", "error", "end")
"""What has a line on the charts, or a tick at their top; the rest is in the list of events. Of several in one
column the last of these is seen."""
_TICKED = ("warning",)
"""Only the tick."""


def strip(
    plot: Sequence[Row], labels: Mapping[int, str], side: Sequence[Sequence[Span]], at: Columns, theme: Theme
) -> list[Row]:
    """Rows of the whole width. `labels` are by row; a row without one shows the bare axis."""
    out: list[Row] = []
    for i, cells in enumerate(plot):
        label = labels.get(i, "")
        text = fit_axis(label, at.gutter - 1).rjust(at.gutter - 1)
        edge = theme.glyph("tick" if label else "wall")
        numbers = side[i] if i < len(side) else ()
        out.append([(text + edge, "axis"), *fitted(cells, at.plot), *fitted([(" ", ""), *numbers], at.side)])
    return out


def named(
    plot: Sequence[Row], name: str, side: Sequence[Sequence[Span]], at: Columns, theme: Theme
) -> list[Row]:
    """A strip whose scale is known from its name (a share of 100 %): the name stands in the gutter."""
    rows = strip(plot, {}, side, at, theme)
    if rows:
        text = fit_tail(name, at.gutter - 1).rjust(at.gutter - 1)
        rows[0] = [(text, "label"), (theme.glyph("wall"), "axis"), *rows[0][1:]]
    return rows


def marks_of(frame: Frame, width: int) -> list[Mark]:
    """The vertical lines, by column of a plot of this width; the newest slot is its last column."""
    out = []
    lined = [mark for mark in frame.marks if mark.kind in _LINED]
    for mark in sorted(lined, key=lambda mark: _LINED.index(mark.kind)):
        column = column_of(mark, frame, width)
        if column is not None:
            faint = "" if mark.kind in _TICKED else "faint" if mark.kind == "load" else f"line_{mark.kind}"
            out.append(Mark(column, f"line_{mark.kind}", "╷", faint))
    return out


def column_of(mark: ChartMark, frame: Frame, width: int) -> int | None:
    if mark.slot is None:
        return None
    column = mark.slot + width - frame.slots
    return column if 0 <= column < width else None
