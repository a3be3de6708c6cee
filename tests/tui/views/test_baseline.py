"""A baseline in the overview and in the view of latency: its row, its changes, its line."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from sessions.frame.baseline import Against, charted
from tests.sessions.conftest import make
from tests.sessions.frame.test_baseline import beside
from tests.tui.views.recorded import SIZES, Recorded
from tui.controls.playhead import Playhead
from tui.controls.screen_state import ScreenState
from tui.draw.rows import width_of
from tui.draw.text import safe
from tui.draw.theme import Theme
from tui.plots.fan import Fan, Limit, fan
from tui.plots.ghost import GLYPHS, fan_rows, ghosted
from tui.plots.scale import Scale
from tui.views.picture import Picture
from tui.views.views import VIEWS


@pytest.fixture(scope="module")
def source() -> Recorded:
    mine = make(seconds=20.0, rate_rps=20.0)
    other = make(seconds=20.0, rate_rps=20.0, seed=9)
    return beside(mine, other)


def rows(source: Recorded, size: tuple[int, int], view: str, **more: Any) -> list[str]:
    at_ns = source.first_ns + 18 * 10**9
    state = ScreenState(playhead=Playhead(at_ns=at_ns), view=view, **more)
    shown = Picture(source).rows(state, *size, VIEWS.get(view))
    assert len(shown) == size[1]
    assert all(width_of(row) == size[0] for row in shown)
    return ["".join(text for text, _ in row) for row in shown]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", ["overview", "latency"])
@pytest.mark.parametrize("by", ["load", "time"])
def test_it_is_named_once_with_its_changes_at_every_size(source, size, view, by):
    source.curve.baseline.name = "base\x1b[31m\n" + "名" * 90
    name = safe(source.curve.baseline.name, 6)
    for charset in ("braille", "ascii"):
        text = rows(source, size, view, align=by, theme=Theme(charset=charset))
        assert safe("".join(text), 10**6) == "".join(text)
        (said,) = [row for row in text if name[:5] in row]
        if size[0] >= 80:
            assert "%" in said, "tokens"
            assert ("by time" if by == "time" else "20 rps") in said
        assert GLYPHS[charset == "ascii"] in said
    source.curve.baseline.name = "base"


@pytest.mark.parametrize(("size", "count"), [((80, 24), 6), ((120, 40), 6), ((200, 60), 6)])
def test_each_percentile_of_both_latencies_has_a_change(source, size, count):
    text = rows(source, size, "overview")
    if size[0] < 200:
        (said,) = [row for row in text if " ▪ base" in row]
        assert said.split("TTFT")[1].split("tok/s")[0].count("%") == count
    else:
        found = [row[:120] for row in text if "TTFT ms" in row or "ITL ms" in row][:2]
        assert sum(row.count("%") for row in found) == count


def test_the_line_is_in_both_charts_and_gone_with_the_baseline(source):
    for view in ("overview", "latency"):
        assert sum(row.count("▪") for row in rows(source, (120, 40), view)) > 5
    baseline, source.curve.baseline = source.curve.baseline, None
    for view in ("overview", "latency"):
        text = "".join(rows(source, (120, 40), view))
        assert "▪" not in text
        assert "base" not in text
    source.curve.baseline = baseline


def test_the_table_of_a_latency_has_a_row_of_changes(source):
    (said,) = [row for row in rows(source, (80, 24), "latency") if "vs baseline" in row]
    assert said.count("%") == 3


@pytest.mark.parametrize("glyph", GLYPHS)
def test_a_ghost_lies_where_its_values_are_and_the_chart_under_it_is_seen(glyph):
    scale, width, height = Scale(0.0, 80.0), 16, 8
    data = np.full(width, 40.0)
    ascii_only = glyph == GLYPHS[1]
    under = fan(Fan(data, data, data), scale, width, height, charset="ascii" if ascii_only else "tones")
    values = np.where(np.arange(width) < 8, 75.0, 15.0)
    values[4:6] = np.nan
    grid = ghosted(under, fan_rows(values, scale, width, height, ()), ascii_only=ascii_only)
    cells = np.argwhere(grid.codes == ord(glyph)).tolist()
    # Above the data in every second column, in them in one of four, none of what is not known.
    above = [[row, column] for row, column in cells if column < 8]
    within = [[row, column] for row, column in cells if column >= 8]
    assert above == [[0, 0], [0, 2], [0, 6]]
    assert within == [[5, 10], [5, 14]], "8 + 15 / 80 * 56 eighths from below: in the third row"
    changed = grid.codes != under.codes
    assert changed.sum() == len(cells)


def test_a_ghost_below_a_target_is_not_above_its_line():
    scale, limit = Scale(10.0, 1000.0, log=True), Limit(200.0)
    for value in np.linspace(20, 900, 45):
        at, ghost = (
            fan_rows(np.full(4, one), scale, 4, 9, [limit])[0] for one in (limit.value, float(value))
        )
        assert ghost >= at if value <= limit.value else ghost <= at


def test_what_a_chart_is_of_is_what_its_ghost_is_of(source):
    frame = source.frame(source.last_ns, 20 * 10**9, 20)
    assert charted(frame) == {"ttft": "ttft", "itl": "chunk_gap" if frame.itl_is_chunk_gap else "itl"}
    assert Against(
        source.curve.baseline, source.curve, dataclasses.replace(frame, state="ended"), "load"
    ).load
