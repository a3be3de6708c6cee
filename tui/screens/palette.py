"""The command palette over the screen: letters typed choose among all actions, enter does one."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList

from tui.controls.palette import Entry, matching
from tui.draw.rows import Row
from tui.draw.text import fit
from tui.draw.theme import Theme
from tui.screens.leaving import leave
from tui.screens.row_list import RowList

WIDTH = 76


class PaletteScreen(ModalScreen[str]):
    """Gives the action that was chosen, or None."""

    BINDINGS = [  # noqa: RUF012
        ("escape", "leave", ""),
        Binding("ctrl+c", "leave", priority=True),  # a field would copy
        ("ctrl+p", "leave", ""),
        ("down", "down", ""),
        ("up", "up", ""),
        ("pagedown", "page_down", ""),
        ("pageup", "page_up", ""),
    ]

    def __init__(self, entries: Sequence[Entry], theme: Theme) -> None:
        super().__init__()
        self._entries, self._theme = entries, theme
        self._found: list[Entry] = []
        self._early = ""
        self._left = False
        """Before it was there: its fields are gone, or will never be."""

    def take(self, key: str, character: str | None) -> None:
        """A key that was typed before this screen had the keyboard."""
        if key in ("escape", "ctrl+c", "ctrl+p"):
            self._left = not self.is_mounted
            leave(self, None)
        elif character is not None and character.isprintable():
            if self.is_mounted:
                self.query_one(Input).insert_text_at_cursor(character)
            else:
                self._early += character

    def compose(self) -> ComposeResult:
        with Vertical(id="palette"):
            yield Input(
                placeholder="what to do: type some of its letters", compact=True, select_on_focus=False
            )
            yield RowList(self._theme, id="found")

    def on_mount(self) -> None:
        if self._left:
            return
        self.query_one(RowList).can_focus = False
        if self._theme.ascii_only:
            self.query_one("#palette").styles.border = ("ascii", "ansi_bright_black")
        box = self.query_one(Input)
        box.focus()
        box.value = self._early
        box.cursor_position = len(self._early)
        self._show(self._early)

    def on_resize(self) -> None:
        if not self._left:
            self.call_after_refresh(self._show, self.query_one(Input).value)

    def _show(self, typed: str) -> None:
        listed = self.query_one(RowList)
        self._found = matching(self._entries, typed)
        width = listed.scrollable_content_region.width or WIDTH
        rows = [_row(entry, width) for entry in self._found]
        listed.show(rows, [True] * len(rows), 0 if rows else None, anew=True)

    def on_input_changed(self, event: Input.Changed) -> None:
        self._show(event.value)

    def on_input_submitted(self, _: Input.Submitted) -> None:
        at = self.query_one(RowList).highlighted
        leave(self, self._found[at].action if at is not None and at < len(self._found) else None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        leave(self, self._found[event.option_index].action)

    def action_leave(self) -> None:
        leave(self, None)

    def action_down(self) -> None:
        self.query_one(RowList).action_cursor_down()

    def action_up(self) -> None:
        self.query_one(RowList).action_cursor_up()

    def action_page_down(self) -> None:
        self.query_one(RowList).action_page_down()  # type: ignore[no-untyped-call]

    def action_page_up(self) -> None:
        self.query_one(RowList).action_page_up()  # type: ignore[no-untyped-call]


def _row(entry: Entry, width: int) -> Row:
    hint = max(width - 15 - len(entry.keys) - 2, 0)
    return [
        (" " + fit(entry.title, 14), "strong"),
        (fit(entry.hint, hint - 1) + " " if hint > 1 else "", "dim"),
        (fit(entry.keys, len(entry.keys)), "key"),
    ]
