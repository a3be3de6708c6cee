"""The row of a region and its brackets on the time axis, at every size."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from tests.sessions.conftest import make
from tests.sessions.timeline.folding import folded
from tests.tui.made_up_run import FakeView, S, ramped
from tests.tui.views.test_overview import SIZES, frame_of
from tui.controls.playhead import Playhead
from tui.controls.region_keys import Span
from tui.controls.screen_state import ScreenState
from tui.draw import layout
from tui.draw.rows import width_of
from tui.draw.theme import ROLES, Theme
from tui.panels.strip import marks_of
from tui.views.overview import scales_for
from tui.views.view import Drawing
from tui.views.views import VIEWS, whole


@cache
def view_of() -> FakeView:
    return ramped(lambda: 14.0, timeline=folded(*make(seconds=14.0, failing=0.1).timeline_records))


def rows_of(size=(120, 40), view: str = "overview", *, live: bool = True, **more) -> list[str]:
    run = view_of()
    at = layout.overview_columns(size[0]) if view == "overview" else layout.columns_for(size[0])
    frame = replace(frame_of(run, size[0]), live=live)
    state = ScreenState(**({"playhead": Playhead(at_ns=frame.at_ns, following=live), "view": view} | more))
    scales = scales_for(frame, state, {})
    drawing = Drawing(frame, run, state, scales, *size, at, marks_of(frame, at.plot))
    rows = whole(drawing, VIEWS.get(view))
    assert [width_of(row) for row in rows] == [size[0]] * size[1]
    assert all(part in ROLES for row in rows for _, role in row for part in role.split("/"))
    return ["".join(text for text, _ in row) for row in rows]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", ["overview", *VIEWS])
@pytest.mark.parametrize("charset", ["braille", "ascii"])
def test_the_figures_of_a_region_are_one_row_above_the_foot_at_every_size(size, view, charset) -> None:
    theme = Theme(charset=charset)
    for live, foot in ((True, 1), (False, 2)):
        rows = rows_of(size, view, live=live, theme=theme, region=Span(4 * S, 9 * S))
        assert rows[-foot - 1].startswith(" A-B 5 s  ")
        assert "TTFT p50" in rows[-foot - 1]
        assert not any(row.startswith(" A-B") for row in rows_of(size, view, live=live, theme=theme))


def test_at_home_all_that_counts_stands_in_the_row() -> None:
    row = rows_of((120, 40), region=Span(4 * S, 9 * S))[-2]
    for word in (" n ", "TTFT p50", "p95", "p99", "ITL ", "req/s", "tok/s", "errors", "J/tok -"):
        assert word in row


def test_where_there_is_room_every_figure_stands_in_the_row() -> None:
    row = rows_of((200, 60), region=Span(4 * S, 9 * S))[-2]
    for word in ("00:02-00:07", "n ", "p95", "p99", "ITL ", "req/s", "sent", "tok/s", "errors", "J/tok -"):
        assert word in row


def test_until_b_is_set_the_region_goes_on_to_the_playhead() -> None:
    row = rows_of(region=Span(4 * S))[-2]
    assert row.startswith(" A-now 10 s  ")
    assert "go to its other end" in rows_of(region=Span(14 * S))[-2]


@pytest.mark.parametrize(("charset", "within"), [("braille", "═"), ("ascii", "~")])
def test_a_and_b_stand_in_brackets_on_the_time_axis(charset: str, within: str) -> None:
    rows = rows_of((120, 40), theme=Theme(charset=charset), region=Span(3 * S, 13 * S))
    (axis,) = [row for row in rows if "window" in row]
    frame, gutter = frame_of(view_of(), 120), layout.columns_for(120).gutter
    a, b = (gutter + (t_ns - frame.start_ns - 1) // frame.slot_ns for t_ns in (3 * S, 13 * S))
    assert axis[a : a + 2] == "[A"
    assert axis[b - 1 : b + 1] == "B]"
    assert within in axis[a:b]
    assert within not in axis[:a] + axis[b + 1 :]
    outside = rows_of((120, 40), theme=Theme(charset=charset), region=Span(-90 * S, -80 * S))
    assert not any("[A" in row or "B]" in row for row in outside)
