"""The keys as a person wants them: the table of `tui.controls.keys` with some actions on other keys. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tui.controls.keys import KEYS, Key

NAMES = (
    *("up", "down", "left", "right", "home", "end", "pageup", "pagedown"),
    *("tab", "enter", "space", "backspace", "delete", "insert"),
    *(f"f{number}" for number in range(1, 13)),
)
"""Keys that write nothing; `shift+` and `ctrl+` may stand before them."""
RESERVED = ("escape", "ctrl+c", "ctrl+z", "ctrl+q")
"""They close, leave and suspend whatever a person has set."""
_SHOWN = {
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "question_mark": "?",
}


class KeymapError(Exception):
    """One line; `action` is where it stands in a table."""

    def __init__(self, action: str, message: str) -> None:
        super().__init__(message)
        self.action = action


def actions() -> list[str]:
    """What a key may do, each once, in the order of the table."""
    return list(dict.fromkeys(row.action for row in KEYS))


def remapped(asked: Mapping[str, Sequence[str]], keys: tuple[Key, ...] = KEYS) -> tuple[Key, ...]:
    """`keys`, with those in `asked` in place of an action's own.

    Raises:
        KeymapError: an action or a key that there is none of, or a key that would do two things at once.
    """
    known = list(dict.fromkeys(row.action for row in keys))
    for action, names in asked.items():
        if action not in known:
            raise KeymapError(action, f"unknown action {action!r}{_near(action, known)}")
        for name in names:
            _check(action, name)
        if not names and action == "quit":
            raise KeymapError(action, "quit needs a key")
    rows: list[Key] = []
    for row in keys:
        names = row.keys
        if row.action in asked:
            always = tuple(name for name in row.keys if name in RESERVED)
            # A second row of the same action in the same views: its keys stand in the first.
            again = any(one.action == row.action and _same_views(one, row) for one in rows)
            names = () if again else tuple(dict.fromkeys((*asked[row.action], *always)))
        rows.append(replace(row, keys=names))
    _check_doubles(rows, asked)
    return _as_shown(rows, set(asked))


def _check(action: str, name: str) -> None:
    if name in RESERVED:
        raise KeymapError(action, f"{name} is taken: it always closes, leaves or suspends")
    plain = name.removeprefix("shift+").removeprefix("ctrl+").removeprefix("shift+")
    if len(name) == 1 and name.isprintable() and name != " ":
        return
    letter = name.startswith("ctrl+") and len(plain) == 1 and plain.isascii() and plain.isalpha()
    if letter or plain in NAMES:
        return
    near = _near(name, NAMES) or f", need a character or one of {', '.join(NAMES)}"
    raise KeymapError(action, f"unknown key {name!r}{near}")


def _near(word: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean {found[0]}?" if found else ""


def _check_doubles(rows: Sequence[Key], asked: Mapping[str, Sequence[str]]) -> None:
    """A view's own key stands before that of all views: that is no double."""
    order = list(asked)

    def asked_last(action: str) -> int:
        return order.index(action) if action in asked else -1

    for i, one in enumerate(rows):
        for other in rows[i + 1 :]:
            if one.action == other.action or not _meet(one, other):
                continue
            for name in one.keys:
                if name in other.keys:
                    # Told of what was asked for, and of two that were, the later.
                    pair = sorted((one.action, other.action), key=asked_last)
                    mine, rest = pair[1], pair[0]
                    raise KeymapError(mine, f"{name!r} is the key of {rest} too: give one of them another")


def _meet(one: Key, other: Key) -> bool:
    """Both may be meant by one press."""
    if "both" not in (one.where, other.where) and one.where != other.where:
        return False
    return _same_views(one, other)


def _same_views(one: Key, other: Key) -> bool:
    return (not one.views and not other.views) or not set(one.views).isdisjoint(other.views)


def _as_shown(rows: Sequence[Key], asked: set[str]) -> tuple[Key, ...]:
    """Rows that the help shows say their keys, and those of the rows after them which they speak for."""
    out: list[Key] = list(rows)
    for i, row in enumerate(rows):
        if not row.help:
            continue
        group = [row]
        for after in rows[i + 1 :]:
            if after.help:
                break
            group.append(after)
        if any(one.action in asked for one in group):
            names = dict.fromkeys(name for one in group for name in one.keys if name not in RESERVED)
            out[i] = replace(row, shown=" ".join(_SHOWN.get(name, name) for name in names))
    return tuple(out)
