"""What keys change of how the screen looks, whatever it shows. Pure."""

from __future__ import annotations

from dataclasses import replace

from tui.controls.screen_state import ScreenState
from tui.controls.time_window import WINDOWS_S, window_label
from tui.draw.theme_names import THEMES

ACTIONS = ("window", "log", "details", "help", "theme", *(f"theme_{name}" for name in THEMES))


def changed(action: str, state: ScreenState) -> tuple[ScreenState, str]:
    """After an action of `ACTIONS`; and a few words to say of it, empty where it shows by itself."""
    if action == "window":
        index = (WINDOWS_S.index(state.window_s) + 1) % len(WINDOWS_S)
        return replace(state, window_s=WINDOWS_S[index]), f"window {window_label(WINDOWS_S[index])}"
    if action == "log":
        return replace(state, log=not state.log), ""
    if action == "details":
        return replace(state, details=not state.details), ""
    if action == "help":
        return replace(state, help=True, help_row=0), ""
    return _in_theme(state, action.removeprefix("theme").removeprefix("_"))


def wheel_action(way: str, state: ScreenState) -> str | None:
    """What turning the mouse's wheel `up` or `down` does; None while something is typed, asked or read."""
    if state.prompt is not None or state.quitting or state.help:
        return None
    lists = any(row.action == "row_next" and state.view in row.views for row in state.keymap)
    if lists:
        return "row_next" if way == "down" else "row_previous"
    return "forward" if way == "down" else "back"


def _in_theme(state: ScreenState, name: str) -> tuple[ScreenState, str]:
    """In the theme of that name; without one, in the next."""
    if state.theme.colours == "none":
        return state, "no colours here: NO_COLOR, or a terminal without"
    palettes = [name for name in THEMES if name != "auto"]
    if not name:
        name = palettes[(palettes.index(state.theme.palette) + 1) % len(palettes)]
    few = " (16 colours here: all are the terminal's own)" if state.theme.colours == "16" else ""
    palette = state.auto_palette if name == "auto" else name
    return replace(state, theme=replace(state.theme, palette=palette)), f"theme {name}{few}"
