"""What a view is: the rows between the head of the screen and its foot, and what keys of its own do to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

from sessions.frame.baseline import Against
from sessions.frame.schema import Frame
from tui.controls.prompt import Prompt
from tui.controls.screen_state import ScreenState
from tui.controls.session_source import SessionSource
from tui.draw.layout import Columns
from tui.draw.rows import Row
from tui.draw.theme import Theme
from tui.panels.gpus import columns_so_far
from tui.plots.chart import Grid, Mark
from tui.plots.scale import Scale

T = TypeVar("T")
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
    later: Frame | None = None
    """Where the playhead is in the midst of a run that is over: its end on the same axis. Of it only what is
    after the playhead may be drawn, dimmed."""
    memo: dict[str, Any] = field(default_factory=dict, compare=False)
    """What was made of `later`, as long as it stays."""
    against: Against | None = None
    """None where no baseline is loaded."""

    @property
    def theme(self) -> Theme:
        return self.screen_state.theme

    @property
    def upto(self) -> int:
        """Columns up to the one that holds the playhead."""
        return columns_so_far(self.frame)

    def over_time(self, name: str, made: Callable[[Frame], T | None], now: T) -> T:
        """What charts over time are drawn of: `now`, or what is `made` of `later`, which has the same up to
        the playhead. A grid of it goes through `seen`."""
        if self.later is None:
            return now
        if name not in self.memo:
            self.memo[name] = made(self.later)
        found: T | None = self.memo[name]
        return now if found is None else found

    def seen(self, grid: Grid) -> Grid:
        """What lies after the playhead is dimmed."""
        return grid if self.later is None else grid.dimmed_from(self.upto)


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
