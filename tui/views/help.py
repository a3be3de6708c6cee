"""The help: every key, those of the view that is shown first, and how to read the screen.

It scrolls where it is longer than the terminal.
"""

from __future__ import annotations

from dataclasses import replace

from tui.controls.keys import Key
from tui.controls.screen_state import ScreenState
from tui.draw.rows import Row, Span, fitted
from tui.draw.theme import Theme

_READING: tuple[tuple[str, str], ...] = (
    ("TTFT", "time to first token, counted from when the request was due"),
    ("ITL", "time between tokens of a stream (CHUNK GAP: chunks of several)"),
    ("p50 p95 p99", "solid area up to p50, second tone up to p95, dots at p99"),
    ("~ <250", "~, grey: too few samples; <250: 250 at most"),
    ("✓ ✗", "a target is held, or missed; what is above it is warm"),
    ("REQ/S", "offered and sent: where they part, something held back"),
    ("IDLE? skew", "a GPU unlike the others that share its load"),
    ("means of 3s", "the figures behind the limit are means of the last 3 s"),
    ("stale", "kept-alive connections found closed: sent again, not an error"),
    ("SATURATED", "CLIENT SATURATED: the figures are this client's own limit"),
)
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
    more = f"   {left} more rows: down" if left > 0 else ""
    if more and state.theme.ascii_only is False:
        more = f"   ↓ {left} more rows"
    head: Row = [
        (" ttftop", "name"),
        ("  keys", "strong"),
        ("   esc ? closes; another key acts", "dim"),
        (more, "warn"),
    ]
    shown = body[first : first + height - 1]
    return ([fitted(head, width), *shown] + [fitted([], width)] * height)[:height]


def help_scrolled(action: str, state: ScreenState, width: int, height: int) -> ScreenState | None:
    """After a key while the help is open that moves in it or closes it; None for any other."""
    if not state.help:
        return None
    if action == "help":
        return replace(state, help=False)
    if action not in _STEPS:
        return None
    row = min(max(state.help_row + _STEPS[action], 0), _most(width, height, state))
    return replace(state, help_row=row)


def _most(width: int, height: int, state: ScreenState) -> int:
    """The furthest that the help can be scrolled."""
    return max(len(_body(width, height, state)) - (height - 1), 0)


def _body(width: int, height: int, state: ScreenState) -> list[Row]:
    """In as many columns as the terminal has room for, and no more than are needed."""
    entries = _entries(state)
    across = max(min(-(-len(entries) // max(height - 1, 1)), width // 60), 1)
    deep = -(-len(entries) // across)
    cell = width // across
    return [
        fitted([run for j in range(across) for run in fitted(_at(entries, i + j * deep), cell)], width)
        for i in range(deep)
    ]


def _entries(state: ScreenState) -> list[list[Span]]:
    rows = [row for row in state.keymap if row.help]
    own = [row for row in rows if state.view in row.views]
    common = [row for row in rows if not row.views and row.action != "help"]
    entries = [_key(row, state.theme) for row in (*own, *common)]
    met = f"{state.theme.glyph('met')} {state.theme.glyph('missed')}"
    return entries + [
        [(f" {met if name == '✓ ✗' else name:>13}  ", "title"), (words, "")] for name, words in _READING
    ]


def _key(row: Key, theme: Theme) -> list[Span]:
    shown = row.shown
    if theme.ascii_only:
        for arrow, word in _ARROWS:
            shown = shown.replace(arrow, word)
    where = "" if row.where == "both" else f" ({row.where})"
    return [(f" {shown:>13}  ", "key"), (row.help, ""), (where, "dim")]


def _at(entries: list[list[Span]], index: int) -> list[Span]:
    return entries[index] if index < len(entries) else []
