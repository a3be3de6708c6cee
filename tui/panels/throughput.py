"""What goes through: the rate offered and achieved, tokens, requests in flight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sessions.frame.schema import Frame
from tui.draw import numbers
from tui.draw.rows import Field, Row, Span
from tui.draw.theme import Theme
from tui.plots.bars import area
from tui.plots.chart import Line, Mark
from tui.plots.scale import Scale, Series


@dataclass(frozen=True)
class Plotting:
    """What the charts of one frame have in common."""

    frame: Frame
    later: Frame | None
    """Of a replay, the frame of its end: what lies after the playhead."""
    after: int
    """The first column after the playhead."""
    width: int
    theme: Theme
    marks: Sequence[Mark]

    def filled(self, of: str, role: str, scale: Scale, height: int, line: str | None = None) -> list[Row]:
        """The series `of` a frame as an area, and that named `line` over it."""
        grids = []
        for frame in (self.frame, self.later):
            if frame is not None:
                values: Series = getattr(frame, of)
                over = Line(getattr(frame, line), "offered", "=") if line is not None else None
                grids.append(
                    area(
                        values,
                        scale,
                        self.width,
                        height,
                        role,
                        marks=self.marks,
                        line=over,
                        ascii_only=self.theme.ascii_only,
                    )
                )
        grid = grids[0] if len(grids) == 1 else grids[0].followed_by(grids[1], self.after)
        return grid.rows()


def sent(frame: Frame) -> list[Field]:
    """Sent of due, and answered, a second: where they part, the client or the cap held back."""
    behind = (frame.achieved_rps or 0.0) < 0.95 * (frame.due_rps or 0.0)
    said: list[Span] = [
        ("sent ", "label"),
        (numbers.rate(frame.achieved_rps), "warn" if behind else "achieved"),
    ]
    if not frame.closed_loop:
        said += [(" of ", "dim"), (numbers.rate(frame.due_rps), "")]
    done: list[Span] = [("done ", "label"), (numbers.rate(frame.completed_rps), "")]
    fields = [Field(0, ("REQ/S", "title")), Field(1, *said), Field(2, *done)]
    return [*fields, window(frame)]


def window(frame: Frame) -> Field:
    """Of how many seconds the rates are: of those since a key or a plan changed the load, 10 at the most."""
    if frame.rates_s is None or frame.state in ("ended", "killed"):
        return Field(9)
    return Field(8, (f"last {max(frame.rates_s, 1):.0f} s", "dim"))


def tokens(frame: Frame) -> list[Field]:
    joules = frame.power.j_per_token
    tps = frame.input_tps if frame.only_input else frame.output_tps
    per_gpu = len([gpu for gpu in frame.gpus if not gpu.excluded])
    # What a token takes says that they are those that came out.
    way = " in" if frame.only_input else " out" if joules is None else ""
    return [
        Field(0, ("TOKENS/S ", "title"), (numbers.count(tps), "tokens"), (way, "label")),
        Field(1, ("" if joules is None else f"{numbers.three(joules)} J/tok", "dim")),
        Field(2, (f"{numbers.count(tps / per_gpu)} a GPU", "dim")) if tps and per_gpu > 1 else Field(9),
    ]


def in_flight(frame: Frame) -> list[Field]:
    said = Field(0, ("IN FLIGHT ", "title"), (numbers.count(frame.in_flight), "in_flight"))
    if not frame.backlog:
        return [said]
    return [said, Field(1, ("backlog ", "label"), (numbers.count(frame.backlog), "warn"))]
