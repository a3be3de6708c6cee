"""Every view by its name, in the order of the digits that open them, and the screen around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tui.draw import layout
from tui.draw.rows import Row, fitted
from tui.panels import footer, header, region, time_axis
from tui.views import overview
from tui.views.curve import Curve
from tui.views.events import Events
from tui.views.gpus import Gpus
from tui.views.latency import Latency
from tui.views.requests import Requests
from tui.views.server import Server
from tui.views.view import Drawing, View

OVERVIEW = "overview"
VIEWS: Mapping[str, View] = {
    "latency": Latency(),
    "curve": Curve(),
    "gpus": Gpus(),
    "server": Server(),
    "requests": Requests(),
    "events": Events(),
}
"""Beside the overview, which has no state of its own; as they are when the screen opens."""


def whole(drawing: Drawing, view: View | None) -> list[Row]:
    """The whole screen in `drawing.height` rows; no view is the overview."""
    frame, state, width = drawing.frame, drawing.screen_state, drawing.width
    if width < layout.LEAST_WIDTH or drawing.height < layout.LEAST_HEIGHT:
        return overview.compose(frame, state, drawing.scales, width, drawing.height)
    between = region.region_row(frame, drawing.source.timeline, state, width)
    if view is None or state.details:
        return _with_region(drawing, between)
    above = [*_head(drawing), _tabs(state.view, width)]
    below = [*between, *_foot(drawing)]
    body = view.rows(within(drawing))
    room = drawing.height - len(above) - len(below)
    body = (body + [[]] * room)[:room]
    return [fitted(row, width) for row in (*above, *body, *below)]


def _with_region(drawing: Drawing, between: list[Row]) -> list[Row]:
    """The overview, a region's figures above its foot: in the place of an event on the smallest screen."""
    frame, state, foot = drawing.frame, drawing.screen_state, len(_foot(drawing))
    height = max(drawing.height - len(between), layout.LEAST_HEIGHT)
    rows = overview.compose(frame, state, drawing.scales, drawing.width, height)
    body = rows[: drawing.height - len(between) - foot]
    return [*body, *between, *rows[-foot:]]


def within(drawing: Drawing) -> Drawing:
    """The same with the cells that are left for a view."""
    return replace(
        drawing, height=drawing.height - len(_head(drawing)) - 1 - len(_foot(drawing)) - _region_rows(drawing)
    )


def _head(drawing: Drawing) -> list[Row]:
    frame, state, width = drawing.frame, drawing.screen_state, drawing.width
    return [part(frame, state, width) for part in (header.header, header.load, header.limit)]


def _foot(drawing: Drawing) -> list[Row]:
    frame, state = drawing.frame, drawing.screen_state
    bottom = footer.bottom(state, drawing.width, live=frame.live)
    if frame.live and state.playhead.following:
        return [bottom]
    return [time_axis.scrub(frame, state, drawing.width), bottom]


def _region_rows(drawing: Drawing) -> int:
    return int(drawing.screen_state.region is not None)


def _tabs(shown: str, width: int) -> Row:
    """The views and their digits."""
    row: Row = []
    for digit, name in enumerate((OVERVIEW, *VIEWS), start=1):
        role = "title" if name == shown else "dim"
        row += [(f" {digit}", "key"), (f" {name} ", role)]
    return fitted(row, width)
