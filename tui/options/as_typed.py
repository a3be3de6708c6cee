"""An option as a person typed it, for an error that is not about its value alone."""

from __future__ import annotations

import argparse

from tui.options.exit_codes import one_line

_MOST = 120
_UNTOLD = ("--header", "--target", "--proxy", "--body")
"""Options whose value may be a secret, or hold one, however it looks: it is not repeated."""


def got_by(options: argparse.Namespace, name: str) -> str:
    """`--rate: got '3'`; without a value where none was typed, as of what a plan or a session says, or where
    it may be a secret.

    `name`: the option as it is typed, or as `options` name it where that is the same word.
    """
    flag = name if name.startswith("-") else f"--{name.replace('_', '-')}"
    if flag in _UNTOLD:
        return flag
    words: list[str] = getattr(options, "typed", [])
    for at, word in reversed(list(enumerate(words))):
        here, equals, value = word.partition("=")
        if here != flag:
            continue
        if not equals:
            value = words[at + 1] if at + 1 < len(words) else ""
        if value and (equals or not value.startswith("-")):
            return f"{flag}: got {one_line(value)[:_MOST]!r}"
    return flag
