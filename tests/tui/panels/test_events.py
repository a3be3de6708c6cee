"""What happened, beside the charts and in its own view: whole where there is room, sources noted before only there."""

from __future__ import annotations

from dataclasses import replace

from sessions.frame.schema import ChartMark
from tests.tui.made_up_run import S, ramped
from tui.controls.screen_state import ScreenState
from tui.draw.layout import columns_for
from tui.draw.rows import width_of
from tui.draw.theme import Theme
from tui.panels.time_axis import events
from tui.views.events import Events
from tui.views.view import Drawing

WORDS = "binds: KV cache  95 % used, 0.4 preemptions/s, 42 waiting in the server, and some more words"
NOTE = "NVML is left alone: the simulated server tells of GPUs of its own"


MARKS = (
    ChartMark(3 * S, None, "note", NOTE),
    ChartMark(20 * S, 1, "load", "ramp from 1 to 14 rps in 60 s"),
    ChartMark(30 * S, 2, "limit", WORDS),
)


def said(height: int, width: int = 50) -> list[str]:
    frame = ramped(lambda: 90.0).frame(90 * S, 60 * S, 60)
    rows = events(replace(frame, marks=MARKS), height, width, Theme())
    assert [width_of(row) for row in rows] == [width] * height
    return ["".join(text for text, _ in row) for row in rows]


def test_an_event_is_said_with_all_its_words_where_there_is_room_to_spare():
    text = " ".join(" ".join(said(8)).split())
    assert "42 waiting in the server, and some more words" in text
    assert "ramp from 1 to 14 rps in 60 s" in text


def test_where_there_is_none_each_event_has_a_row():
    rows = said(2)
    assert "ramp from 1 to 14 rps" in rows[0]
    assert "KV cache  95 % used" in rows[1]
    assert "…" in rows[1]


def test_what_was_noted_of_sources_as_the_load_began_is_left_to_the_view_of_events():
    assert not any("NVML" in row for row in said(8))


def viewed(height: int, events: Events) -> list[str]:
    view = ramped(lambda: 90.0)
    frame = replace(view.frame(90 * S, 60 * S, 60), marks=MARKS)
    drawing = Drawing(frame, view, ScreenState(), {}, 60, height, columns_for(60), {})
    rows = events.rows(drawing)
    assert len(rows) <= height
    assert {width_of(row) for row in rows} == {60}
    return ["".join(text for text, _ in row) for row in rows]


def test_their_view_says_all_words_where_there_is_room_and_those_of_the_one_under_the_cursor_in_any_case():
    whole = " ".join(" ".join(viewed(16, Events())).split())
    assert "tells of GPUs of its own" in whole
    assert "and some more words" in whole
    rows = viewed(5, Events())
    assert "NVML is left alone: the simulated server te" not in rows[1]
    assert "and some more words" in " ".join(" ".join(rows).split())
