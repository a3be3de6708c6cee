"""A line that is typed: how it is edited, and what is asked of the run with it."""

from __future__ import annotations

import pytest

from sessions.run.commands import AddMark, Command, SetConcurrency, SetRate
from tui.controls.prompt import LIMIT, Listed, Prompt
from tui.controls.prompts import load_prompt, mark_prompt


def typed(prompt: Prompt, *keys: str) -> Prompt:
    for key in keys:
        prompt = prompt.after(key, key if len(key) == 1 else None)
    return prompt


def test_a_line_is_edited_where_its_cursor_stands() -> None:
    prompt = typed(load_prompt(closed_loop=False), *"125", "left", "backspace", ".", "home", "delete", "9")
    assert (prompt.text, prompt.cursor) == ("9.5", 1)
    assert typed(prompt, "ctrl+u").text == ".5"
    assert len(typed(prompt, *"1" * 200).text) == LIMIT


@pytest.mark.parametrize(
    ("prompt", "text", "command"),
    [
        (load_prompt(closed_loop=False), " 64.5 ", SetRate(64.5)),
        (load_prompt(closed_loop=True), "16", SetConcurrency(16)),
        (load_prompt(closed_loop=True), " ", None),
        (load_prompt(closed_loop=False), "", None),
        (mark_prompt(following=True), " warm now ", AddMark("warm now")),
        (mark_prompt(following=False), "", AddMark("")),
    ],
)
def test_what_was_typed_becomes_a_command(prompt: Prompt, text: str, command: Command | None) -> None:
    assert typed(prompt, *text).command() == command


@pytest.mark.parametrize(
    ("closed_loop", "text"),
    [
        (False, "64,5"),
        (False, "-1"),
        (False, "0"),
        (False, "nan"),
        (False, "inf"),
        (True, "1.5"),
        (True, "0"),
    ],
)
def test_what_is_no_load_is_said_with_what_is_allowed(closed_loop: bool, text: str) -> None:
    with pytest.raises(ValueError, match=f"got '{text}': need a .*number"):
        typed(load_prompt(closed_loop), *text).command()


def test_a_mark_set_while_the_past_is_shown_says_that_it_is_not_set_there() -> None:
    assert mark_prompt(following=True).label == "mark (words are optional):"
    assert mark_prompt(following=False).label == "mark now, not at the time shown (words are optional):"


def test_what_is_typed_leaves_those_of_a_list_that_have_all_its_words_and_keys_choose_among_them():
    listed = (Listed("a", "first run qwen"), Listed("b", "second llama"), Listed("c", "third run LLAMA"))
    prompt = Prompt("baseline", "with:", listed=listed)
    assert prompt.asks == "a", "the newest, where nothing is typed"
    assert typed(prompt, "down").asks == "b"
    assert typed(prompt, "down", "down", "down", "up").asks == "b"
    assert typed(prompt, "pagedown").asks == "c"
    llama = typed(prompt, *"llama")
    assert [one.asks for one in llama.found] == ["b", "c"]
    assert typed(llama, "tab").asks == "c"
    assert typed(llama, "tab", *" second").asks == "b", "what is typed begins at the first again"
    assert typed(prompt, *"nosuch").asks == "nosuch", "an older session, by its id"
    assert typed(prompt, *"nosuch", "down").asks == "nosuch"
    assert Prompt("rate", "rate:", "12", 2).asks == "12"
