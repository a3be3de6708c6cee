"""Keys that change the colours: to the next theme, or from the palette to one by its name. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from tui.controls.screen_state import ScreenState
from tui.draw.theme_names import THEMES

PALETTES = tuple(name for name in THEMES if name != "auto")


def next_theme(state: ScreenState) -> tuple[ScreenState, str]:
    """The state in the next theme, and words that name it."""
    return in_theme(PALETTES[(PALETTES.index(state.theme.palette) + 1) % len(PALETTES)], state)


def in_theme(name: str, state: ScreenState) -> tuple[ScreenState, str]:
    """The state in the theme of that name, and words that name it; unchanged where there are no colours."""
    if state.theme.colours == "none":
        return state, "no colours here: NO_COLOR, or a terminal without"
    few = " (16 colours here: all are the terminal's own)" if state.theme.colours == "16" else ""
    palette = state.auto_palette if name == "auto" else name
    return replace(state, theme=replace(state.theme, palette=palette)), f"theme {name}{few}"


ACTIONS: Mapping[str, Callable[[ScreenState], tuple[ScreenState, str]]] = {
    "theme": next_theme,
    **{f"theme_{name}": partial(in_theme, name) for name in THEMES},
}
