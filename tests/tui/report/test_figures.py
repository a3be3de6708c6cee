"""Tables as plain text, where a letter may be two cells wide."""

from __future__ import annotations

import pytest
from wcwidth import wcswidth

from tui.report.figures import aligned, cells

NAMES = ["m1", "通义千问-7B-对话🚀/最新版", "e\u0301te\u0301", "ﾊﾝｶｸ", "ＷＩＤＥ", "한국어"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_as_wide_as_a_terminal_draws_it(name):
    assert cells(name) == wcswidth(name)


def test_the_columns_of_a_table_stand_under_one_another_whatever_the_letters():
    lines = aligned([("model", "s"), *((name, "3") for name in NAMES)]).splitlines()
    assert len({wcswidth(line) for line in lines}) == 1
