"""The command palette: every action by its words, and which of them fit what is typed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tui.controls.keys import Key
from tui.draw.theme_names import THEMES

_NOT_LISTED = ("palette",)


class Entry(NamedTuple):
    action: str
    title: str
    """The action in words."""
    hint: str
    """What the help says of it."""
    keys: str


def entries(keymap: Sequence[Key], view: str, *, live: bool) -> list[Entry]:
    """What can be done now, in the order of the key table; then each theme by its name."""
    here = "live" if live else "replay"
    found: dict[str, Entry] = {}
    hint = ""
    for row in keymap:
        hint = row.help or hint
        if row.where not in ("both", here) or (row.views and view not in row.views):
            continue
        if row.action in _NOT_LISTED:
            continue
        before = found.get(row.action)
        keys = " ".join(dict.fromkeys((before.keys if before else "").split() + list(row.keys)))
        title = row.action.replace("_", " ")
        about = "" if row.action.startswith("view_") else hint
        found[row.action] = before._replace(keys=keys) if before else Entry(row.action, title, about, keys)
    themes = [Entry(f"theme_{name}", f"theme {name}", "colours", "") for name in THEMES]
    return [*found.values(), *themes]


def matching(among: Sequence[Entry], typed: str) -> list[Entry]:
    """Those whose title, or else hint, has the letters of `typed` in their order; the nearest first."""
    wanted = "".join(typed.lower().split())
    if not wanted:
        return list(among)
    ranked = [(rank, i) for i, entry in enumerate(among) if (rank := _rank(entry, wanted)) is not None]
    return [among[i] for _, i in sorted(ranked)]


def _rank(entry: Entry, wanted: str) -> tuple[int, int] | None:
    """Lower is nearer: a word that begins so, letters side by side, letters apart; None where none are."""
    title = entry.title.lower()
    plain = title.replace(" ", "")
    if any(start.startswith(wanted) for start in _from_each_word(title)):
        return 0, plain.find(wanted)
    if wanted in plain:
        return 1, plain.find(wanted)
    hint = entry.hint.lower()
    if wanted in hint.replace(" ", ""):
        return 2, hint.find(wanted)
    spread = _spread(plain, wanted)
    return None if spread is None else (3, spread)


def _from_each_word(title: str) -> Iterator[str]:
    words = title.split()
    return ("".join(words[i:]) for i in range(len(words)))


def _spread(text: str, wanted: str) -> int | None:
    """How many letters stand between those of `wanted` in `text`; None where they are not there in order."""
    at, first = -1, None
    for letter in wanted:
        at = text.find(letter, at + 1)
        if at < 0:
            return None
        first = at if first is None else first
    return at - (first or 0) - len(wanted) + 1
