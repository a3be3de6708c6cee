"""The help: every key, those of the view that is shown first, and how to read the screen.

It scrolls where it is longer than the terminal.
"""

from __future__ import annotations

from dataclasses import replace
from textwrap import wrap

from tui.controls.keys import Key
from tui.controls.screen_state import ScreenState
from tui.draw.rows import Field, Row, Span, chosen, fitted, width_of
from tui.draw.theme import Theme
from tui.views.help_words import WORDS

_STEPS = {
    "load_up": -1,
    "load_down": 1,
    "row_previous": -1,
    "row_next": 1,
    "page_previous": -10,
    "page_next": 10,
}
_ARROWS = (("↑", "up"), ("↓", "down"), ("←", "left"), ("→", "right"))


def help_rows(width: int, height: int, state: ScreenState) -> list[Row]:
    """Exactly `height` rows, from `state.help_row` on."""
    body = _body(width, height, state)
    first = min(state.help_row, _most(width, height, state))
    left = len(body) - first - (height - 1)
    more = f"{left} more: down" if left > 0 else ""
    if more and state.theme.ascii_only is False:
        more = f"↓ {left} more rows"
    hidden = first < _words_row(width, height, state)
    closes = f"esc{'' if hidden else ' ?'} closes"
    fields = [
        Field(0, (" ttftop", "name"), ("  keys", "strong")),
        Field(1, ("?", "key"), (" the words", "warn")) if hidden else Field(9),
        Field(3, (f"{closes}; another key acts", "dim")),
        Field(0, (more, "warn")),
    ]
    head = chosen(fields, width, gap=3)
    shown = body[first : first + height - 1]
    return ([fitted(head, width), *shown] + [fitted([], width)] * height)[:height]


def help_scrolled(action: str, state: ScreenState, width: int, height: int) -> ScreenState | None:
    """After a key while the help is open that moves in it or closes it; None for any other. The key of the
    help goes on to the words, where they are not to be seen yet."""
    if not state.help:
        return None
    if action == "help":
        words = _words_row(width, height, state)
        return replace(state, help=state.help_row < words, help_row=max(words, state.help_row))
    if action not in _STEPS:
        return None
    row = min(max(state.help_row + _STEPS[action], 0), _most(width, height, state))
    return replace(state, help_row=row)


def _words_row(width: int, height: int, state: ScreenState) -> int:
    """From where on the words are to be seen; 0 where they are from the beginning."""
    most = _most(width, height, state)
    return min(len(_keys(state, width)), most)


def _most(width: int, height: int, state: ScreenState) -> int:
    """The furthest that the help can be scrolled."""
    return max(len(_body(width, height, state)) - (height - 1), 0)


def _body(width: int, height: int, state: ScreenState) -> list[Row]:
    """In as many columns as the terminal has room for, and no more than are needed."""
    entries = _keys(state, width) + _words(state, width)
    cell = max(map(width_of, entries)) + 1
    across = max(min(-(-len(entries) // max(height - 1, 1)), width // cell), 1)
    deep = -(-len(entries) // across)
    cell = width // across
    return [
        fitted([run for j in range(across) for run in fitted(_at(entries, i + j * deep), cell)], width)
        for i in range(deep)
    ]


def _keys(state: ScreenState, width: int) -> list[list[Span]]:
    rows = [row for row in state.keymap if row.help]
    own = [row for row in rows if state.view in row.views]
    common = [row for row in rows if not row.views and row.action != "help"]
    return [line for row in (*own, *common) for line in _wrapped(_key(row, state.theme), width)]


def _words(state: ScreenState, width: int) -> list[list[Span]]:
    met = f"{state.theme.glyph('met')} {state.theme.glyph('missed')}"
    entries: list[list[Span]] = [
        [(f" {met if name == '✓ ✗' else name:>13}  ", "title"), (words, "")] for name, words in WORDS
    ]
    return [line for entry in entries for line in _wrapped(entry, width)]


def _wrapped(entry: list[Span], width: int) -> list[list[Span]]:
    """In as many rows as its words take on a narrow terminal."""
    name, *said = entry
    room = width - width_of([name])
    if width_of(said) <= room:
        return [entry]
    first, *more = wrap("".join(text for text, _ in said), max(room, 1))
    return [[name, (first, "")], *([(" " * width_of([name]), ""), (line, "")] for line in more)]


def _key(row: Key, theme: Theme) -> list[Span]:
    shown = row.shown
    if theme.ascii_only:
        for arrow, word in _ARROWS:
            shown = shown.replace(arrow, word)
    where = "" if row.where == "both" else f" ({row.where})"
    return [(f" {shown:>13}  ", "key"), (row.help, ""), (where, "dim")]


def _at(entries: list[list[Span]], index: int) -> list[Span]:
    return entries[index] if index < len(entries) else []
