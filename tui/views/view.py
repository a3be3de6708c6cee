"""What a view is: the rows between the head of the screen and its foot, and what keys of its own do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sessions.frame.schema import Frame
from tui.controls.prompt import Prompt
from tui.controls.screen_state import ScreenState
from tui.controls.session_source import SessionSource
from tui.draw.layout import Columns
from tui.draw.rows import Row
from tui.draw.theme import Theme
from tui.plots.chart import Mark
from tui.plots.scale import Scale

Scales = Mapping[str, Scale]


@dataclass(frozen=True)
class Drawing:
    """What a view is drawn from: the session at one instant, and the cells there are for it."""

    frame: Frame
    """Its axis is that of all charts over time, and has `at.plot` columns."""
    source: SessionSource
    """For what a frame does not hold: `source.timeline` up to `frame.at_ns`, `source.requests`."""
    screen_state: ScreenState
    scales: Scales
    """Scales that all views share, by chart: the same at each view, so that nothing jumps on the way."""
    width: int
    height: int
    """Cells and rows of the view itself, without head and foot."""
    at: Columns
    marks: Sequence[Mark]

    @property
    def theme(self) -> Theme:
        return self.screen_state.theme


class Pressed(NamedTuple):
    """What came of a key."""

    view: View
    seek_ns: int | None = None
    """Session time that the playhead is to go to."""
    notice: str = ""
    """A few words for the bottom row."""
    ask: Prompt | None = None
    """A line to be typed."""


class View(Protocol):
    """An immutable value: what it remembers (a cursor, an order, a filter) is in its fields."""

    def rows(self, drawing: Drawing) -> list[Row]:
        """At most `drawing.height` rows of at most `drawing.width` cells."""

    def pressed(self, action: str, drawing: Drawing) -> Pressed:
        """After a key that the table gives to this view alone. `escape` is an action of every view: one that
        has nothing open to close returns itself unchanged, and the screen goes back to the overview."""
