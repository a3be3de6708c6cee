"""The bottom row: the keys, or a message, or a line being typed, or the question how to leave."""

from __future__ import annotations

from collections.abc import Collection

from tui.controls import keys
from tui.controls.screen_state import ScreenState
from tui.draw.rows import Field, Row, Span, chosen, fitted
from tui.draw.text import safe
from tui.draw.theme import in_ascii

_LAST_TO_GO = {"help": 0, "quit": 0, "to_end": 0, "load_up": 1, "hold": 1, "stop": 1, "view_overview": 1}
"""Ranks of the keys that no view's own ones push out: how the load is stopped is to be seen in each."""
_ASCII_KEYS = {"↑↓": "kj", "←→": "<-/->"}


def bottom(screen_state: ScreenState, width: int, *, live: bool, idle: Collection[str] = ()) -> Row:
    """`idle`: actions of the view that would do nothing now; they are not shown."""
    if screen_state.prompt is not None:
        prompt = screen_state.prompt
        text = prompt.text + " "
        error: list[Span] = [("  " + safe(screen_state.notice, 120), "bad")] if screen_state.notice else []
        said = in_ascii(prompt.said) if screen_state.theme.ascii_only else prompt.said.replace("->", "→")
        hint: list[Span] = [] if error else [(f"  {said}", "strong")] if said else []
        hint += [] if error else [("   enter: apply  esc: cancel", "dim")]
        return fitted(
            [
                (f" {prompt.label} ", "prompt"),
                (text[: prompt.cursor], "strong"),
                (text[prompt.cursor], "cursor"),
                (text[prompt.cursor + 1 :], "strong"),
                *error,
                *hint,
            ],
            width,
        )
    if screen_state.question:
        return fitted(_question(screen_state.question, long=width >= 80), width)
    if screen_state.notice:
        return fitted(
            [(" " + safe(screen_state.notice, 200), "bad" if screen_state.notice_bad else "strong")], width
        )
    if screen_state.finishing:
        return fitted(_finishing(long=width >= 80), width)
    return fitted([(" ", ""), *key_row(width - 1, screen_state, live=live, idle=idle)], width)


def _question(which: str, *, long: bool) -> Row:
    leaves = which == "leave"
    return [
        (" Leave?" if leaves else " End the run, for all who look on?", "warn"),
        *_choice("f", "finish and save" if long else "finish"),
        *(_choice("d", "detach, keep running" if long else "detach") if leaves else []),
        *_choice("a", "abort now" if long else "abort"),
        *_choice("esc", "stay"),
    ]


def _finishing(*, long: bool) -> Row:
    return [
        (" Finishing:", "warn"),
        *_choice("a", "cut off what is in flight" if long else "cut off"),
        *_choice("q", "leave, it ends by itself" if long else "leave"),
    ]


def _choice(key: str, words: str) -> list[Span]:
    return [("  ", ""), (key, "key"), (" " + words, "dim")]


def key_row(width: int, screen_state: ScreenState, *, live: bool, idle: Collection[str] = ()) -> Row:
    fields = []
    past = live and not screen_state.playhead.following
    common: tuple[str, ...] = keys.PAST_FOOTER if past else keys.LIVE_FOOTER if live else keys.REPLAY_FOOTER
    if screen_state.view != keys.VIEWS[0]:  # a view says above itself where the others are
        common = tuple(action for action in common if action != "view_overview")
    shown = (*(action for action in keys.own_of(screen_state.view) if action not in idle), *common)
    for rank, action in enumerate(shown):
        row = keys.action_row(action, screen_state.keymap)
        name = keys.short_name(action, screen_state.keymap)
        if screen_state.theme.ascii_only:
            name = _ASCII_KEYS.get(name, name)
        word = row.footer
        if action == "hold" and screen_state.paused:
            word = "resume"
        elif action == "log" and screen_state.log:
            word = "lin"
        elif screen_state.theme.ascii_only:
            word = word.lstrip("±")
        role = "warn" if action == "to_end" else "dim"
        fields.append(Field(_LAST_TO_GO.get(action, rank + 2), (name, "key"), (" " + word, role)))
    return chosen(fields, width)
