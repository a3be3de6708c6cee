"""The help: every key, those of the view that is shown first, and how to read the screen.

It scrolls where it is longer than the terminal.
"""

from __future__ import annotations

from dataclasses import replace
from textwrap import wrap

from tui.controls.keys import VIEWS, Key
from tui.controls.screen_state import ScreenState
from tui.draw.rows import Field, Row, Span, chosen, fitted, width_of
from tui.draw.theme import Theme
from tui.views.help_words import WORDS

_STEPS = {
    "load_up": -1,
    "load_down": 1,
    "row_previous": -1,
    "row_next": 1,
}
_PAGES = {"page_previous": -1, "page_next": 1, "to_start": -1000, "to_end": 1000}
_ARROWS = (("↑", "up"), ("↓", "down"), ("←", "left"), ("→", "right"))


def help_rows(width: int, height: int, state: ScreenState) -> list[Row]:
    """Exactly `height` rows, from `state.help_row` on."""
    body = _body(width, height, state)
    first = min(state.help_row, _most(width, height, state))
    hidden = first < _words_row(width, height, state)
    closes = f"esc{'' if hidden else ' ?'} closes"
    fields = [
        Field(0, (" ttftop", "name"), ("  keys", "strong")),
        Field(1, ("?", "key"), (" the words", "warn")) if hidden else Field(9),
        Field(3, (f"{closes}; another key acts", "dim")),
    ]
    head = chosen(fields, width, gap=3)
    if not _most(width, height, state):
        return ([fitted(head, width), *body] + [fitted([], width)] * height)[:height]
    shown = body[first : first + _seen(height)]
    return [fitted(head, width), *shown, _more(first, len(body), width, height, state.theme)][:height]


def _more(first: int, rows: int, width: int, height: int, theme: Theme) -> Row:
    """The last row, where the eye ends: how much of it is seen, how much more there is and by which keys."""
    below, down, up = rows - first - _seen(height), *(("down", "up") if theme.ascii_only else ("↓", "↑"))
    where = f" rows {first + 1}-{rows - max(below, 0)} of {rows}"
    fields = [
        Field(2, (where, "dim")),
        Field(0, (f"{down} pgdn", "key"), (f" {below} more rows", "warn")) if below > 0 else Field(9),
        Field(1, (f"{up} pgup", "key"), (f" {first} above" if below > 0 else " back: this is the end", "dim"))
        if first
        else Field(9),
    ]
    return fitted(chosen(fields, width, gap=3), width)


def _seen(height: int) -> int:
    """Rows of it at once, where it scrolls: between the head and the row that says so."""
    return max(height - 2, 1)


def help_scrolled(action: str, state: ScreenState, width: int, height: int) -> ScreenState | None:
    """After a key while the help is open that moves in it or closes it; None for any other. The key of the
    help goes on to the words, where they are not to be seen yet."""
    if not state.help:
        return None
    if action == "help":
        words = _words_row(width, height, state)
        return replace(state, help=state.help_row < words, help_row=max(words, state.help_row))
    steps = _STEPS.get(action, 0) + _PAGES.get(action, 0) * max(_seen(height) - 1, 1)
    if not steps:
        return None
    row = min(max(state.help_row + steps, 0), _most(width, height, state))
    return replace(state, help_row=row)


def _words_row(width: int, height: int, state: ScreenState) -> int:
    """From where on the words are to be seen; 0 where they are from the beginning."""
    most = _most(width, height, state)
    return min(len(_keys(state, width)), most)


def _most(width: int, height: int, state: ScreenState) -> int:
    """The furthest that the help can be scrolled."""
    rows = len(_body(width, height, state))
    return rows - _seen(height) if rows > height - 1 else 0


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
    others = [row for row in rows if row.views and state.view not in row.views]
    entries = [_key(row, state.theme) for row in (*own, *common)]
    entries += [_key(row, state.theme, of=row.views) for row in others]
    return [line for entry in entries for line in _wrapped(entry, width)]


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


def _key(row: Key, theme: Theme, of: tuple[str, ...] = ()) -> list[Span]:
    """`of`: the views that alone have it, where it is of another than the one shown."""
    shown = row.shown
    if theme.ascii_only:
        for arrow, word in _ARROWS:
            shown = shown.replace(arrow, word)
    where = "" if row.where == "both" else f" ({row.where})"
    if of:
        digits = "".join(str(VIEWS.index(name) + 1) for name in of)
        words = row.help.partition(":")[0].partition(" (")[0]
        return [(f" {shown:>13}  ", "key"), (words, ""), (f" (in {digits})", "dim")]
    return [(f" {shown:>13}  ", "key"), (row.help, ""), (where, "dim")]


def _at(entries: list[list[Span]], index: int) -> list[Span]:
    return entries[index] if index < len(entries) else []
