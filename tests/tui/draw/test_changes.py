"""What is sent of changed rows: a terminal that obeys shows the new rows, whatever it showed before."""

from __future__ import annotations

import pyte
from hypothesis import given
from hypothesis import strategies as st

from tui.draw.changes import orders
from tui.draw.rows import Row, fitted

WIDTH = 24
CODES = {"": "", "red": "31", "bold": "1", "back": "44"}
spans = st.tuples(st.text(alphabet="ab ·█⣿模型⚡", max_size=8), st.sampled_from(sorted(CODES)))
rows = st.lists(spans, max_size=6).map(lambda row: fitted(row, WIDTH))


def told(old: list[Row], new: list[Row]) -> str:
    changed = [(y, before, after) for y, (before, after) in enumerate(zip(old, new, strict=True))]
    return orders(changed, 3, 2, CODES.__getitem__, lambda role: role == "back")


def shown(*texts: str) -> list[list[tuple[str, str, str, bool]]]:
    screen = pyte.Screen(WIDTH + 6, 8)
    stream = pyte.Stream(screen)
    for text in texts:
        stream.feed(text)
    cells = [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]
    # A blank in a colour or in bold looks like any other.
    return [
        [(c.data, c.fg if c.data.strip() else "", c.bg, c.bold and bool(c.data.strip())) for c in row]
        for row in cells
    ]


blank: list[Row] = [[(" " * WIDTH, "")]] * 3


@given(st.lists(rows, min_size=3, max_size=3), st.lists(rows, min_size=3, max_size=3))
def test_what_is_told_of_changes_leads_to_the_same_screen_as_drawing_it_at_once(old, new):
    assert shown(told(blank, old), told(old, new)) == shown(told(blank, new))


def test_rows_that_stay_and_cells_that_stay_cost_nothing():
    row: Row = [("TTFT ", "bold"), ("158", "red"), (" ms", "")]
    assert told([row], [row]) == ""
    changed: Row = [("TTFT ", "bold"), ("159", "red"), (" ms", "")]
    assert told([row], [changed]) == "\x1b[3;11H\x1b[0;31m9\x1b[0m"


def test_a_blank_in_another_colour_is_no_change_and_one_with_a_background_is():
    assert told([[("a  ", "")]], [[("a", ""), ("  ", "red")]]) == ""
    assert told([[("a  ", "")]], [[("a", ""), ("  ", "back")]]) == "\x1b[3;5H\x1b[0;44m  \x1b[0m"
