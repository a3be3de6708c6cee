"""Keys as a person has set them: what takes the place of what, and what is refused."""

from __future__ import annotations

import pytest

from tui.controls.keymap import KeymapError, actions, remapped
from tui.controls.keys import KEYS, Key, action_for, short_name
from tui.controls.screen_state import ScreenState
from tui.draw.theme import Theme
from tui.panels.footer import bottom
from tui.views.help import help_rows


def text(row: list[tuple[str, str]]) -> str:
    return "".join(part for part, _ in row)


def test_nothing_asked_is_the_table_as_it_is():
    assert remapped({}) == KEYS


def test_an_action_moves_to_the_keys_asked_and_leaves_its_own():
    keymap = remapped({"mark": ["f5", "c"]})
    assert action_for("f5", None, True, keymap=keymap) == "mark"
    assert action_for("c", "c", True, keymap=keymap) == "mark"
    assert action_for("m", "m", True, keymap=keymap) is None


def test_a_key_that_another_action_has_given_up_may_be_taken():
    keymap = remapped({"stop": ["m"], "mark": ["x"]})
    assert (action_for("m", "m", True, keymap=keymap), action_for("x", "x", True, keymap=keymap)) == (
        "stop",
        "mark",
    )


@pytest.mark.parametrize(
    ("asked", "action", "message"),
    [
        ({"mark": ["x"]}, "mark", "'x' is the key of stop too: give one of them another"),
        ({"stop": ["f7"], "mark": ["f7"]}, "mark", "'f7' is the key of stop too"),
        ({"mrak": ["x"]}, "mrak", "unknown action 'mrak', did you mean mark?"),
        ({"mark": ["pgup"]}, "mark", "unknown key 'pgup', did you mean pageup?"),
        ({"mark": ["ctrl+alt+x"]}, "mark", "unknown key 'ctrl+alt+x'"),
        ({"mark": [""]}, "mark", "unknown key ''"),
        ({"mark": [" "]}, "mark", "unknown key ' '"),
        ({"mark": ["\x1b"]}, "mark", "unknown key"),
        ({"mark": ["escape"]}, "mark", "escape is taken"),
        ({"mark": ["ctrl+c"]}, "mark", "ctrl+c is taken"),
        ({"quit": []}, "quit", "quit needs a key"),
    ],
)
def test_what_cannot_be_is_refused_and_says_where(asked, action, message):
    with pytest.raises(KeymapError) as refused:
        remapped(asked)
    assert refused.value.action == action
    assert str(refused.value).startswith(message)


def test_the_table_itself_has_no_key_twice():
    """Each action asked for as it is: what a view or the live run alone has, stands before the others."""
    for action in actions():
        remapped(
            {
                action: [
                    name for row in KEYS if row.action == action for name in row.keys if "ctrl" not in name
                ]
            }
        )


def test_leaving_never_loses_the_keys_that_always_leave():
    keymap = remapped({"quit": ["Z"]})
    assert [action_for(name, None, True, keymap=keymap) for name in ("Z", "ctrl+c")] == ["quit", "quit"]
    assert action_for("q", "q", True, keymap=keymap) is None


def test_an_action_without_keys_is_off():
    assert action_for("x", "x", True, keymap=remapped({"stop": []})) is None


def test_an_action_of_several_views_moves_in_each_of_them():
    rows = (
        Key(("enter",), "open", "go", "enter", views=("events",)),
        Key(("enter",), "open", "look", "enter", views=("requests",)),
        Key(("o",), "other", "", "o"),
    )
    assert [row.keys for row in remapped({"open": ["f2"]}, rows)] == [("f2",), ("f2",), ("o",)]


def test_help_and_bottom_row_show_the_keys_as_they_are_set():
    keymap = remapped({"mark": ["f5"], "load_up": ["u"]})
    state = ScreenState(Theme(), keymap=keymap)
    shown = [text(row) for row in help_rows(120, 60, state)]
    assert any(row.strip().startswith("f5 ") and "set a mark" in row for row in shown)
    assert any(row.strip().startswith("u ↓ j ") for row in shown)
    assert "f5 mark" in text(bottom(state, 200, live=True))
    assert (short_name("load_up"), short_name("load_up", keymap)) == ("↑↓", "u ↓ j")
