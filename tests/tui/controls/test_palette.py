"""The command palette: what it lists, and what fits what is typed."""

from __future__ import annotations

import pytest

from tui.controls.keymap import actions, remapped
from tui.controls.keys import KEYS, VIEWS
from tui.controls.palette import Entry, entries, matching
from tui.draw.theme_names import THEMES


def test_live_and_replay_together_list_every_action_of_the_table():
    listed = {
        entry.action for view in VIEWS for live in (True, False) for entry in entries(KEYS, view, live=live)
    }
    assert listed == {*actions(), *(f"theme_{name}" for name in THEMES)} - {"palette"}


def test_what_cannot_be_done_here_is_not_listed():
    replay = {entry.action for entry in entries(KEYS, "overview", live=False)}
    assert "load_up" not in replay
    assert "row_next" not in replay
    assert "play" in replay


def test_an_action_says_its_keys_as_they_are_set():
    listed = {
        entry.action: entry.keys for entry in entries(remapped({"mark": ["f5"]}), "overview", live=True)
    }
    assert listed["mark"] == "f5"


def test_a_key_of_two_rows_of_one_action_is_named_once():
    for view in VIEWS:
        for entry in entries(KEYS, view, live=True):
            assert len(set(entry.keys.split())) == len(entry.keys.split())


AMONG = [
    Entry("a", "load up", "one step more load", "k"),
    Entry("b", "theme light", "colours", ""),
    Entry("c", "log", "latency scale", "l"),
    Entry("d", "hold", "holds", "space"),
]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("", "abcd"),
        ("lo", "ac"),  # words that begin so, before letters that are apart
        ("light", "b"),
        ("LIGHT ", "b"),
        ("theme l", "b"),
        ("tl", "b"),
        ("scale", "c"),
        ("old", "d"),
        ("zz", ""),
    ],
)
def test_letters_in_their_order_fit_and_the_nearest_stand_first(typed, found):
    assert [entry.action for entry in matching(AMONG, typed)][: len(found) or None] == list(found)
