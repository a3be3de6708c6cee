"""Charts: golden text drawn by hand, and that no values make them fail."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.draw import numbers
from tui.plots.bars import area, bar
from tui.plots.chart import Band, Line, Mark, chart, with_labels
from tui.plots.scale import HOLD_NS, Scale, ceil_125, fitted, floor_125, ticks
from tui.plots.scatter import Dot, Path, along, scatter

NAN = float("nan")
TO_15 = Scale(0.0, 15.0)
"""Sixteen dots on four rows of braille: a value is a dot."""


def text(grid) -> list[str]:
    return ["".join(part for part, _ in row) for row in grid.rows()]


def line(values, role="p50", **more) -> Line:
    return Line(np.array(values, dtype=float), role, **more)


def test_a_flat_line_at_the_floor_is_the_lowest_dots_of_every_cell():
    # U+28C0 has the dots 7 and 8: the lowest of both columns.
    assert text(chart([line([0, 0, 0])], [], TO_15, 3, 4)) == ["   ", "   ", "   ", "⣀⣀⣀"]


def test_a_flat_line_at_the_top_is_the_highest_dots_of_every_cell():
    # U+2809 has the dots 1 and 4.
    assert text(chart([line([15, 15])], [], TO_15, 2, 4)) == ["⠉⠉", "  ", "  ", "  "]


def test_a_jump_is_joined_through_every_row_between():
    rows = text(chart([line([0, 15])], [], TO_15, 2, 4))
    assert all(row.strip() for row in rows)
    assert rows[0][1] != " "
    assert rows[3][0] != " "


def test_what_was_not_observed_is_a_gap_and_not_a_zero():
    rows = text(chart([line([0, NAN, NAN, 0])], [], TO_15, 4, 4))
    assert rows[3] == "⣀  ⣀"


def test_a_single_point_between_gaps_is_drawn():
    assert text(chart([line([NAN, 0, NAN])], [], TO_15, 3, 4))[3] == " ⣀ "


def test_of_two_lines_in_one_cell_only_the_first_is_drawn_in_its_own_role():
    grid = chart([line([0], "p50"), line([1], "p99")], [], TO_15, 1, 4)
    assert grid.rows()[3] == [("⣀", "p50")]


def test_a_thick_line_has_two_dots_where_a_thin_one_has_one():
    assert text(chart([line([0], thick=True)], [], TO_15, 1, 4))[3] == "⣤"


def test_a_band_fills_the_cells_between_its_edges():
    band = Band(np.array([15.0]), np.array([0.0]), "band")
    assert text(chart([], [band], TO_15, 1, 4)) == ["⣿"] * 4


def test_a_mark_crosses_every_row_but_leaves_the_line_whole():
    rows = text(chart([line([0, 0, 0])], [], TO_15, 3, 4, marks=[Mark(1, "line_load")]))
    assert rows == [" │ ", " │ ", " │ ", "⣀⣀⣀"]


def test_in_ascii_each_series_has_a_letter_of_its_own():
    lines = [line([0, 0], "p50", letter="*"), line([3, 3], "p99", letter="^")]
    assert text(chart(lines, [], Scale(0.0, 3.0), 2, 4, ascii_only=True)) == ["^^", "  ", "  ", "**"]


def test_a_label_takes_the_longest_form_that_fits_before_what_is_drawn():
    row = [("│         ⣀", "line_load")]
    short = [("│    ⣀     ", "line_load")]
    labels = {1: (("8 → 12 rps", "12 rps", "12"), "mark_load")}
    assert "".join(part for part, _ in with_labels(row, labels, 11)) == "│12 rps   ⣀"
    assert "".join(part for part, _ in with_labels(short, labels, 11)) == "│12  ⣀     "


def test_a_sparkline_has_seven_levels_on_a_fixed_scale_and_gaps():
    values = np.array([0, 50, 100, NAN, 200, -5])
    assert text(area(values, Scale(0, 100), 6, 1, "gpu")) == ["▁▄▇ ▇▁"]


def test_an_area_of_two_rows_fills_the_lower_one_first():
    assert text(area(np.array([0.0, 50.0, 100.0]), Scale(0, 100), 3, 2, "x")) == ["  ▇", "▁██"]


def test_a_line_over_an_area_shows_only_where_it_is_above_it():
    grid = area(np.array([10.0, 0.0]), Scale(0, 10), 2, 2, "sent", line=line([10, 10], "offered"))
    assert grid.rows()[0] == [("▇", "sent"), ("⠉", "offered")]


def test_missing_columns_at_the_left_are_gaps_and_superfluous_ones_are_dropped():
    assert text(area(np.array([100.0]), Scale(0, 100), 3, 1, "x")) == ["  ▇"]
    assert text(area(np.array([0.0, 0.0, 100.0]), Scale(0, 100), 1, 1, "x")) == ["▇"]


def test_a_bar_shows_its_parts_in_proportion():
    assert bar([(0.5, "used"), (0.25, "reserved")], 8) == [
        ("━━━━", "used"),
        ("╍╍", "reserved"),
        ("──", "bar_rest"),
    ]


def test_a_bar_of_something_unknown_is_empty():
    assert bar([(None, "used")], 4) == [("────", "bar_rest")]


# -- scales


@pytest.mark.parametrize(
    ("value", "below", "above"),
    [(1, 1, 1), (3, 2, 5), (4.999, 2, 5), (5, 5, 5), (73, 50, 100), (0.03, 0.02, 0.05), (1.1e9, 1e9, 2e9)],
)
def test_bounds_are_on_the_one_two_five_grid(value, below, above):
    assert floor_125(value) == pytest.approx(below)
    assert ceil_125(value) == pytest.approx(above)


def scaled(values, previous=None, at_s=0.0, **more) -> Scale:
    return fitted(previous, [np.array(values, dtype=float)], int(at_s * 1e9), **more)


def test_a_log_scale_holds_every_value_between_bounds():
    scale = scaled([65, 3500, NAN], log=True)
    assert (scale.low, scale.high) == (50, 5000)


def test_a_scale_grows_at_once_and_shrinks_only_after_ten_seconds():
    high = scaled([20, 4000], log=True)
    first = scaled([20, 90], high, at_s=1, log=True)
    assert first.high == high.high
    still = scaled([20, 90], first, at_s=10.9, log=True)
    assert still.high == high.high
    assert scaled([20, 90], still, at_s=1 + HOLD_NS / 1e9, log=True).high == 100
    assert scaled([20, 9000], still, at_s=11, log=True).high == 10_000


def test_a_scale_that_is_needed_again_begins_to_wait_anew():
    high = scaled([20, 4000], log=True)
    waiting = scaled([20, 90], high, at_s=1, log=True)
    needed = scaled([20, 4000], waiting, at_s=9, log=True)
    again = scaled([20, 90], needed, at_s=10, log=True)
    assert scaled([20, 90], again, at_s=15, log=True).high == high.high


def test_time_that_ran_backwards_starts_a_scale_afresh():
    waiting = scaled([20, 90], scaled([20, 4000], log=True), at_s=100, log=True)
    assert scaled([20, 90], waiting, at_s=5, log=True).high == 100


def test_a_constant_is_not_blown_up_to_the_whole_chart():
    scale = scaled([100, 100, 101], log=True)
    assert scale.high / scale.low >= 5


@pytest.mark.parametrize(
    ("values", "low", "cut"),
    [
        ([10.0] * 90 + [30.0] * 10, 10.0, False),
        ([0.001] * 50 + [10.0, 100.0] * 25, 10.0, True),  # half of the chunks came with the one before
        ([0.01] * 2 + [10.0, 100.0] * 49, 10.0, True),  # two strays, three decades below the others
        ([2.0] * 2 + [10.0] * 98, 2.0, False),  # less than a decade below
        ([0.01] * 20 + [10.0] * 80, 0.01, False),  # a fifth of the values are no strays
        ([0.001] * 9, 10.0, True),  # nothing but gaps of no length
    ],
)
def test_a_logarithmic_scale_begins_at_real_lengths_and_says_what_lies_below(values, low, cut):
    scale = fitted(None, [np.array(values)], 0, log=True, least_high=100.0, nought=0.002)
    assert (scale.low, scale.cut) == (low, cut)
    labels = ticks(scale, 9, numbers.ms_label)
    assert labels[8].startswith("<") is cut


def test_words_are_written_over_the_line_of_a_lesser_mark_but_not_over_another_load():
    def row(role):
        return [("│", "line_load"), ("│", role), ("      ", "")]

    labels = {1: (("start",), "mark_load")}
    assert "".join(part for part, _ in with_labels(row("line_warning"), labels, 8)) == "│start  "
    assert "".join(part for part, _ in with_labels(row("line_load"), labels, 8)) == "││      "


def test_both_bounds_of_a_scale_are_labelled_and_labels_keep_apart():
    labels = ticks(Scale(10, 1000, log=True), 9, lambda v: f"{v:g}")
    assert labels[0] == "1000"
    assert labels[8] == "10"
    assert labels[4] == "100"
    rows = sorted(labels)
    assert all(b - a >= 2 for a, b in pairwise(rows))


anything = st.lists(
    st.floats(allow_nan=True, allow_infinity=True) | st.integers(-5, 5).map(float), max_size=40
)


@given(anything, anything, st.integers(0, 20), st.integers(0, 6), st.booleans(), st.booleans())
def test_no_values_and_no_size_make_a_chart_fail(first, second, width, height, log, ascii_only):
    a, b = np.array(first, dtype=float), np.array(second, dtype=float)
    scale = fitted(None, [a, b], 0, log=log)
    assert np.isfinite([scale.low, scale.high]).all()
    assert scale.low < scale.high
    ticks(scale, height, str)
    grids = (
        chart(
            [Line(a, "p50", thick=True), Line(b, "p99")],
            [Band(b, a, "band")],
            scale,
            width,
            height,
            marks=[Mark(0, "line_load"), Mark(99, "line_load")],
            ascii_only=ascii_only,
        ),
        area(a, scale, width, height, "x", marks=[Mark(0, "m")], line=Line(b, "o"), ascii_only=ascii_only),
    )
    for grid in grids:
        rows = text(grid)
        assert [len(row) for row in rows] == [width] * height
        assert not ascii_only or all(row.isascii() or "│" in row for row in rows)


@pytest.mark.parametrize("high", [0.15, 1.5, 3.0, 60.0, 1500.0, 2000.0, 8000.0])
@pytest.mark.parametrize("height", [3, 6, 9, 18])
def test_a_linear_axis_is_cut_at_round_values(high, height):
    labels = ticks(Scale(0.0, high), height, numbers.ms_label)
    assert all(len(label) <= 5 for label in labels.values()), labels


FAR = st.sampled_from([5e-324, 1e-300, 1e-12, 0.5, 2.0, 9.0, 1e12, 1e300, 1.7e308])


@given(st.lists(st.tuples(FAR, FAR), min_size=1, max_size=4), st.booleans())
def test_no_load_of_a_stranger_makes_a_curve_fail(points, log):
    xs, ys = [x for x, _ in points], [y for _, y in points]
    dots = [Dot(x, y, "o", "axis", low=y / 2, high=y) for x, y in points]
    scales = along(xs), fitted(None, [np.array(ys)], 0, log=log)
    grid = scatter(dots, [Path(sorted(xs), ys, "axis")], *scales, 40, 8)
    assert (np.array(grid.codes) == ord("o")).any()
