"""`ttftop report`, as typed."""

from __future__ import annotations

import importlib.util
import stat
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sessions.report.picture import RENDERER, as_picture
from sessions.report.run_data import read_run_data
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


def test_a_picture_is_drawn_where_the_package_is_that_draws_it_and_else_one_line_names_it(
    typed: Command, tmp_path: Path
) -> None:
    file = tmp_path / "x.png"
    told = typed("report", str(RECORDED), "-o", str(file))
    if importlib.util.find_spec(RENDERER) is None:
        assert (told.returncode, told.stdout, file.exists()) == (2, "", False)
        assert "the package resvg-py is missing in this Python: " in told.stderr
        assert told.stderr.endswith(
            "pip install resvg-py (ttftop[png] has it); .svg holds the same charts, .html opens in any browser\n"
        )
    else:
        assert told.returncode == 0, told.stderr
        assert file.read_bytes().startswith(b"\x89PNG")


def test_a_picture_has_its_verdict_and_every_chart_and_nothing_that_only_a_browser_knows() -> None:
    run = read_run_data(RECORDED)
    one, two = as_picture([run]), as_picture([run, run])
    for made in (one, two):
        ElementTree.fromstring(made)
        assert "TTFT: % of requests within" in made
        assert not any(word in made for word in ("var(", "@media", ":hover", "<script", "system-ui"))
    assert "VALID" in one
    assert "Requests/s" in one
    assert (one.count('class="n"'), two.count('class="n"'), two.count('r="5"')) == (1, 2, 2)
