"""A comparison as text: 80 columns, no raw bytes of a stranger's files, and a picture whatever there is."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sessions.compare.schema import ComparedFigure, ComparedLoad, Comparison, Difference, Side, Versus, Word
from tui.report.compare import tables, verdict
from tui.report.compare_chart import picture
from tui.report.plotext_chart import Theme

RAW = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
EVIL = "A\x1b]0;PWN\x07\x9b2J\x00\x1b[2J\r\u202e"


def figure(metric: str = "ttft.p95", word: Word = "worse", **more: Any) -> ComparedFigure:
    given: dict[str, Any] = {
        "label": "TTFT p95", "a": 12_043.0, "b": 13_247.0, "ratio": 1.1, "low": 1.02, "high": 1.19, "low_alone": 1.05,
        "high_alone": 1.15, "no_difference_larger_than": None, "because": "", "loads": 1, "interval_from": "blocks",
    }  # fmt: skip
    return ComparedFigure(metric=metric, word=word, **{**given, **more})


def comparison(
    *loads: float,
    figures: list[ComparedFigure] | None = None,
    text: str = "s",
    kind: str = "rps",
    badges: list[str] | None = None,
) -> Comparison:
    side = Side(text, [text], False, [text], badges or [])
    figures = [figure()] if figures is None else figures
    at = [ComparedLoad(text, f"{x:g} {kind}", x, 2_300, 2_300, 1, 0, figures) for x in loads]
    differences = [Difference(text, text, text, kind) for kind in ("compared", "asked", "also")]  # type: ignore[arg-type]
    versus = Versus(side, "worse", figures, at, differences, [text], [text])
    return Comparison(side, [versus], 8, 0.02, 0.05)


def test_nothing_that_a_stranger_wrote_reaches_the_terminal_raw() -> None:
    made = comparison(1.0, 2.0, text=EVIL)
    said = verdict(made, made.versus[0]) + tables(made, made.versus[0])
    said += picture(made.versus[0], Theme())
    assert RAW.findall(said) == []


@pytest.mark.parametrize("text", ["s", "x" * 300, "word " * 60])
def test_every_line_fits_80_columns(text: str) -> None:
    figures = [
        figure(),
        figure(word="no difference", no_difference_larger_than=0.0412, a=98_765.4, b=98_765.4, low=0.871),
        figure(word="cannot tell", because="needs 12,345 s", low=None, high=None),
        figure(word="cannot tell", a=123_456.0, b=123_456.0, low=0.0001, high=1234.5),
        figure(b=98_765.4, ratio=8.2, low=None, high=None, because="never steady", apart=4.123),
    ]
    made = comparison(1.0, 2.0, figures=figures, text=text)
    lines = (verdict(made, made.versus[0]) + "\n" + tables(made, made.versus[0])).splitlines()
    assert max(map(len, lines)) <= 80
    assert "no difference larger than 5 %" in "\n".join(lines)


def test_what_was_not_measured_on_a_real_server_is_said_with_the_verdict() -> None:
    made = comparison(1.0, badges=["IMPORTED", "SIMULATED"])
    said = verdict(made, made.versus[0])
    assert said.splitlines()[-2:] == ["  IMPORTED: s and s", "  SIMULATED: s and s"]
    plain = comparison(1.0)
    assert "SIMULATED" not in verdict(plain, plain.versus[0])


def test_of_one_load_the_picture_is_all_intervals_around_no_change() -> None:
    made = comparison(
        8.0,
        figures=[figure(), figure("itl.mean", "better", label="ITL mean", ratio=0.9, low=0.81, high=0.99)],
    )
    head, worse, better, axis = picture(made.versus[0], Theme()).splitlines()
    assert head == "B against A, with intervals"
    middle = axis.index("no change") + 4
    assert worse.index("●") > middle > better.index("●")
    assert worse[middle] == better[middle] == "│"
    assert all(ord(letter) < 128 for letter in picture(made.versus[0], Theme(braille=False)))


def test_without_any_interval_the_picture_over_the_load_is_still_drawn() -> None:
    unknown = figure(word="cannot tell", because="needs 90 s", low=None, high=None)
    made = comparison(1.0, 2.0, figures=[unknown])
    assert (
        picture(made.versus[0], Theme())
        .splitlines()[0]
        .strip()
        .startswith("TTFT p95, ms over the offered rate")
    )
    alone = comparison(1.0, figures=[unknown])
    assert picture(alone.versus[0], Theme()) == ""


def test_a_verdict_says_first_that_a_side_is_not_valid() -> None:
    made = comparison(1.0)
    assert verdict(made, made.versus[0]).splitlines()[:3] == [
        "NOT VALID: s: s",
        "NOT VALID: s: s",
        "s against s: WORSE",
    ]


def test_what_is_told_without_an_interval_says_why_there_is_none_and_by_how_much_at_least() -> None:
    far = figure(ratio=75.82, low=None, high=None, because="never steady", apart=13.24)
    shorter = figure(word="better", ratio=0.1, low=None, high=None, because="needs 99 s", apart=0.43)
    made = comparison(1.0, figures=[figure(label="ITL mean"), far, shorter])
    lines = verdict(made, made.versus[0]).splitlines()
    assert "  worse: ITL mean +10 % (+2.0..+19)" in lines
    assert "  worse, though never steady for an interval: TTFT p95 x76 (x13..)" in lines
    assert "  better, though too short for an interval: TTFT p95 -90 % (..-57)" in lines


def test_loads_that_are_not_the_same_on_both_sides_are_not_drawn_as_one() -> None:
    made = comparison(4.0, 8.0)
    near = [ComparedLoad("s", f"{x:g} rps against 5 rps", x, 9, 9, 0, 0, [figure()], 5.0) for x in (4.0, 8.0)]
    versus = Versus(made.a, "worse", [figure()], near, [], [], [])
    assert picture(versus, Theme()).startswith("B against A, with intervals")
    said = " ".join(verdict(made, versus).split())
    assert said.index("DIFFERENT LOADS: 4 rps against 5 rps, 8 rps against 5 rps.") < said.index(
        "s against s"
    )


def test_of_different_loads_it_says_so_first_and_once_and_no_ratio_that_means_nothing() -> None:
    unknown = [
        figure(word="cannot tell", label=label, b=99_999.0, ratio=8.3, low=None, high=None, because=why)
        for label, why in (
            ("TTFT p50", "never steady"),
            ("ITL mean", "B had more load"),
            ("J/token", "other load"),
        )
    ]
    made = comparison(3.0, figures=[*unknown, figure(word="better", ratio=0.5, low=0.4, high=0.6)])
    load = ComparedLoad("s", "3 rps against 12 rps", 3.0, 71, 311, 0, 0, made.versus[0].overall, 12.0)
    versus = Versus(made.versus[0].b, "better", made.versus[0].overall, [load], [], [], [])
    lines = [line for line in verdict(made, versus).splitlines() if not line.startswith("NOT VALID")]
    assert lines[0].startswith("DIFFERENT LOADS: 3 rps against 12 rps. Compare runs at one rate")
    said = " ".join(" ".join(lines).split())
    assert said.count("cannot tell") == 1
    assert "cannot tell: TTFT p50, ITL mean, J/token" in said
    assert "better: TTFT p95 -50 %" in said
    told = tables(made, versus)
    assert "730" not in told
    assert told.count("other load") == 3
    assert "-50 %" in told


def test_where_it_cannot_be_told_it_says_what_such_runs_find_and_how_long_they_would_have_to_be() -> None:
    open_ = figure(
        word="cannot tell", low=0.9, high=1.2, would_find=0.123, times_as_long_for_ten_percent=1.56
    )
    wider = figure(word="cannot tell", low=0.8, high=1.3, would_find=0.3, times_as_long_for_ten_percent=7.0)
    made = comparison(1.0, figures=[wider, open_])
    said = " ".join(verdict(made, made.versus[0]).split())
    assert (
        "runs like these find 13 % of TTFT p95 (in 80 of 100 cases); to find 10 % they would have to" in said
    )
    assert "1.6 times as long" in said


def test_the_tables_say_first_which_side_is_which() -> None:
    made = comparison(1.0)
    other = made.versus[0].b.__class__("t", ["t"], True, [], [])
    versus = Versus(other, "worse", [figure()], made.versus[0].loads, [], [], [])
    assert tables(made, versus).splitlines()[:2] == ["A = s", "B = t"]


def test_where_no_interval_could_be_made_none_is_counted_and_what_stands_in_brackets_is_explained() -> None:
    far = figure(ratio=49.35, low=None, high=None, because="never steady", apart=35.36)
    made = comparison(14.0, figures=[far])
    none = Comparison(made.a, made.versus, 0, 0.02, 0.05)
    said = " ".join(tables(none, none.versus[0]).split())
    assert "x49 (x35..)" in said
    assert "No interval could be made; what stands in brackets with one end" in said
    assert "hold together" not in said
    assert "8 intervals, which all hold together in 95 % of cases" in tables(made, made.versus[0]).replace(
        "\n", " "
    )
