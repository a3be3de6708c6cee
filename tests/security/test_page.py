"""SECURITY.md names tests that are there, and its table is the one of the file that it is made from."""

from __future__ import annotations

import pytest

from scripts import security_page
from tests.reliability.test_page import functions

TESTS = sorted(
    {test for border in security_page.borders() for line in border["cannot"] for test in line["tests"]}
)


@pytest.mark.parametrize("test", TESTS)
def test_a_test_that_is_named_is_there(test: str) -> None:
    file, _, name = test.partition("::")
    assert name in functions(file)


def test_every_line_is_held_by_a_test() -> None:
    assert all(line["tests"] for border in security_page.borders() for line in border["cannot"])


def test_the_page_says_what_the_table_says() -> None:
    assert security_page.PAGE.read_text(encoding="utf-8") == security_page.page(), (
        "run scripts/security_page.py"
    )
