"""Rows as a picture: read back by an XML parser, that nothing is lost, moved, or taken for markup."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.draw.svg import CELL_HEIGHT, CELL_WIDTH, DARK, MARGIN, svg
from tui.draw.text import masked
from tui.draw.theme import Theme

NS = "{http://www.w3.org/2000/svg}"
STYLES = Theme().styles()


def texts(picture: str) -> list[ET.Element]:
    return list(ET.fromstring(picture).iter(f"{NS}text"))


def test_each_run_stands_in_its_cells_in_the_colour_of_its_role():
    found = texts(svg([[("ab", "p95"), ("  ", ""), ("c", "bad")], [("d", "")]], STYLES))
    assert [one.text for one in found] == ["ab", "c", "d"]
    places = [(float(one.attrib["x"]), float(one.attrib["textLength"])) for one in found]
    assert places == [
        (MARGIN, 2 * CELL_WIDTH),
        (MARGIN + 4 * CELL_WIDTH, CELL_WIDTH),
        (MARGIN, CELL_WIDTH),
    ]
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
    wanted = "".join(masked(text) for row in rows for text, _ in row)
    assert "".join(shown.split()) == "".join(wanted.split())
    across = max((sum(cell_len(text) for text, _ in row) for row in rows), default=0)
    assert float(ET.fromstring(picture).attrib["viewBox"].split()[2]) >= across * CELL_WIDTH


def test_markup_of_a_server_is_no_markup():
    picture = svg([[("</text><script>alert(1)</script>", "")]], STYLES)
    assert "<script" not in picture
    assert texts(picture)[0].text == "</text><script>alert(1)</script>"
