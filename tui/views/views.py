"""Every view by its name, in the order of the digits that open them, and the screen around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tui.draw import layout
from tui.draw.rows import Row, fitted
from tui.panels import baseline, footer, header, region, time_axis
from tui.panels.box import Panel
from tui.views import overview
from tui.views.curve import Curve, small_curve
from tui.views.curve_baseline import others_listed
from tui.views.events import Events
from tui.views.gpus import Gpus, idle_keys
from tui.views.latency import Latency
from tui.views.requests import Requests
from tui.views.server import Server
from tui.views.view import Drawing, View

OVERVIEW = "overview"
BESIDE = (OVERVIEW, "latency")
"""Where a baseline has a row; the curve has its points."""
TABS_FROM = 30
"""Rows of the screen from which on the overview names the views; below, its bottom row says their keys."""
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
    between = [*_baseline(drawing), *region.region_row(frame, drawing.source.timeline, state, width)]
    prompt = state.prompt
    if prompt is not None and prompt.listed:
        head, foot = _head(drawing), _foot(drawing)
        listed = replace(drawing, height=drawing.height - len(head) - len(foot))
        body = others_listed(prompt, drawing.source.curve.offered, listed)
        body = (body + [[]] * listed.height)[: listed.height]
        return [fitted(row, width) for row in (*head, *body, *foot)]
    if view is None or state.details:
        return _overview(drawing, between)
    above = [*_head(drawing), _tabs(state.view, width)]
    below = [*between, *_foot(drawing)]
    body = view.rows(within(drawing))
    room = drawing.height - len(above) - len(below)
    body = (body + [[]] * room)[:room]
    return [fitted(row, width) for row in (*above, *body, *below)]


def _overview(drawing: Drawing, between: list[Row]) -> list[Row]:
    """Where there is room the views are named as over each of them, and nothing moves from one to the next. A
    region's figures are above the foot: in the place of an event on the smallest screen."""
    frame, state, width, foot = drawing.frame, drawing.screen_state, drawing.width, _foot_rows(drawing)
    tabs = [_tabs(OVERVIEW, width)] if drawing.height >= TABS_FROM and not state.details else []
    height = max(drawing.height - len(between) - len(tabs), layout.LEAST_HEIGHT)
    rows = overview.compose(
        frame,
        state,
        drawing.scales,
        width,
        height,
        later=drawing.later,
        beside=_beside(drawing),
        against=drawing.against,
    )
    body = rows[: drawing.height - len(between) - len(tabs) - foot]
    return [*body[: layout.HEAD], *tabs, *body[layout.HEAD :], *between, *rows[-foot:]]


def _beside(drawing: Drawing) -> overview.Beside:
    """What a large terminal has room for below the GPUs: the curve over the load, as it grows."""

    def panels(width: int, height: int) -> Sequence[Panel]:
        return small_curve(drawing.source.curve.at(drawing.frame.at_ns), drawing, width, height)

    return panels


def within(drawing: Drawing) -> Drawing:
    """The same with the cells that are left for a view."""
    return replace(
        drawing, height=drawing.height - layout.HEAD - 1 - _foot_rows(drawing) - _region_rows(drawing)
    )


def _baseline(drawing: Drawing) -> list[Row]:
    state, width = drawing.screen_state, drawing.width
    if state.details or state.view not in BESIDE:
        return []
    narrow = state.view == OVERVIEW and not baseline.in_titles(drawing.at)
    return baseline.baseline_row(drawing.against, state.theme, width, narrow=narrow)


def _head(drawing: Drawing) -> list[Row]:
    frame, state, width = drawing.frame, drawing.screen_state, drawing.width
    return [part(frame, state, width) for part in (header.header, header.load, header.limit)]


def _foot(drawing: Drawing) -> list[Row]:
    frame, state = drawing.frame, drawing.screen_state
    idle = idle_keys(frame) if state.view == "gpus" else ()
    bottom = footer.bottom(state, drawing.width, live=frame.live, idle=idle)
    if _foot_rows(drawing) == 1:
        return [bottom]
    return [time_axis.scrub(frame, state, drawing.width), bottom]


def _foot_rows(drawing: Drawing) -> int:
    return 1 if drawing.frame.live and drawing.screen_state.playhead.following else 2


def _region_rows(drawing: Drawing) -> int:
    return int(drawing.screen_state.region is not None) + len(_baseline(drawing))


def _tabs(shown: str, width: int) -> Row:
    """The views and their digits; where there is no room for all names, that of the one that is shown."""
    row: Row = []
    short = sum(len(name) + 4 for name in (OVERVIEW, *VIEWS)) > width + 1
    for digit, name in enumerate((OVERVIEW, *VIEWS), start=1):
        role = "title" if name == shown else "dim"
        row += [(f" {digit}", "key"), ("" if short and name != shown else f" {name} ", role)]
    return fitted(row, width)
