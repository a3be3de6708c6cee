"""The one widget of a screen: rows of runs, of which only what changed is sent to the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import COLOR_SYSTEMS
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.draw.changes import orders
from tui.draw.rows import Row, fitted
from tui.draw.text import is_safe, masked
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
        self._styles_of: Mapping[str, Style] = theme.styles()
        self._codes: dict[str, str] = {}
        self._painted: dict[str, bool] = {}

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
        new = self._cleaned(rows)
        whole = len(new) != len(self._rows)
        changed = [
            (y, old, row) for y, (old, row) in enumerate(zip(self._rows, new, strict=False)) if old != row
        ]
        self._rows = new
        if whole:
            self.refresh()
        elif changed and not self._written(changed):
            self.refresh(*(Region(0, y, self.size.width, 1) for y, _, _ in changed))
        return len(new) if whole else len(changed)

    def _written(self, changed: Sequence[tuple[int, Row, Row]]) -> bool:
        """Tells the terminal at once of the cells that changed. False where Textual has to do it: something
        else lies over this widget, or there is no terminal.

        What Textual draws later is drawn from the same rows.
        """
        app = self.app
        driver = app._driver
        if driver is None or app.is_headless or app.screen is not self.screen or not self.region.width:
            return False
        left, top = self.region.offset
        text = orders(changed, left, top, self._code, self._paints)
        app._begin_update()
        driver.write(text)
        app._end_update()
        driver.flush()
        # Textual keeps lines that it has drawn, and would put the old ones over these.
        self._styles_cache.set_dirty(*(Region(0, y, self.size.width, 1) for y, _, _ in changed))
        return True

    def _code(self, role: str) -> str:
        if role not in self._codes:
            system = COLOR_SYSTEMS.get(self.app.console.color_system or "")
            order = self._styles_of[role].render("x", color_system=system).partition("x")[0]
            self._codes[role] = order.removeprefix("\x1b[").removesuffix("m")
        return self._codes[role]

    def _paints(self, role: str) -> bool:
        if role not in self._painted:
            style = self._styles_of[role]
            self._painted[role] = bool(style.bgcolor or style.reverse or style.underline)
        return self._painted[role]

    def _cleaned(self, rows: Sequence[Row]) -> list[Row]:
        if self.theme.ascii_only:
            return [[(in_ascii(masked(text)), role) for text, role in row] for row in rows]
        # Next to always there is nothing to mask: one look at all of it costs less than one at each run.
        if is_safe("".join([text for row in rows for text, _ in row])):
            return list(rows)
        return [[(masked(text), role) for text, role in row] for row in rows]

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        row = self._rows[y] if y < len(self._rows) else []
        styles = self._styles_of
        return Strip([Segment(text, styles[role]) for text, role in fitted(row, width)], width)
