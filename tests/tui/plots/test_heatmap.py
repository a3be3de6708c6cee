"""Heatmap, back-to-back distributions and points over load, cell by cell."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tui.draw.rows import width_of
from tui.plots.chart import Line
from tui.plots.fan import Limit
from tui.plots.heatmap import heatmap, row_of, spread
from tui.plots.pyramid import pyramid
from tui.plots.scale import Scale, between
from tui.plots.scatter import Dot, Path, Upright, along, axis, column_of, scatter

LOG = Scale(10.0, 1000.0, True)


def text_of(grid) -> list[str]:
    return ["".join(part for part, _ in row) for row in grid.rows()]


def test_values_are_counted_in_the_row_of_their_place_on_the_scale():
    values = np.array([1.0, 12.0, 99.0, 101.0, 999.0, 5000.0])
    assert row_of(values, LOG, 4).tolist() == [3, 3, 2, 1, 0, 0], "what lies beyond is in the last row there"
    counts = np.array([[1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 0, 0]])
    assert spread(counts, values, LOG, 4).tolist() == [[11, 4, 3, 3], [0, 0, 0, 0]]
    assert spread(counts, values, LOG, 0).shape == (2, 0)


@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_cell_is_darker_the_more_of_its_column_it_holds_but_one_value_alone_is_faint(ascii_only):
    cells = np.array([[40.0, 10.0, 3.0, 47.0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 100, 0, 0]])
    shown = text_of(heatmap(cells, 5, ascii_only=ascii_only))
    faint, light, dense, full = ".:%#" if ascii_only else "░▒▓█"
    assert [row[0] for row in shown] == [" "] * 4, "older columns that do not exist are gaps"
    assert [row[1] for row in shown] == [full, light, faint, full]
    assert [row[2] for row in shown] == [" "] * 4
    assert shown[1][3] == light, "one of one is no heat"
    assert shown[1][4] == full
    assert dense not in "".join(shown)


def test_above_the_target_the_colour_is_another_and_the_target_runs_through():
    cells = np.full((6, 4), 10.0)
    grid = heatmap(cells, 6, scale=LOG, limits=[Limit(50.0)], late_above=50.0)
    roles = {row: {role for text, role in runs if text.strip()} for row, runs in enumerate(grid.rows())}
    assert roles[0] == roles[1] == {"late_3"}
    assert roles[3] == {"heat_3"}
    assert "target_line" in roles[2]
    assert "heat_3" in roles[2], "what lies on it is seen as well"


@pytest.mark.parametrize("ascii_only", [False, True])
def test_each_target_is_a_line_also_on_the_scale_s_ends_and_those_with_a_name_say_it(ascii_only):
    grid = heatmap(
        np.zeros((12, 4)),
        12,
        scale=LOG,
        limits=[Limit(LOG.high), Limit(50.0, 0.5, "p50"), Limit(LOG.high * 2)],
        ascii_only=ascii_only,
    )
    shown, dash = text_of(grid), "--" if ascii_only else "──"
    assert shown[0] == f"{dash}  " * 3
    assert shown[2] == f"p50 {dash}  {dash}  "
    assert [row.strip() for row in shown[1::2]] == ["", ""]
    assert {role for row in grid.rows() for text, role in row if text.strip()} == {"target_line"}


def test_lines_are_seen_through_dense_columns_and_hide_none_of_them():
    cells = np.zeros((24, 4))
    cells[:, 2] = 50.0
    lines = [Line(np.full(24, 31.0), role) for role in ("p99", "p95", "p50")]
    runs = heatmap(cells, 24, lines=lines, scale=LOG).rows()[2]
    count = {role: sum(len(text) for text, of in runs if of == role) for _, role in runs}
    assert count["p99"] == count["p95"] == count["p50"] == 4
    assert count["heat_4"] == 12


def test_distributions_stand_back_to_back_on_one_scale():
    rows = pyramid(
        np.array([0.5, 0.5, 0.0]), np.array([0.0, 1.0, 0.001]), ("a", "b"), 21, labels=(["", "", "p95 3"], [])
    )
    assert [width_of(row) for row in rows] == [21] * 3
    text = ["".join(part for part, _ in row) for row in rows]
    assert text[0] == "     █████│          "
    assert text[1] == "     █████│██████████"
    assert text[2] == "p95 3     │▏         "
    assert pyramid(None, None, ("a", "b"), 21) == []


def test_points_stand_at_their_load_with_their_interval():
    x, y = Scale(0.0, 10.0), Scale(0.0, 100.0)
    grid = scatter(
        [Dot(5.0, 55.0, "●", "point", 20.0, 90.0), Dot(10.0, 5.0, "○", "point_thin")],
        [Path([5.0, 10.0], [55.0, 5.0], "curve")],
        x,
        y,
        21,
        10,
        uprights=[Upright(0.0, "bracket")],
        level=85.0,
    )
    shown = text_of(grid)
    assert [row[10] for row in shown][1:8] == ["│", "│", "│", "●", "│", "│", "│"]
    assert shown[9][20] == "○"
    assert shown[1].count("─") == 11, "two cells of four, as in the charts over time"
    assert {row[0] for row in shown} == {"┊", "─"}


def test_the_axis_of_loads_begins_at_nought_or_is_logarithmic_where_they_reach_far():
    assert along([2.0, 14.0]) == Scale(0.0, 15.0)
    assert along([1.0, 64.0]).log
    assert along([]) == Scale(0.0, 1.0)
    far = along([1.0, 64.0])
    row = axis(far, 60, lambda value: f"{value:g}", "rps", "-")
    text = "".join(part for part, _ in row)
    assert width_of(row) == 60
    assert "50 rps-" in text, "the unit is on the axis, which goes on to its end"
    assert text.endswith("100")
    assert text.index("10") < text.index("50")
    assert abs(text.index("10") - column_of(10.0, far, 60)) <= 1


@pytest.mark.parametrize("width", [20, 33, 60, 71])
def test_no_number_of_an_axis_is_cut_by_its_unit(width):
    for high in (9.0, 55.0, 480.0):
        text = "".join(
            part for part, _ in axis(Scale(0.0, high), width, lambda v: f"{v:g}", "tok/s/user", "-")
        )
        assert len(text) == width
        numbers = [float(part) for part in text.replace(" tok/s/user", "").replace("-", " ").split()]
        assert numbers == sorted(numbers)
        steps = {round(b - a, 9) for a, b in pairwise(numbers)}
        assert len(steps) <= 1


def test_a_chosen_dot_stands_between_brackets_that_hide_no_other():
    def shown(*xs: float) -> list[str]:
        dots = [Dot(5.0, 5.0, "*", "p", chosen=True), *(Dot(x, 5.0, "o", "p") for x in xs)]
        return text_of(scatter(dots, [], Scale(0.0, 10.0), Scale(0.0, 10.0), 11, 3, ascii_only=True))

    assert shown()[1] == "    [*]    "
    assert shown(4.0)[1] == "    o*]    "
    edge = scatter([Dot(0.0, 5.0, "*", "p", chosen=True)], [], Scale(0, 10), Scale(0, 10), 11, 3)
    assert text_of(edge)[1].startswith("*]")


def test_a_dashed_path_has_gaps_and_ends_where_its_points_are():
    def columns(dashed: bool) -> list[int]:
        path = Path((2.0, 8.0), (5.0, 5.0), "c", ".", dashed)
        rows = text_of(scatter([], [path], Scale(0.0, 10.0), Scale(0.0, 10.0), 21, 3, ascii_only=True))
        return [i for i, cell in enumerate(rows[1]) if cell != " "]

    assert columns(False) == list(range(4, 17))
    assert 3 <= len(columns(True)) <= 6
    assert set(columns(True)) < set(columns(False))


@pytest.mark.parametrize("high", [1.5, 3.0, 6.0, 5.0, 1.0, 2.0, 4.0, 8.0, 10.0, 150.0])
def test_values_between_the_bounds_of_a_linear_scale_have_two_digits_at_most(high):
    found = between(Scale(0.0, high))
    assert found
    for value in found:
        assert 0 < value < high
        assert value == pytest.approx(float(f"{value:.2g}"))
