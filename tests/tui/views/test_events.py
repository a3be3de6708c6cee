"""What happened, in all its words where there are rows for them."""

from __future__ import annotations

from dataclasses import replace

from sessions.frame.schema import ChartMark
from tests.tui.recorded import Recorded, S, drawing, load
from tui.draw.rows import Row
from tui.draw.theme import Theme
from tui.panels import time_axis
from tui.panels.events import listed
from tui.views.events import Events
from tui.views.view import Drawing
from tui.views.views import within


def drawn(*marks: ChartMark) -> Drawing:
    found = drawing(Recorded([*load(9)]), (80, 24), view="events")
    return within(replace(found, frame=replace(found.frame, marks=marks)))


def text_of(rows: list[Row]) -> list[str]:
    return ["".join(text for text, _ in row) for row in rows]


def test_events_use_the_rows_that_are_free_for_all_their_words_the_newest_first():
    long = "a driver that tells a story which no row of forty cells can hold"
    frame = drawn(*(ChartMark(i * S, None, "note", f"{i} {long}") for i in range(6, 9))).frame
    each = len(time_axis.event(frame.marks[0], frame, 42, Theme(), whole=True))
    assert each > 2
    for height in range(3, 20):
        rows = text_of(listed(frame, height, 42, Theme()).rows)
        assert len(rows) == height
        assert sum("▲" in row for row in rows) == 3, "all of them are there"
        words = " ".join(" ".join(rows).split())
        assert words.count(long) == min((height - 3) // (each - 1), 3)
        assert height < 3 + each - 1 or words.endswith(long), "the newest first"
    assert sum("▲" in row for row in text_of(listed(frame, 2, 42, Theme()).rows)) == 2


def test_the_view_shows_all_words_and_its_cursor_at_the_first_of_them():
    story = "requests fail: " + "nothing listens at the address " * 4
    shown = text_of(
        Events().rows(drawn(ChartMark(S, None, "load", "start"), ChartMark(3 * S, None, "error", story)))
    )
    assert " ".join(story.split()) in " ".join(" ".join(shown).split())
    pointed = [row for row in shown if row.startswith("▶")]
    assert len(pointed) == 1
    assert "ERROR" in pointed[0]
