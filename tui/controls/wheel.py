"""What turning the mouse's wheel means. Pure."""

from __future__ import annotations

from tui.controls.screen_state import ScreenState


def wheel_action(way: str, state: ScreenState) -> str | None:
    """`up` or `down`, as an action of the key table; None while something is typed, asked or read.

    Through the rows of a list, else through time: never the load.
    """
    if state.prompt is not None or state.question or state.help:
        return None
    if any(row.action == "row_next" and state.view in row.views for row in state.keymap):
        return "row_next" if way == "down" else "row_previous"
    return "forward" if way == "down" else "back"
