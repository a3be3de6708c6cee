"""The table of faults names tests that are there, and the page is made from it."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from scripts import reliability_page
from scripts.reliability_page import AT_LENGTH, PROMISES, ROOT, chapters, measured
from tui.options import exit_codes

IN_CHAPTERS = {test for chapter in chapters() for fault in chapter.faults for test in fault.tests}
NAMED = sorted({*IN_CHAPTERS, *(test for tests in PROMISES.values() for test in tests)})
CODES = {value for value in vars(exit_codes).values() if isinstance(value, int)}


@cache
def functions(file: str) -> set[str]:
    """The names of all functions of a file; none where there is no such file."""
    path = ROOT / file
    tree = ast.parse(path.read_text(encoding="utf-8") if path.is_file() else "")
    return {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_every_test_that_is_named_is_there(request: pytest.FixtureRequest) -> None:
    """Parameters are looked for in the files that were collected beside this one: in a run of all tests, in all."""
    collected = {item.nodeid for item in request.session.items}
    files = {test.partition("::")[0] for test in collected}
    missing = []
    for test in NAMED:
        file, _, name = test.partition("::")
        known = name.partition("[")[0] in functions(file)
        if not known or ("[" in name and file in files and test not in collected):
            missing.append(test)
    assert missing == []


def test_the_page_says_what_the_table_says() -> None:
    assert reliability_page.PAGE.read_text(encoding="utf-8") == reliability_page.page(), (
        "run scripts/reliability_page.py"
    )


def test_every_exit_code_is_a_documented_one() -> None:
    codes = {code for chapter in chapters() for fault in chapter.faults for code in fault.exit}
    assert codes <= CODES


def test_a_fault_is_named_once() -> None:
    whats = [fault.what for chapter in chapters() for fault in chapter.faults]
    assert len(set(whats)) == len(whats)


def test_figures_of_long_trials_come_with_their_dates() -> None:
    for name in AT_LENGTH:
        said = measured(name)
        assert not said or re.search(r"\b20\d\d-\d\d-\d\d\b", said), name
        assert not said or said in reliability_page.page()
