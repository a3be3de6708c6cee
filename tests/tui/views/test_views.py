"""The screen around the views: what stays where from one to the next."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from tests.sessions.conftest import make
from tests.sessions.timeline.folding import folded
from tests.tui.views.recorded import Recorded, drawing_of
from tui.controls.keys import VIEWS as NAMES
from tui.controls.screen_state import ScreenState
from tui.draw.layout import overview_columns
from tui.draw.rows import width_of
from tui.draw.theme import Theme
from tui.panels.footer import key_row
from tui.views.view import Drawing
from tui.views.views import TABS_FROM, VIEWS, whole

TABS = "  ".join(f"{digit} {name}" for digit, name in enumerate(NAMES, start=1))


@pytest.fixture(scope="module")
def source() -> Recorded:
    run = make(seconds=45.0, rate_rps=20.0, changes=((15.0, 40.0), (30.0, 60.0)))
    config = msgspec.structs.replace(run.manifest.config, slo=["ttft.p95<150ms"])
    found = Recorded(folded(*run.records), msgspec.structs.replace(run.manifest, config=config))
    found.curve.at(found.last_ns)
    while found.poll():
        pass
    return found


def overview(source: Recorded, size: tuple[int, int], theme: Theme | None = None) -> Drawing:
    drawing = drawing_of(source, size, theme=theme)
    plot = overview_columns(size[0]).plot
    return replace(drawing, frame=source.frame(source.last_ns, 60_000_000_000 // plot * plot, plot))


def text_of(drawing: Drawing, view: str) -> list[str]:
    state = replace(drawing.screen_state, view=view)
    rows = whole(replace(drawing, screen_state=state), VIEWS.get(view))
    assert [width_of(row) for row in rows] == [drawing.width] * drawing.height
    return ["".join(text for text, _ in row) for row in rows]


@pytest.mark.parametrize("size", [(100, TABS_FROM), (120, 40), (200, 60)])
def test_the_views_are_named_in_the_same_row_of_every_view(source, size):
    for view in (name for name in NAMES if name != "requests"):
        drawn = overview(source, size) if view == "overview" else drawing_of(source, size)
        assert TABS in text_of(drawn, view)[3]


def test_where_not_all_names_have_room_the_one_that_is_shown_has(source):
    for view in ("latency", "events"):
        assert f"{NAMES.index(view) + 1} {view}" in text_of(drawing_of(source, (60, 16)), view)[3]
        assert "7" in text_of(drawing_of(source, (60, 16)), view)[3]


@pytest.mark.parametrize("view", NAMES)
@pytest.mark.parametrize("charset", ["braille", "ascii"])
def test_how_the_load_is_changed_held_and_stopped_stands_below_every_view(view, charset):
    state = ScreenState(view=view, theme=Theme(charset=charset))
    row = "".join(text for text, _ in key_row(79, state, live=True))
    for word in (" rate", "spc hold", "x stop", "? help", "q quit"):
        assert word in row
    assert ("1-7 views" in row) == (view == "overview")


@pytest.mark.parametrize("charset", ["braille", "ascii"])
def test_a_large_terminal_has_the_curve_beside_the_overview(source, charset):
    rows = text_of(overview(source, (200, 60), Theme(charset=charset)), "overview")
    curve = next(row for row in rows if "TTFT p95" in row and "over rps" in row)
    assert "ttft.p95<150ms" in curve
    assert any("TOKENS/S" in row and "over rps" in row for row in rows)
    assert charset != "ascii" or all(row.replace("…", ".").isascii() for row in rows)


def test_while_one_load_is_all_there_was_events_have_the_place_of_the_curve():
    run = make(seconds=15.0, rate_rps=20.0)
    one = Recorded(folded(*run.records), run.manifest)
    assert not any("over rps" in row for row in text_of(overview(one, (200, 60)), "overview"))
