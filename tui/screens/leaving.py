"""What lies over another screen is left once, however many keys came together that leave it."""

from __future__ import annotations

from typing import TypeVar

from textual.screen import Screen

_Result = TypeVar("_Result")


def leave(screen: Screen[_Result], result: _Result | None) -> None:
    """Dismisses `screen` with `result`; nothing where it was left already: Textual would take away the one
    below, and tell the result again."""
    if screen.is_current:
        screen.dismiss(result)
