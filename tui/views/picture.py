"""A session drawn again and again, as a screen does it: what one time leaves for the next."""

from __future__ import annotations

from collections.abc import Mapping

from sessions.frame.baseline import against, charted
from sessions.frame.schema import Frame
from sessions.run.commands import Ack
from tui.controls.load_keys import acknowledged
from tui.controls.screen_state import ScreenState
from tui.controls.session_source import SessionSource
from tui.controls.shown_axis import LaterFrames, shown_axis, with_rest
from tui.draw.layout import columns_for, overview_columns
from tui.draw.rows import Row
from tui.panels.strip import marks_of
from tui.plots.scale import Scale
from tui.views.help import help_rows
from tui.views.overview import scales_for
from tui.views.view import Drawing, View
from tui.views.views import OVERVIEW, whole


class Picture:
    def __init__(self, source: SessionSource) -> None:
        self._source = source
        self._scales: Mapping[str, Scale] = {}
        self._later = LaterFrames()
        self.frame: Frame | None = None
        self.drawing: Drawing | None = None
        """Of the rows made last; None before any."""

    def forget_scales(self) -> None:
        """They are fitted anew, and not held, since what is shown next has nothing to do with what was."""
        self._scales = {}

    def rows(
        self, state: ScreenState, width: int, height: int, view: View | None, ack: Ack | None = None
    ) -> list[Row]:
        """The whole screen in so many cells.

        Args:
            view: what `state.view` names; None is the overview.
            ack: what the run has answered last and its records do not say yet.
        """
        source = self._source
        at = columns_for(width) if state.view != OVERVIEW else overview_columns(width)
        axis = shown_axis(source, state, at.plot)
        frame = axis.frame(source, state.playhead.at_ns)
        later = self._later.frame(source, state, axis)
        if state.playhead.following:
            frame = acknowledged(frame, ack)
        if later is not None:
            frame = with_rest(frame, later)
        self.frame = frame
        beside = against(source.curve, frame, state.align)
        ghosts = {}
        if beside is not None:
            over = frame if later is None else later
            ghosts = {chart: beside.ghost(metric, over) for chart, metric in charted(over).items()}
        self._scales = scales_for(frame, state, self._scales, later=later, ghosts=ghosts)
        marks = marks_of(frame if later is None else later, at.plot)
        self.drawing = Drawing(
            frame, source, state, self._scales, width, height, at, marks, later, self._later.memo, beside
        )
        return help_rows(width, height, state) if state.help else whole(self.drawing, view)
