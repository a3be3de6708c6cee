from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.draw.shares import dealt


def test_each_has_a_row_before_any_has_two():
    assert dealt(2, {"a": 1, "b": 9, "c": 1}) == {"a": 1, "b": 1, "c": 0}
    assert dealt(3, {"a": 1, "b": 9, "c": 1}) == {"a": 1, "b": 1, "c": 1}


def test_more_rows_go_by_weight_and_none_beyond_what_it_can_use():
    assert dealt(9, {"a": 2, "b": 1}) == {"a": 6, "b": 3}
    assert dealt(9, {"a": 2, "b": 1}, {"a": 2}) == {"a": 2, "b": 7}
    assert dealt(9, {"a": 2, "b": 1}, {"a": 2, "b": 3}) == {"a": 2, "b": 3}


@given(st.integers(-3, 60), st.dictionaries(st.text(max_size=3), st.floats(0.1, 9), max_size=9))
def test_no_row_is_lost_nor_made(room, weights):
    rows = dealt(room, weights)
    assert sum(rows.values()) == (max(room, 0) if weights else 0)
