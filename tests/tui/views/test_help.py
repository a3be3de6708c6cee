"""The help: nothing in it is cut, and every word that stands for a state on the screen is in it."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from sessions.bottleneck.rules import NAMES, UNJUDGED
from sessions.steady.verdict import Verdict
from tui.controls.keys import KEYS, VIEWS
from tui.controls.screen_state import ScreenState
from tui.draw import words
from tui.draw.theme import Theme
from tui.views.help import help_rows, help_scrolled
from tui.views.help_words import WORDS

STATES = ("starting", "probing", "running", "holding", "stopped", "draining", "ended", "killed")
"""Of `sessions.store.records.State`, and what a frame adds."""
OTHERS = (
    "HEAT",
    "PWR",
    "BRAKE",
    "SLOW",
    "IDLE?",
    "skew",
    "lost",
    "hidden",
    "not serving",
    "backlog",
    "cut off",
)


def text(width: int, height: int = 200, **more) -> str:
    rows = help_rows(width, height, ScreenState(**more))
    return "\n".join("".join(part for part, _ in row) for row in rows)


@pytest.mark.parametrize(
    "word",
    [
        *STATES,
        *(words.limit_name(name) for name in NAMES),
        UNJUDGED.removesuffix(" yet"),
        *(words.verdict(name).split()[0] for name in get_args(Verdict)),
        *OTHERS,
    ],
)
def test_every_word_that_stands_for_a_state_is_explained(word):
    said = "\n".join(f"{name}  {meaning}" for name, meaning in WORDS)
    assert re.search(rf"(?<!\w){re.escape(word)}(?!\w)", said), word


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("charset", ["braille", "ascii"])
def test_no_explanation_is_cut(width, charset):
    shown = text(width, theme=Theme(charset=charset))
    assert all(meaning in shown for _, meaning in WORDS)
    assert "finish, abort" in shown


def test_on_the_least_terminal_every_word_is_there_and_how_much_more_there_is():
    state, said = ScreenState(help=True), []
    for _ in range(200):
        rows = ["".join(text for text, _ in row) for row in help_rows(60, 16, state)]
        assert len(rows) == 16
        said += [row for row in rows[1:-1] if row not in said]
        moved = help_scrolled("load_down", state, 60, 16)
        if moved == state:
            break
        assert re.search(r"rows \d+-\d+ of \d+   ↓ pgdn \d+ more rows", rows[-1]), rows[-1]
        state = moved
    assert re.search(r"rows \d+-(\d+) of \1   ↑ pgup back: this is the end", rows[-1]), rows[-1]
    words = " ".join(" ".join(said).split())
    for _, meaning in WORDS:
        assert meaning in words


@pytest.mark.parametrize("view", VIEWS)
def test_a_key_that_another_view_alone_has_is_in_the_help_too_with_the_digits_of_these(view):
    shown = text(80, view=view)
    for row in KEYS:
        if row.views and row.help:
            (line,) = [line for line in shown.splitlines() if line.strip().startswith(f"{row.shown}  ")]
            digits = "".join(str(VIEWS.index(name) + 1) for name in row.views)
            assert f"(in {digits})" in line or view in row.views


def test_the_heavy_piece_of_the_time_axis_is_explained():
    text = "\n".join("".join(part for part, _ in row) for row in help_rows(80, 120, ScreenState()))
    assert "thick axis  the time that is measured; green: steady, amber: drifting" in text


def test_pages_and_the_ends_reach_all_of_a_help_that_is_longer_than_the_terminal():
    state, seen = ScreenState(help=True), set()
    everything = set(text(80).splitlines()[1:]) - {" " * 80}
    while True:
        rows = ["".join(text for text, _ in row) for row in help_rows(80, 24, state)]
        seen |= set(rows[1:-1])
        after = help_scrolled("page_next", state, 80, 24)
        if after == state:
            break
        state = after
    assert seen == everything
    assert help_scrolled("to_end", ScreenState(help=True), 80, 24) == state
    assert help_scrolled("to_start", state, 80, 24) == ScreenState(help=True)


def test_a_help_that_fits_says_nothing_of_more():
    assert "more" not in text(80, 200).splitlines()[-1]
    assert "rows 1-" not in text(80, 200)
