"""Percentiles and a target in one chart: each is to be found, and where they meet the worse one is seen."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sessions.frame.latency_target import LatencyTarget
from sessions.frame.schema import Band, Stat
from tests.tui.made_up_run import ramped
from tui.controls.playhead import Playhead
from tui.controls.screen_state import ScreenState
from tui.controls.shown_axis import shown_axis
from tui.draw.layout import overview_columns
from tui.draw.theme import Theme
from tui.panels.fans import latency
from tui.plots.chart import Grid
from tui.plots.fan import Fan, Limit, fan
from tui.plots.scale import Scale
from tui.views.overview import compose, scales_for

WIDTH = 40
LOG = Scale(1.0, 1000.0, log=True)
FOUND = {
    "p50": ("fan50", "over50"),
    "p95": ("fan95", "over95"),
    "p99": ("fan99", "over99"),
    "target": ("target_line",),
}
"""What a role begins with that draws it, in front or behind."""


def cells(rows: list[list[tuple[str, str]]]) -> dict[str, int]:
    """How many cells each has."""
    drawn = [role for row in rows for text, role in row for cell in text if cell != " "]
    return {
        name: sum(any(part.startswith(roles) for part in role.split("/")) for role in drawn)
        for name, roles in FOUND.items()
    }


def drawn(p50: float, p95: float, p99: float, height: int = 8, target: float | None = None, **more) -> Grid:
    flat = (np.full(WIDTH, value) for value in (p50, p95, p99))
    limits = more.pop("limits", [] if target is None else [Limit(target)])
    return fan(Fan(*flat), LOG, WIDTH, height, limits=limits, **more)


@pytest.mark.parametrize(
    "values", [(10, 100, 800), (10, 10, 800), (10, 800, 800), (10, 10, 10), (1, 1, 1), (999, 999, 999)]
)
@pytest.mark.parametrize("height", [3, 4, 7, 16])
@pytest.mark.parametrize("target", [None, 1.0, 10.0, 500.0, 1000.0])
def test_each_percentile_and_the_target_have_cells_wherever_they_lie(values, height, target) -> None:
    found = cells(drawn(*values, height, target=target).rows())
    assert found["p50"] >= WIDTH // 2
    assert found["p95"] >= WIDTH // 2
    assert found["p99"] >= WIDTH // 2
    assert found["target"] == (WIDTH // 2 if target is not None else 0)


@pytest.mark.parametrize("charset", ["shades", "ascii"])
@pytest.mark.parametrize("values", [(10, 100, 800), (10, 40, 800)])
def test_without_colours_each_is_told_by_its_glyph(charset, values) -> None:
    glyphs = {"shades": ("▓", "░", "⠒⠉⠤⣀", "─"), "ascii": ("*", "+", "^", "-")}[charset]
    rows = drawn(*values, target=500.0, charset=charset).rows()
    text = "".join(part for row in rows for part, _ in row)
    for letters in glyphs:
        assert sum(text.count(letter) for letter in letters) >= WIDTH // 2, letters
    assert not any("/" in role for row in rows for _, role in row)


def test_an_area_is_as_high_as_its_values_to_an_eighth_of_a_row() -> None:
    # 31.6 is half way from 1 to 1000: half of the rows above the lowest, which is always filled.
    rows = drawn(10**1.5, 10**2.25, 1000, 9).rows()
    column = ["".join(part for part, _ in row)[0] for row in rows]
    roles = [row[0][1].partition("/")[0] for row in rows]
    assert column == ["⠉", " ", "█", "█", "█", "█", "█", "█", "█"]
    assert roles[2:] == ["fan95", "fan95", "fan50_1", "fan50_1", "fan50_0", "fan50_0", "fan50_0"]


def test_what_is_above_the_target_is_in_the_colours_of_a_warning_and_nothing_else_is() -> None:
    def warm(grid: Grid) -> set[int]:
        return {y for y, row in enumerate(grid.rows()) for _, role in row if "over" in role}

    assert warm(drawn(20, 100, 800, target=1000.0)) == set()
    assert warm(drawn(20, 100, 800)) == set()
    # The fourth row of eight begins above 30 ms.
    assert warm(drawn(20, 100, 800, target=30.0)) == {0, 2, 3}
    # In its own row, too, what ends above the line.
    assert warm(drawn(200, 400, 800, target=30.0)) == {0, 1, 2, 3}


def test_each_target_is_a_line_with_its_label_and_warns_of_the_percentile_that_it_asks_of() -> None:
    def warm(*limits: Limit) -> set[str]:
        rows = drawn(20, 100, 800, limits=limits).rows()
        return {role.partition("/")[0] for row in rows for _, role in row if role.startswith("over")}

    # 20 ms at p50, 100 at p95, 800 at p99.
    assert warm(Limit(3.0, 0.5)) == {"over50"}
    assert warm(Limit(40.0, 0.5)) == set()
    assert warm(Limit(30.0, 0.95)) == {"over95", "over99"}
    assert warm(Limit(30.0, 0.99)) == {"over95", "over99"}
    assert warm(Limit(300.0, 0.99)) == {"over99"}
    assert warm(Limit(30.0, 0.95), Limit(900.0, 0.99)) == {"over95"}
    assert warm(Limit(1.0, None)) == set()
    rows = drawn(20, 100, 800, limits=[Limit(8.0, 0.5, "p50"), Limit(500.0, 0.99, "p99")]).rows()
    said = ["".join(part for part, role in row if role.startswith("target_line")) for row in rows]
    found = [line for line in said if line]
    assert [line[:3] for line in found] == ["p99", "p50"]
    assert all(line.count("─") >= WIDTH // 2 - 2 for line in found)


def eighths(grid: Grid) -> np.ndarray:
    """The grid as dots of an eighth of a row, the lowest first: shape `(8 * height, width)`, a role each; of a
    cell of dots only those, with a blank behind."""
    out = []
    for codes, roles in zip(grid.codes, grid.roles, strict=True):
        cell = np.zeros((8, len(codes)), dtype=object)
        for x, (code, role) in enumerate(zip(codes.tolist(), roles.tolist(), strict=True)):
            front, _, behind = grid.names[role].partition("/")
            filled = " ▁▂▃▄▅▆▇█".find(chr(code))
            if filled < 0:
                quarter = "⣀⠤⠒⠉".find(chr(code))
                cell[:, x] = behind
                if quarter >= 0:
                    cell[2 * quarter : 2 * quarter + 2, x] = front
            else:
                cell[:filled, x], cell[filled:, x] = front, behind
        out.append(cell)
    return np.concatenate(out[::-1])


@pytest.mark.parametrize("height", [3, 4, 7, 16])
@pytest.mark.parametrize("target", [1.0, 10.0, 31.0, 120.0, 500.0, 1000.0])
def test_nothing_stands_above_a_line_that_it_is_below_nor_p99_below_p95(height, target) -> None:
    draw = np.random.default_rng(7)
    near = np.concatenate(
        [10 ** draw.uniform(0, 3, 120), np.clip(target * draw.uniform(0.9, 1.1, 120), 1, 999)]
    )
    p50 = near.copy()
    p95 = np.minimum(p50 * 10 ** draw.choice([0, 0.002, 0.1, 0.6], 240), 1000.0)
    p99 = np.minimum(p95 * 10 ** draw.choice([0, 0.002, 0.1, 0.6], 240), 1000.0)
    grid = fan(Fan(p50, p95, p99), LOG, 240, height, limits=[Limit(target)])
    dots = eighths(grid)
    place = np.arange(8 * height)[:, None] + 1

    def top(*names: str) -> np.ndarray:
        found = np.vectorize(lambda role: str(role).startswith(names))(dots)
        return np.where(found, place, 0).max(axis=0)

    row = next(y for y, roles in enumerate(grid.roles) if {grid.names[i] for i in roles} & {"target_line"})
    line = 8 * (height - 1 - row) + 4
    dashes = np.arange(240) % 4 < 2
    area, tail = top("fan50", "over50", "fan95", "over95"), top("fan99", "over99")
    assert (area[p95 <= target] <= line).all()
    assert (area[(p95 > target) & ~dashes] > line).all()
    assert (tail[(tail > 0) & (p99 <= target)] <= line).all()
    assert (tail[(p99 > target) & ~dashes] > line).all()
    assert (tail > area)[tail > 0].all()


def test_the_band_up_to_p95_is_as_high_as_its_values_to_an_eighth_also_where_p99_is_near() -> None:
    values = 10 ** np.linspace(0.1, 2.8, WIDTH)
    dots = eighths(fan(Fan(values / 1.2, values, values * 1.01), LOG, WIDTH, 10))
    found = np.vectorize(lambda role: str(role).startswith(("fan50", "fan95")))(dots).sum(axis=0)
    assert found[:-3] == pytest.approx(8 + 72 * np.log10(values[:-3]) / 3, abs=0.5)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_a_target_that_all_values_have_left_far_behind_keeps_its_place_and_its_label(size) -> None:
    view = ramped(lambda: 90.0)
    state = ScreenState(playhead=Playhead(at_ns=view.last_ns))
    frame = shown_axis(view, state, overview_columns(size[0]).plot).frame(view, view.last_ns)
    late = Band(*(np.full(frame.slots, value) for value in (21_000.0, 24_000.0, 24_500.0)))
    frame = replace(frame, ttft=late, targets={"ttft": (LatencyTarget("p95", 500.0, 24_000.0),)})
    rows = compose(frame, state, scales_for(frame, state, {}), *size)
    line = next(row for row in rows if any(role.startswith("target_line") for _, role in row))
    assert "500ms" in "".join(text for text, _ in line)
    assert not any("<" in text for row in rows for text, role in row if role == "axis")


def test_the_swatches_of_the_title_are_in_the_colours_of_the_chart() -> None:
    band = Band(*(np.full(WIDTH, value) for value in (100.0, 600.0, 800.0)))
    recent, target = Stat(205, 100.0, 600.0, 800.0), LatencyTarget("p95", 500.0, 600.0)
    panel = latency("TTFT ms", band, recent, Stat(), LOG, (6, WIDTH, 8), Theme(), targets=(target,))
    seen = {part for row in panel.rows for _, role in row for part in role.split("/")}
    swatches = [field.runs[0][1] for field in panel.title if field.runs and field.runs[0][0] in "▇⠒"]
    assert swatches == ["fan50_1", "over95", "over99"]
    assert set(swatches) <= seen


def test_targets_in_the_same_row_have_both_their_labels() -> None:
    rows = drawn(20, 100, 800, limits=[Limit(500.0, 0.95, "p95"), Limit(510.0, 0.99, "p99")]).rows()
    said = ["".join(part for part, role in row if role.startswith("target_line")) for row in rows]
    assert [line[:8] for line in said if line] == ["p95 p99 "]


@pytest.mark.parametrize(("charset", "mark"), [("tones", "·"), ("shades", "·"), ("ascii", ".")])
def test_what_was_not_observed_is_a_gap_and_between_values_a_faint_mark_says_so(charset, mark) -> None:
    values = np.array([np.nan, 10.0, np.nan, np.nan, 10.0, np.nan])
    rows = fan(Fan(values, values * 2, values * 4), LOG, 6, 6, charset=charset).rows()
    text = ["".join(part for part, _ in row) for row in rows]
    assert all(row[2:4] == "  " and row[0] == row[5] == " " for row in text[:-1])
    assert (text[-1][0], text[-1][2:4], text[-1][5]) == (" ", mark * 2, " ")
    assert not any("/" in role and " " in part for row in rows for part, role in row)


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (100, 30), (120, 40), (200, 60)])
@pytest.mark.parametrize("gpus", [0, 1, 8])
def test_in_both_charts_of_the_overview_each_is_found_at_each_size(size, gpus) -> None:
    view = ramped(lambda: 90.0, gpus=gpus)
    state = ScreenState(playhead=Playhead(at_ns=view.last_ns))
    at = overview_columns(size[0])
    frame = shown_axis(view, state, at.plot).frame(view, view.last_ns)
    targets = {"ttft": (LatencyTarget("p95", 500.0, 499.0),), "itl": (LatencyTarget("p95", 50.0, 31.0),)}
    frame = replace(frame, targets=targets)
    rows = compose(frame, state, scales_for(frame, state, {}), *size)
    names = ("TTFT ms", "ITL ms")
    starts = [y for y, row in enumerate(rows) if any(text in names for text, _ in row)]
    assert len(starts) == 2
    for start, end in pairwise([*starts, len(rows)]):
        found = cells([row_cut(row, at.gutter, at.gutter + at.plot) for row in rows[start + 1 : end]])
        assert all(count >= 5 for count in found.values()), found


def row_cut(row, begin: int, end: int):
    from tui.draw.rows import sliced

    return sliced(row, begin, end)


def titled(size: tuple[int, int, int] = (6, WIDTH, 5), **more) -> tuple[str, str]:
    band = Band(*(np.full(WIDTH, value) for value in (100.0, 200.0, 300.0)))
    recent = Stat(205, 158.0, 246.0, 317.0, frozenset({"p99"}))
    panel = latency("TTFT ms", band, recent, Stat(), LOG, size, Theme(), **more)
    return "".join(text for field in panel.title for text, _ in field.runs), "".join(
        text for text, _ in panel.aside
    )


def test_the_title_carries_the_figures_and_the_target_with_a_glyph_that_says_whether_it_is_held() -> None:
    assert titled() == ("TTFT ms▇ p50 158  ▇ p95 246  ⠒ p99 ~317 n 205/10s", "")
    for now, glyph in ((246.0, " ✓"), (501.0, " ✗"), (None, "")):
        assert titled(targets=(LatencyTarget("p95", 500.0, now),))[1] == f"target p95 500ms{glyph}"


def test_several_targets_stand_in_the_title_as_far_as_there_is_room() -> None:
    targets = (LatencyTarget("p95", 500.0, 501.0), LatencyTarget("mean", 200.0, 170.0))
    assert titled(targets=targets)[1] == "target p95 500ms ✗"
    assert titled(targets=targets, size=(6, 90, 5))[1] == "target p95 500ms ✗  mean 200ms ✓"


def test_a_target_of_itl_stands_beside_gaps_of_chunks_and_is_not_judged_by_them() -> None:
    target = LatencyTarget("p95", 50.0)
    assert titled(not_known=(target,))[1] == "ITL p95 50ms ?"
    assert "ITL is not known" in titled(not_known=(target,), size=(6, 140, 5))[1]


@pytest.mark.parametrize("height", [3, 4, 5, 8, 13, 20])
def test_a_logarithmic_axis_has_three_round_labels_at_most_and_the_target_s_is_one(height) -> None:
    band = Band(*(np.full(WIDTH, value) for value in (100.0, 200.0, 300.0)))
    panel = latency(
        "TTFT ms",
        band,
        Stat(),
        Stat(),
        LOG,
        (8, WIDTH, height),
        Theme(),
        targets=(LatencyTarget("p95", 500.0),),
    )
    labels = [row[0][0].strip() for row in panel.rows if row[0][0].strip()]
    assert len(labels) <= 3
    assert "500ms" in labels
