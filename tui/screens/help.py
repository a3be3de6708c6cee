"""The help overlay."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen

from tui.draw.theme import Look
from tui.screens.canvas import Canvas
from tui.views.help import help_rows


class HelpScreen(Screen[None]):
    """Any key goes back. The run and its screen go on beneath."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look

    def compose(self) -> ComposeResult:
        yield Canvas(self._look)

    def on_resize(self, event: events.Resize) -> None:
        self.query_one(Canvas).show(help_rows(event.size.width, event.size.height, self._look))

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        self.dismiss(None)
