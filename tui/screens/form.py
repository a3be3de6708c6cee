"""The form before a run: what is asked for, what it will come to, and the command that would do the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Input, Label

from telemetry.local_servers import LocalServer
from tui.controls.run_form import FIELDS, Checked, filled
from tui.draw.rows import fitted
from tui.draw.text import safe
from tui.draw.theme import Theme
from tui.screens.canvas import Canvas
from tui.screens.leaving import leave
from tui.views.home import foot_row, said_rows

KEYS = (("enter", "start"), ("tab", "next"), ("shift+tab", "previous"), ("esc", "back"))


class FormScreen(Screen[tuple[str, ...]]):
    """Gives the words of the command line that start the run, or None."""

    BINDINGS = [  # noqa: RUF012
        ("escape", "back", ""),
        Binding("ctrl+c", "back", priority=True),  # a field would copy
        ("down", "app.focus_next", ""),
        ("up", "app.focus_previous", ""),
    ]

    def __init__(
        self, server: LocalServer | None, check: Callable[[Mapping[str, str]], Checked], theme: Theme
    ) -> None:
        super().__init__()
        self._server, self._check, self._theme = server, check, theme

    def compose(self) -> ComposeResult:
        yield Canvas(self._theme, id="head")
        begins = filled(self._server)
        for field in FIELDS:
            with Horizontal(classes="field"):
                yield Label(f" {field.label:>18}  ", markup=False)
                yield Input(begins[field.name], placeholder=field.hint, id=field.name, compact=True)
        yield Canvas(self._theme, id="says")
        yield Canvas(self._theme, id="foot")

    def on_mount(self) -> None:
        self.query_one("#url" if self._server is None else "#rate", Input).focus()
        self._show()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    @property
    def values(self) -> dict[str, str]:
        return {field.name: self.query_one(f"#{field.name}", Input).value for field in FIELDS}

    def _show(self, *, started: bool = False) -> None:
        values, width = self.values, self.size.width
        name = "" if self._server is None else f"  {safe(self._server.name, 40)}"
        self.query_one("#head", Canvas).show(
            [fitted([(" ttftop", "name"), ("  what a run would do", "dim"), (name, "strong")], width)]
        )
        # Nothing is wrong yet with what nobody has typed.
        asks = [fitted([(" the URL at which the server answers", "dim")], width)]
        says = said_rows(self._check(values), width) if values["url"].strip() or started else asks
        self.query_one("#says", Canvas).show(says)
        self.query_one("#foot", Canvas).show([foot_row(width, KEYS)])

    def on_input_changed(self, _: Input.Changed) -> None:
        self._show()

    def on_input_submitted(self, _: Input.Submitted) -> None:
        checked = self._check(self.values)
        if checked.ok:
            leave(self, checked.words)
        else:
            self._show(started=True)
            self.app.bell()

    def action_back(self) -> None:
        leave(self, None)
