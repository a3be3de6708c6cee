"""A session that is looked at, out of the records of a made-up run: what a view is drawn from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sessions.curve.memory import CurveMemory
from sessions.frame.build import build
from sessions.frame.schema import Frame
from sessions.store.manifest import Manifest
from sessions.timeline.requests import RequestColumns
from sessions.timeline.timeline import Timeline
from tui.controls.playhead import Playhead
from tui.controls.screen_state import ScreenState
from tui.controls.time_window import column_ns
from tui.draw.layout import columns_for
from tui.draw.paged_axis import first_column_ns
from tui.draw.rows import width_of
from tui.draw.theme import ROLES, Theme
from tui.panels.strip import marks_of
from tui.views.overview import scales_for
from tui.views.view import Drawing, View

SIZES = [(60, 16), (80, 24), (100, 30), (120, 40), (200, 60), (61, 17), (300, 20), (70, 90)]


class Recorded:
    """`SessionSource` over a timeline that is there at once; `live` is what its frames say."""

    def __init__(self, timeline: Timeline, manifest: Manifest | None, *, live: bool = False) -> None:
        self.timeline, self.manifest, self.live = timeline, manifest, live
        self.state = "running"
        self.read_share = 1.0
        self.curve = CurveMemory(self)
        self.polls = 0

    @property
    def first_ns(self) -> int:
        return self.timeline.first_ns

    @property
    def last_ns(self) -> int:
        return self.timeline.known_ns

    @property
    def requests(self) -> RequestColumns:
        return self.timeline.requests

    def poll(self) -> bool:
        self.polls += 1
        return self.curve.poll()

    def frame(self, at_ns: int, window_ns: int, slots: int, start_ns: int | None = None) -> Frame:
        return build(
            self.timeline,
            self.manifest,
            at_ns=at_ns,
            window_ns=window_ns,
            slots=slots,
            live=self.live,
            killed=False,
            start_ns=start_ns,
        )


def drawing_of(
    source: Any, size: tuple[int, int], *, at_ns: int | None = None, theme: Theme | None = None, **more: Any
) -> Drawing:
    """What a view of `size` is drawn from; `more` is of the screen's state."""
    width, height = size
    at_ns = source.last_ns if at_ns is None else at_ns
    at = columns_for(width)
    slot_ns = column_ns(None, source.last_ns - source.first_ns, at.plot)
    frame = source.frame(
        at_ns, slot_ns * at.plot, at.plot, first_column_ns(at_ns, source.first_ns, slot_ns, at.plot)
    )
    state = ScreenState(theme=theme or Theme(), playhead=Playhead(at_ns=at_ns), window_s=None, **more)
    return Drawing(
        frame, source, state, scales_for(frame, state, {}), width, height, at, marks_of(frame, at.plot)
    )


def rows_of(view: View, drawing: Drawing) -> list[str]:
    """The text of its rows, which are checked to fit."""
    rows = view.rows(drawing)
    assert len(rows) <= drawing.height
    assert all(width_of(row) <= drawing.width for row in rows)
    assert all(part in ROLES for row in rows for _, role in row for part in role.split("/"))
    return ["".join(text for text, _ in row) for row in rows]


def roles_of(view: View, drawing: Drawing) -> set[str]:
    return {role for row in view.rows(drawing) for text, role in row if text.strip()}


def higher(drawing: Drawing, height: int) -> Drawing:
    return replace(drawing, height=height)
