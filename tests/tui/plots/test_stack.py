from __future__ import annotations

import numpy as np
import pytest

from tui.plots.bars import area
from tui.plots.chart import Line, Mark
from tui.plots.scale import Scale
from tui.plots.stack import Layer, crossed, stack, tinted

TO_16 = Scale(0.0, 16.0)
"""On two rows: one eighth of a cell is 1."""


def texts(grid) -> list[str]:
    return ["".join(text for text, _ in row) for row in grid.rows()]


def roles(grid) -> list[list[str]]:
    return [[role for text, role in row for _ in text] for row in grid.rows()]


def layers(*pairs, textures=("#", "=", ":")) -> list[Layer]:
    return [
        Layer(np.array(values, dtype=float), role, letter, letter)
        for (values, role), letter in zip(pairs, textures, strict=False)
    ]


def test_layers_stand_on_one_another_and_the_bound_of_two_has_both_colours():
    # Columns: 12 of a alone; a to 5 and b up to 16; a to 8, b to 12.
    grid = stack(layers(([12, 5, 8], "a"), ([0, 11, 4], "b")), TO_16, 3, 2)
    assert texts(grid) == ["▄█▄", "█▅█"]
    assert roles(grid) == [["a", "b", "b"], ["a", "a/b", "a"]]


def test_without_colours_each_cell_is_the_texture_of_the_layer_that_most_of_it_is_of():
    grid = stack(layers(([3, 5], "a"), ([13, 11], "b")), TO_16, 2, 2, textured=True)
    assert texts(grid) == ["==", "=#"]
    assert roles(grid) == [["b", "b"], ["b", "a"]]
    ascii_ = stack(layers(([3, 5], "a"), ([13, 5], "b")), TO_16, 2, 2, ascii_only=True)
    assert texts(ascii_) == ["= ", "=#"]


def test_what_is_little_shows_and_what_is_missing_does_not():
    values = [0.0, 0.2, np.nan]
    assert texts(stack(layers((values, "a")), TO_16, 3, 2)) == ["   ", "▁▁ "]
    assert texts(stack(layers((values, "a")), TO_16, 3, 2, ascii_only=True)) == ["   ", "## "]
    one_missing = layers(([4.0], "a"), ([np.nan], "b"))
    assert texts(stack(one_missing, TO_16, 1, 2)) == [" ", " "]


def test_a_blank_beside_a_bound_has_no_colour_of_it():
    grid = stack(layers(([5, np.nan], "a"), ([11, np.nan], "b")), TO_16, 2, 2)
    assert roles(grid)[1] == ["a/b", ""]


def test_marks_show_where_nothing_is():
    grid = stack(layers(([8.0], "a")), TO_16, 1, 2, marks=[Mark(0, "m"), Mark(9, "m")])
    assert texts(grid) == ["│", "█"]
    assert roles(grid) == [["m"], ["a"]]


@pytest.mark.parametrize("width", [0, 3])
@pytest.mark.parametrize("height", [0, 1, 4])
def test_any_size_is_filled(width, height):
    grid = stack(layers(([1, 2, 3, 4, 5], "a")), TO_16, width, height)
    assert grid.codes.shape == grid.roles.shape == (height, width)
    assert stack([], TO_16, width, height).codes.shape == (height, width)


def test_an_area_takes_another_role_in_some_columns():
    values = np.array([16.0, 16.0, 4.0])
    grid = tinted(area(values, TO_16, 3, 2, "a", marks=[Mark(2, "m")]), values > 10, "bad")
    assert roles(grid) == [["bad", "bad", "m"], ["bad", "bad", "a"]]


def test_a_line_crosses_an_area_in_both_colours_and_leaves_its_edge_alone():
    values = np.array([16.0, 16.0, 1.0])
    line = Line(np.array([4.0, 4.0, 4.0]), "l", "o")
    filled = area(values, TO_16, 3, 4, "a")
    grid = crossed(filled, line, TO_16)
    assert roles(grid)[2] == ["l/a", "l/a", "l"]
    assert all(0x2800 < ord(letter) < 0x2900 for letter in texts(grid)[2])
    assert texts(grid)[3] == texts(filled)[3]
    plain = crossed(area(values, TO_16, 3, 4, "a", ascii_only=True), line, TO_16, ascii_only=True)
    assert texts(plain)[2] == "ooo"
