"""What happened, beside the charts and in its own view: whole where there is room, sources noted before only there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from sessions.frame.schema import ChartMark, PlanProgress
from tests.tui.made_up_run import S, ramped
from tui.controls.screen_state import ScreenState
from tui.draw.layout import columns_for
from tui.draw.rows import width_of
from tui.draw.theme import Theme
from tui.panels.events import listed
from tui.views.events import Events
from tui.views.view import Drawing

WORDS = "binds: KV cache  95 % used, 0.4 preemptions/s, 42 waiting in the server, and some more words"
NOTE = "NVML is left alone: the simulated server tells of GPUs of its own"


MARKS = (
    ChartMark(3 * S, None, "note", NOTE),
    ChartMark(20 * S, 1, "load", "ramp from 1 to 14 rps in 60 s"),
    ChartMark(30 * S, 2, "limit", WORDS),
)


def said(
    height: int, width: int = 50, marks: Sequence[ChartMark] = MARKS, plan: PlanProgress | None = None
) -> list[str]:
    frame = ramped(lambda: 90.0).frame(90 * S, 60 * S, 60)
    rows = listed(replace(frame, marks=marks, plan=plan), height, width, Theme()).rows
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


def test_what_was_noted_of_sources_as_the_load_began_has_only_rows_that_nothing_else_needs():
    assert not any("NVML" in row for row in said(4))
    assert "NVML is left alone" in said(8)[0]


def count(height: int, marks: Sequence[ChartMark] = MARKS) -> str:
    frame = ramped(lambda: 90.0).frame(90 * S, 60 * S, 60)
    return "".join(text for text, _ in listed(replace(frame, marks=marks), height, 50, Theme()).count.runs)


def test_the_count_says_how_many_are_listed_where_not_all_are():
    assert (count(8), count(2), count(8, ())) == ("3", "2 of 3", "")


@pytest.mark.parametrize("height", [1, 4, 9, 12])
def test_steps_of_a_search_are_kept_while_what_binds_comes_and_goes(height):
    """A step each 100 s with its verdict, between them 24 events of what binds: at most a third of the rows."""
    steps = [ChartMark(100 * S * n, None, "load", f"step {n}: {n} rps") for n in range(1, 6)]
    judged = [ChartMark((100 * n + 90) * S, None, "note", f"step {n} passed") for n in range(1, 6)]
    ends = [ChartMark((100 * n + 80) * S, None, "load", "step over") for n in range(1, 6)]
    drains = [ChartMark((100 * n + 80) * S, None, "state", "draining") for n in range(1, 6)]
    flaps = [
        ChartMark((100 * n + 4 * i) * S, None, "limit", f"binds: {i}") for n in range(1, 6) for i in range(9)
    ]
    marks = sorted([*steps, *judged, *ends, *drains, *flaps], key=lambda mark: mark.t_ns)
    plan = PlanProgress("limit", 5, None, "5 rps", "running", None, None)
    rows = said(height, 41, marks, plan)
    others, binds = height - height // 3, height // 3
    wanted = sorted([*steps, *(judged if height > 1 else [])], key=lambda mark: mark.t_ns)[-others:]
    assert [row.split("▲ ")[1].strip() for row in rows if "binds" not in row] == [one.label for one in wanted]
    assert sum("binds" in row for row in rows) == max(binds, height - len(wanted)) == height - len(wanted)
    assert [row[1:6] for row in rows] == sorted(row[1:6] for row in rows), "by time"


def test_a_persons_own_mark_is_listed_and_counted_whatever_its_words():
    plan = PlanProgress("stages", 2, 3, "5 rps", "running", None, None)
    note = "no NVIDIA driver"
    words = ("step over", "stage over", "draining", note)
    own = [ChartMark((20 + n) * S, None, "mark", text) for n, text in enumerate(words)]
    ours = [
        *(ChartMark(40 * S, None, "load", text) for text in words[:2]),
        *(ChartMark(41 * S, None, kind, note) for kind in ("note", "warning")),
        ChartMark(41 * S, None, "state", "draining"),
    ]
    frame = replace(ramped(lambda: 90.0).frame(90 * S, 60 * S, 60), gpus=(), gpu_note=note)
    found = listed(replace(frame, marks=(*own, *ours), plan=plan), 12, 60, Theme())
    rows = ["".join(text for text, _ in row).strip() for row in found.rows]
    assert [sum(row.endswith(text) for row in rows) for text in words] == [1, 1, 1, 1], rows
    assert "".join(text for text, _ in found.count.runs) == "4"


def test_where_it_is_narrow_words_begin_nearer_and_kinds_that_they_tell_are_not_named():
    rows = said(2, 41)
    assert rows[0].startswith(" 00:18 ▲ ramp from 1 to 14 rps in 60 s")
    assert rows[1].startswith(" 00:28 ▲ binds KV cache  95 % used, 0.4")


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
