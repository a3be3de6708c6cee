"""Rows as a picture: read back by an XML parser, that nothing is lost, moved, or taken for markup."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.draw.svg import DARK, MARGIN, svg
from tui.draw.svg_shapes import CELL_HEIGHT, CELL_WIDTH, shape
from tui.draw.text import masked
from tui.draw.theme import Theme

NS = "{http://www.w3.org/2000/svg}"
STYLES = Theme().styles()
BOX = r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)h-[\d.]+z"


def texts(picture: str) -> list[ET.Element]:
    return list(ET.fromstring(picture).iter(f"{NS}text"))


def test_each_run_stands_in_its_cells_in_the_colour_of_its_role():
    found = texts(svg([[("ab", "p95"), ("  ", ""), ("c", "bad")], [("d", "")]], STYLES))
    assert [one.text for one in found] == ["ab", "c", "d"]
    places = [[float(x) for x in one.attrib["x"].split()] for one in found]
    assert places == [[MARGIN, MARGIN + CELL_WIDTH], [MARGIN + 4 * CELL_WIDTH], [MARGIN]]
    # xterm's colour 179 is rgb(215, 175, 95), 203 is rgb(255, 95, 95).
    assert [one.attrib["fill"] for one in found] == ["#d7af5f", "#ff5f5f", DARK[0]]
    assert [one.attrib.get("font-weight") for one in found] == [None, "bold", None]
    assert float(found[2].attrib["y"]) - float(found[0].attrib["y"]) == CELL_HEIGHT


def test_reversed_text_stands_on_its_own_colour():
    root = ET.fromstring(svg([[("LIVE", "badge_live")]], STYLES))
    behind = list(root.iter(f"{NS}rect"))[1]
    assert (behind.attrib["fill"], next(root.iter(f"{NS}text")).attrib["fill"]) == ("#5faf5f", DARK[1])


@given(
    st.lists(
        st.lists(st.tuples(st.text(max_size=12), st.sampled_from(sorted(STYLES))), max_size=4), max_size=4
    )
)
@example([[("\r", "")]])
def test_any_text_is_text_and_stays_whole(rows):
    picture = svg(rows, STYLES, title="<&\x1b\x00")
    shown = "".join(one.text or "" for one in texts(picture))
    wanted = "".join(masked(text) for row in rows for text, _ in row if text)
    wanted = "".join(letter for letter in wanted if not shape(letter, 0.0, 0.0))
    assert "".join(shown.split()) == "".join(wanted.split())
    across = max((sum(cell_len(text) for text, _ in row) for row in rows), default=0)
    assert float(ET.fromstring(picture).attrib["viewBox"].split()[2]) >= across * CELL_WIDTH


def test_no_letter_is_stretched_or_moved_by_blanks_around_it():
    """A browser that folds blanks, or has another font, must find each letter in its cell."""
    picture = svg([[("  a  bc ", ""), ("é漢d🙂e", "p95")]], STYLES)
    assert "textLength" not in picture
    cells = {
        one.text: [(float(x) - MARGIN) / CELL_WIDTH for x in one.attrib["x"].split()]
        for one in texts(picture)
    }
    assert {word: [round(cell, 2) for cell in at] for word, at in cells.items()} == {
        "a": [2.0],
        "bc": [5.0, 6.0],
        "é": [8.0],
        "漢": [9.0],
        "d": [11.0],
        "🙂": [12.0],
        "e": [14.0],
    }


def test_charts_and_frames_are_drawn_so_that_they_touch_whatever_the_font_has():
    (path,) = ET.fromstring(svg([[("█▁▌⣿⡀─", "")]], STYLES)).iter(f"{NS}path")
    boxes = [tuple(map(float, box)) for box in re.findall(BOX, path.attrib["d"])]
    assert boxes[0] == (MARGIN, MARGIN, CELL_WIDTH, CELL_HEIGHT)
    assert boxes[1] == (MARGIN + CELL_WIDTH, MARGIN + CELL_HEIGHT * 7 / 8, CELL_WIDTH, CELL_HEIGHT / 8)
    assert boxes[2] == (MARGIN + 2 * CELL_WIDTH, MARGIN, CELL_WIDTH / 2, CELL_HEIGHT)
    assert len(boxes) == 3 + 8 + 1 + 2
    left, right = boxes[-2:]
    assert (left[0], right[0] + right[2]) == pytest.approx((MARGIN + 5 * CELL_WIDTH, MARGIN + 6 * CELL_WIDTH))


def test_markup_of_a_server_is_no_markup():
    picture = svg([[("</text><script>alert(1)</script>", "")]], STYLES)
    assert "<script" not in picture
    assert texts(picture)[0].text == "</text><script>alert(1)</script>"
