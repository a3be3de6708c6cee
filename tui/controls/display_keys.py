"""Keys that change nothing but what the screen shows: each from one state of it to the next. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tui.controls import theme_keys
from tui.controls.region_keys import after_key
from tui.controls.screen_state import ScreenState
from tui.controls.time_window import WINDOWS_S, window_label

Changed = tuple[ScreenState, str]
"""The state after the key, and a few words for the bottom row or none."""


def _region(state: ScreenState) -> Changed:
    span, said = after_key(state.region, state.playhead.at_ns)
    return replace(state, region=span), said


def _window(state: ScreenState) -> Changed:
    window_s = WINDOWS_S[(WINDOWS_S.index(state.window_s) + 1) % len(WINDOWS_S)]
    return replace(state, window_s=window_s), f"window {window_label(window_s)}"


def _align(state: ScreenState) -> Changed:
    if state.align == "load":
        return replace(state, align="time"), "the baseline as long after its load began"
    return replace(state, align="load"), "the baseline under the same load"


ACTIONS: Mapping[str, Callable[[ScreenState], Changed]] = {
    "region": _region,
    "align": _align,
    "window": _window,
    "log": lambda state: (replace(state, log=not state.log), ""),
    "details": lambda state: (replace(state, details=not state.details), ""),
    "help": lambda state: (replace(state, help=True, help_row=0), ""),
    **theme_keys.ACTIONS,
}
NEW_SCALES = ("window", "log", "align")
"""After these, the scales of the charts are found anew."""
