"""Keys that do something with the screen of a session as a whole: the palette over it, its picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events
from textual.screen import Screen

from sessions.store.directory import default_root
from tui.controls.palette import entries
from tui.controls.session_source import SessionSource
from tui.draw.numbers import clock
from tui.screens.canvas import Canvas
from tui.screens.export import export
from tui.screens.palette import PaletteScreen

if TYPE_CHECKING:
    from tui.screens.session import SessionScreen


def taken_by_palette(shown: Screen[object], event: events.Key) -> bool:
    """Whether a key that came to the screen below is the palette's: it was typed at once with the one that
    opened it."""
    if not isinstance(shown, PaletteScreen):
        return False
    shown.take(event.key, event.character)
    return True


def _palette(screen: SessionScreen, source: SessionSource) -> tuple[str, bool]:
    def chosen(action: str | None) -> None:
        if action is not None:
            screen.act(action)

    state = screen.screen_state
    listed = entries(state.keymap, state.view, live=source.live)
    screen.app.push_screen(PaletteScreen(listed, state.theme), chosen)
    return "", False


def _export(screen: SessionScreen, source: SessionSource) -> tuple[str, bool]:
    state = screen.screen_state
    beside = [canvas.rows for canvas in screen.query(Canvas)]
    rows = [[run for part in parts for run in part] for parts in zip(*beside, strict=False)]
    at = clock(max(state.playhead.at_ns - source.first_ns, 0)).replace(":", "")
    name = f"{screen.app.title}-{state.view}-{at}"
    root = default_root()
    try:
        return export(rows, state.theme, name, [Path(), *([root] if root is not None else [])]), False
    except OSError as error:
        return f"not saved: {error.strerror}", True


ACTIONS: Mapping[str, Callable[[SessionScreen, SessionSource], tuple[str, bool]]] = {
    "palette": _palette,
    "export": _export,
}
"""What each does with a screen; a few words to say of it, and whether they are bad news."""
