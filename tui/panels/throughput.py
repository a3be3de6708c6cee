"""What goes through: the rate offered and achieved, tokens, requests in flight."""

from __future__ import annotations

from collections.abc import Sequence

from sessions.frame.schema import Frame
from tui.draw import numbers
from tui.draw.layout import Columns
from tui.draw.rows import Field, Row, Span, chosen
from tui.draw.theme import Theme
from tui.panels.strip import strip
from tui.plots.bars import area
from tui.plots.chart import Line, Mark
from tui.plots.scale import Scale, Series, ticks


def rate(
    frame: Frame, scale: Scale, at: Columns, height: int, theme: Theme, marks: Sequence[Mark]
) -> list[Row]:
    """Offered as a line over the area of what was sent: where they part, the client or the cap held back."""
    offered = numbers.whole(frame.concurrency) if frame.closed_loop else numbers.rate(frame.rate_rps)
    word = "concurrency" if frame.closed_loop else "offered"
    sent: list[Span] = [("sent ", "label"), (numbers.rate(frame.achieved_rps), "achieved")]
    if not frame.closed_loop and height > 1:
        sent += [(" of ", "dim"), (numbers.rate(frame.due_rps), "")]
    done: list[Span] = [("done ", "label"), (numbers.rate(frame.completed_rps), "")]
    side: list[list[Span]]
    if height == 1:
        side = [chosen([Field(0, ("REQ/S", "title")), Field(1, *sent), Field(2, *done)], at.side - 1, gap=1)]
    else:
        side = [[("REQ/S  ", "title"), (f"{word} ", "label"), (offered, "offered")]]
        indent: Span = ("       ", "")
        side.append(chosen([Field(0, indent, *sent), Field(1, *done)], at.side - 1, gap=2))
    line = Line(frame.offered, "offered", "=") if height > 1 else None
    return _filled(frame.achieved, "tokens_fill", scale, side, at, height, theme, marks, line)


def tokens(
    frame: Frame, scale: Scale, at: Columns, height: int, theme: Theme, marks: Sequence[Mark]
) -> list[Row]:
    joules = frame.power.j_per_token
    tps = frame.input_tps if frame.only_input else frame.output_tps
    fields = [
        Field(0, ("TOKENS/S ", "title"), (numbers.count(tps), "tokens")),
        Field(2, ("in" if frame.only_input else "out", "label")),
        Field(1, ("" if joules is None else f" {numbers.three(joules)} J/tok", "dim")),
    ]
    side: list[list[Span]] = [chosen(fields, at.side - 1, gap=1)]
    values = frame.input_tokens if frame.only_input else frame.output_tokens
    return _filled(values, "tokens_fill", scale, side, at, height, theme, marks)


def in_flight(
    frame: Frame, scale: Scale, at: Columns, height: int, theme: Theme, marks: Sequence[Mark]
) -> list[Row]:
    side: list[list[Span]] = [[("IN FLIGHT ", "title"), (numbers.count(frame.in_flight), "in_flight")]]
    return _filled(frame.in_flight_series, "in_flight_fill", scale, side, at, height, theme, marks)


def _filled(
    values: Series,
    role: str,
    scale: Scale,
    side: list[list[Span]],
    at: Columns,
    height: int,
    theme: Theme,
    marks: Sequence[Mark],
    line: Line | None = None,
) -> list[Row]:
    plot = area(values, scale, at.plot, height, role, marks=marks, line=line, ascii_only=theme.ascii_only)
    return strip(plot.rows(), ticks(scale, height, numbers.label), side, at, theme)
