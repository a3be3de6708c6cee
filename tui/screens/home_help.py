"""The help of the home screen: its keys, and what its words mean; any key closes it."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen

from tui.draw.theme import Theme
from tui.screens.canvas import Canvas
from tui.screens.leaving import leave
from tui.views.home_help import help_rows


class HomeHelp(Screen[None]):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme

    def compose(self) -> ComposeResult:
        yield Canvas(self._theme)

    def on_resize(self, event: events.Resize) -> None:
        self.query_one(Canvas).show(help_rows(*event.size))

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        leave(self, None)
