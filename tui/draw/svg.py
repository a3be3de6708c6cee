"""Rows of a screen as an SVG picture. Pure; every text is escaped.

Letters stand in their cells by a place each: no browser has to find the cells from the widths of a font
that it may not have, and none is stretched. What must touch its neighbours is in `tui.draw.svg_shapes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby

from rich.cells import cell_len
from rich.style import Style

from tui.draw.rows import Row
from tui.draw.svg_shapes import CELL_HEIGHT, CELL_WIDTH, shape
from tui.draw.text import masked

FONT_SIZE = 14.0
MARGIN = 10.0
DARK, LIGHT = ("#d4d4d8", "#121418"), ("#1e1e22", "#fcfcfa")
"""Text and background where a row names no colour of its own."""
_FONTS = "'DejaVu Sans Mono', 'Liberation Mono', Menlo, Consolas, 'Noto Sans Mono', monospace"


def svg(rows: Sequence[Row], styles: Mapping[str, Style], *, light: bool = False, title: str = "") -> str:
    """A picture of `rows`, each in the style of its roles."""
    text, background = LIGHT if light else DARK
    across = max((sum(cell_len(part) for part, _ in row) for row in rows), default=0)
    width, height = across * CELL_WIDTH + 2 * MARGIN, len(rows) * CELL_HEIGHT + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.1f} {height:.1f}">',
        f"<title>{_escaped(title)}</title>",
        f'<rect width="100%" height="100%" fill="{background}"/>',
        f'<g font-family="{_FONTS}" font-size="{FONT_SIZE:g}">',
    ]
    for y, row in enumerate(rows):
        parts += _row(row, y, styles, text, background)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _row(row: Row, y: int, styles: Mapping[str, Style], text: str, background: str) -> list[str]:
    out = []
    x = 0
    for role, runs in groupby(row, key=lambda run: run[1]):
        part = "".join(run for run, _ in runs)
        cells = cell_len(part)
        style = styles[role]
        front = style.color.get_truecolor().hex if style.color else text
        behind = style.bgcolor.get_truecolor().hex if style.bgcolor else background
        if style.reverse:
            front, behind = behind, front
        left, top, wide = MARGIN + x * CELL_WIDTH, MARGIN + y * CELL_HEIGHT, cells * CELL_WIDTH
        if behind != background and part:
            size = f'width="{wide:.1f}" height="{CELL_HEIGHT:g}"'
            out.append(f'<rect x="{left:.1f}" y="{top:.1f}" {size} fill="{behind}"/>')
        more = ' font-weight="bold"' * bool(style.bold) + ' opacity="0.6"' * bool(style.dim)
        drawn = []
        for places, letters in _letters(part, left):
            if path := "".join(shape(letter, at, top) for letter, at in zip(letters, places, strict=False)):
                drawn.append(path)
                continue
            said = " ".join(f"{at:.1f}".removesuffix(".0") for at in places)
            out.append(
                f'<text x="{said}" y="{top + 0.75 * CELL_HEIGHT:.1f}" fill="{front}"{more}>'
                f"{_escaped(letters)}</text>"
            )
        if drawn:
            faint = ' opacity="0.6"' * bool(style.dim)
            out.append(f'<path fill="{front}"{faint} d="{"".join(drawn)}"/>')
        x += cells
    return out


def _letters(part: str, left: float) -> Iterator[tuple[list[float], str]]:
    """Words as the places of their letters and the letters; shapes, and what is not one cell wide, by itself.
    Blanks have no ink, and what else has none is masked, and seen."""
    at, word = left, ""
    places: list[float] = []
    for letter in part:
        alone = cell_len(letter) != 1 or ord(letter) > 0xFFFF or bool(shape(letter, 0.0, 0.0))
        joins = cell_len(letter) == 0 and bool(word)
        if word and (letter == " " or (alone and not joins)):
            yield places, word
            word, places = "", []
        if joins:
            word += letter
        elif letter != " ":
            word, places = word + letter, [*places, at]
            if alone:
                yield places, word
                word, places = "", []
        at += cell_len(letter) * CELL_WIDTH
    if word:
        yield places, word


def _escaped(text: str) -> str:
    """XML allows no control characters, not even escaped."""
    return escape(masked(text))
