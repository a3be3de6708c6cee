"""`ttftop report`, as typed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Command

RECORDED = Path(__file__).parents[1] / "sessions" / "store" / "recorded" / "llamacpp"


@pytest.mark.parametrize(
    ("name", "begins"), [("a.html", "<!DOCTYPE html>"), ("a.txt", "20"), ("a.csv", "index,worker,due_s")]
)
def test_the_ending_says_in_which_form(ttftop: Command, tmp_path: Path, name: str, begins: str) -> None:
    more = ["--requests"] if name == "a.csv" else []
    told = ttftop("report", str(RECORDED), "-o", str(tmp_path / name), *more)
    assert told.returncode == 0, told.stderr
    assert (tmp_path / name).read_text().startswith(begins)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "x.png"], "--output: ttftop draws no .png; .svg holds the same charts"),
        (["-o", "x.pdf"], "--output: got 'x.pdf', need a name that ends in .html, "),
        (["-o", "x.md", "--requests"], "--requests: a row a request needs a name that ends in .csv"),
        (["-o", "/nowhere/x.md"], "--output: /nowhere/x.md: No such file or directory"),
    ],
)
def test_what_cannot_be_is_one_line(ttftop: Command, words: list[str], said: str) -> None:
    told = ttftop("report", str(RECORDED), *words)
    assert told.returncode in (1, 2)
    assert told.stderr.startswith(f"ttftop: error: {said}")
    assert len(told.stderr.splitlines()) == 1
