"""The one widget of a screen: rows of runs, of which only what changed is sent to the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.draw.rows import Row, fitted
from tui.draw.text import masked
from tui.draw.theme import Theme, in_ascii


class Canvas(Widget, can_focus=False):
    """Draws the rows last given to `show`. Text is never taken for markup, nor for orders to the terminal."""

    def __init__(self, theme: Theme, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._rows: list[Row] = []
        self._theme: Theme | None = None
        self.theme = theme

    @property
    def theme(self) -> Theme:
        assert self._theme is not None
        return self._theme

    @theme.setter
    def theme(self, theme: Theme) -> None:
        if theme == self._theme:
            return
        self._theme = theme
        self.refresh()
        self._styles_of: dict[str, Style] = theme.styles()

    @property
    def rows(self) -> list[Row]:
        """What is shown."""
        return self._rows

    @property
    def text(self) -> list[str]:
        """What is shown, without styles."""
        return ["".join(part for part, _ in row) for row in self._rows]

    def show(self, rows: Sequence[Row]) -> int:
        """Takes `rows` to draw from now on; returns how many of them differ from the ones before."""
        new = [self._clean(row) for row in rows]
        changed = 0
        regions = []
        for y, row in enumerate(new):
            old = self._rows[y] if y < len(self._rows) else []
            if row != old:
                changed += 1
                start, end = _changed_span(old, row)
                regions.append(Region(start, y, end - start, 1))
        whole = len(new) != len(self._rows)
        self._rows = new
        if whole:
            self.refresh()
        elif regions:
            self.refresh(*regions)
        return changed

    def _clean(self, row: Row) -> Row:
        if self.theme.ascii_only:
            return [(in_ascii(masked(text)), role) for text, role in row]
        return [(masked(text), role) for text, role in row]

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        row = self._rows[y] if y < len(self._rows) else []
        styles = self._styles_of
        return Strip([Segment(text, styles[role]) for text, role in fitted(row, width)], width)


def _changed_span(old: Row, new: Row) -> tuple[int, int]:
    """The first and (beyond) the last cell that differ."""
    before, after = _cells(old), _cells(new)
    length = min(len(before), len(after))
    head = next((i for i in range(length) if before[i] != after[i]), length)
    tail = next((i for i in range(length - head) if before[-1 - i] != after[-1 - i]), length - head)
    width = max(len(before), len(after))
    return head, max(width - tail, head + 1)


def _cells(row: Row) -> list[tuple[str, str]]:
    """A row cell by cell; a character of two cells stands in both."""
    return [(letter, role) for text, role in row for letter in text for _ in range(_wide(letter))]


def _wide(letter: str) -> int:
    # ASCII, box drawing, blocks and braille, which are nearly all, need no look-up.
    return 1 if letter < "\u0300" or "\u2500" <= letter <= "\u28ff" else cell_len(letter)
