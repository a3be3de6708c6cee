"""Textual's list of options with lines of our own making: each a row, of which only what changed is sent."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.draw.rows import Row, fitted
from tui.draw.text import masked
from tui.draw.theme import Theme, in_ascii


class RowList(OptionList):
    """Cursor, scrolling and pages are Textual's; no text is ever taken for markup."""

    highlighted: reactive[int | None] = reactive(None, repaint=False)
    _mouse_hovering_over: reactive[int | None] = reactive(None, repaint=False)

    def __init__(self, theme: Theme, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, compact=True)
        self._theme = theme
        self._styles_of = theme.styles()
        self._rows: list[Row] = []
        self._drawn_at: int | None = None

    @property
    def text(self) -> list[str]:
        """What the list holds, without styles."""
        return ["".join(part for part, _ in row) for row in self._rows]

    def show(self, rows: Sequence[Row], can_open: Sequence[bool], at: int | None, *, anew: bool) -> None:
        """Takes `rows`; the cursor goes to line `at`. `anew`: they are others than before."""
        new = [self._clean(row) for row in rows]
        old, self._rows = self._rows, new
        if anew or len(new) != len(old):
            top = self.scroll_offset.y
            self.set_options([Option(" ", disabled=not can) for can in can_open])
            self.highlighted = at
            self.scroll_to(y=top, animate=False, immediate=True)
            self.scroll_to_highlight()
            self.refresh()
            return
        for line, (before, after) in enumerate(zip(old, new, strict=True)):
            if before != after:
                self._refresh_line(line)
        if at != self.highlighted:
            self.highlighted = at

    def _clean(self, row: Row) -> Row:
        if self._theme.ascii_only:
            return [(in_ascii(masked(text)), role) for text, role in row]
        return [(masked(text), role) for text, role in row]

    def watch_highlighted(self, highlighted: int | None) -> None:
        top = self.scroll_offset.y
        super().watch_highlighted(highlighted)
        if self.scroll_offset.y == top:  # a list that is scrolled is drawn anew by that
            for line in (self._drawn_at, highlighted):
                self._refresh_line(line)
        self._drawn_at = highlighted

    def _refresh_line(self, line: int | None) -> None:
        if line is not None:
            self.refresh(Region(0, line - self.scroll_offset.y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        line = self.scroll_offset.y + y
        if line >= len(self._rows):
            return Strip.blank(width, Style.null())
        row = fitted(self._rows[line], width)
        if line == self.highlighted:
            row = [("".join(text for text, _ in row), "cursor")]
        strip = Strip([Segment(text, self._styles_of[role]) for text, role in row], width)
        return strip.apply_meta({"option": line})  # by which Textual knows what was clicked
