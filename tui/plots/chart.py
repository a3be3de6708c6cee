"""Line charts in braille (or ASCII), as a grid of code points and roles. numpy only.

One slot of a series is one column of the chart, two dots wide in braille; a row is four dots high. A NaN
is a gap. Of lines that meet in a cell only the first one given is drawn: a cell has one colour, and a line in
the colour of another would be read as that one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from tui.draw.rows import Row
from tui.plots.scale import Scale, Series

BLANK = ord(" ")
_DIMMED = {
    **{f"fan50_{i}": "later50" for i in range(4)},
    "over50": "later50",
    "fan95": "later95",
    "over95": "later95",
    "": "",
}
"""How a role looks of what is still to come; any other: `later`."""
# Dots of a braille cell by (row, column), as bits of the code point after U+2800 (Unicode, Braille Patterns).
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint32)
_OF_DOTS = np.array(
    [sum(int(bit) for i, bit in enumerate(_DOTS.ravel()) if packed >> i & 1) for packed in range(256)],
    dtype=np.uint32,
)
"""The code point of the dots that a byte has, row by row from its lowest bit on; 0 of none."""
_OF_DOTS[1:] += 0x2800


@dataclass(frozen=True)
class Line:
    """One series, shape `(columns,)`."""

    values: Series
    role: str
    letter: str = "*"
    """What draws it where there is no braille."""
    thick: bool = False
    """Two dots instead of one, to be told apart without colour."""


@dataclass(frozen=True)
class Band:
    """The area between two series, filled in behind all lines; `lower` None is the chart's floor."""

    upper: Series
    lower: Series | None
    role: str
    letter: str = ":"


@dataclass(frozen=True)
class Mark:
    """A vertical line at a column, drawn only where nothing else is."""

    column: int
    role: str
    glyph: str = "│"
    faint: str = ""
    """The role in which it goes on below the top row of an area; empty: it does not."""


@dataclass(frozen=True)
class Grid:
    """What a chart is made of: shape `(height, width)` each. Roles index `names`; 0 is no role."""

    codes: NDArray[np.uint32]
    roles: NDArray[np.uint8]
    names: tuple[str, ...]

    def followed_by(self, later: Grid, column: int) -> Grid:
        """The same, with what `later` (of the same shape) has from `column` on, dimmed."""
        names = tuple(
            "/".join(_DIMMED.get(part, "later") for part in name.split("/")) for name in later.names
        )
        names = ("", *(name if later.names[i] else "" for i, name in enumerate(names)))
        after = np.arange(self.codes.shape[1]) >= column
        roles = np.where(after, later.roles + np.uint8(len(self.names) + 1), self.roles).astype(np.uint8)
        return Grid(np.where(after, later.codes, self.codes), roles, self.names + names)

    def dimmed_from(self, column: int) -> Grid:
        """Likewise of what is drawn already."""
        return self.followed_by(self, column)

    def rows(self) -> list[Row]:
        """One run per stretch of one role; blanks join their neighbours, as they show no colour."""
        height, width = self.codes.shape
        if not width or not height:
            return [[] for _ in range(height)]
        text = self.codes.astype("<u4", copy=False).tobytes().decode("utf-32-le")
        if not any("/" in name for name in self.names):
            return self._plain_rows(text)
        # Where a cell is blank its role is that of the last cell before it which is not; else of the first.
        drawn = self.codes != BLANK
        last = np.maximum.accumulate(np.where(drawn, np.arange(width), -1), axis=1)
        from_cell = np.where(last >= 0, last, drawn.argmax(axis=1)[:, None])
        roles = self.roles[np.arange(height)[:, None], from_cell]
        # On the colour of another role a blank would show.
        backs = np.array(["/" in name for name in self.names])
        roles = np.where(backs[roles] & ~drawn, 0, roles)
        begins = np.ones((height, width), dtype=bool)
        np.not_equal(roles[:, 1:], roles[:, :-1], out=begins[:, 1:])
        cells = np.flatnonzero(begins)
        ends = [*cells[1:].tolist(), height * width]
        out: list[Row] = [[] for _ in range(height)]
        for begin, end, role in zip(cells.tolist(), ends, roles.ravel()[cells].tolist(), strict=True):
            out[begin // width].append((text[begin:end], self.names[role]))
        return out

    def _plain_rows(self, text: str) -> list[Row]:
        """The same where no role has a background: only the cells that are not blank are looked at."""
        height, width = self.codes.shape
        drawn = (self.codes != BLANK).ravel().nonzero()[0]
        roles = self.roles.ravel()[drawn]
        begins = np.ones(len(drawn), dtype=bool)
        rows = drawn // width
        np.logical_or(roles[1:] != roles[:-1], rows[1:] != rows[:-1], out=begins[1:])
        runs: list[list[tuple[int, int]]] = [[] for _ in range(height)]
        begun = zip(drawn[begins].tolist(), rows[begins].tolist(), roles[begins].tolist(), strict=True)
        for cell, row, role in begun:
            runs[row].append((cell, role))
        out: list[Row] = []
        for row, own in enumerate(runs):
            if not own:
                own.append((0, int(self.roles[row, 0])))
            begin, role = row * width, own[0][1]
            spans: Row = []
            for end, after in own[1:]:
                spans.append((text[begin:end], self.names[role]))
                begin, role = end, after
            spans.append((text[begin : (row + 1) * width], self.names[role]))
            out.append(spans)
        return out


def columns(values: Series, width: int) -> Series:
    """The newest `width` values; older columns that do not exist are gaps."""
    if len(values) == width:
        return values
    out = np.full(width, np.nan)
    if width and len(values):
        tail = values[-width:]
        out[width - len(tail) :] = tail
    return out


def line_cells(
    values: Series, scale: Scale, width: int, height: int, *, thick: bool = False, letter: str | None = None
) -> NDArray[np.uint32]:
    """A line's code points, shape `(height, width)`; 0 where it is not. In braille, or in ASCII `letter`s."""
    per_cell, dots = (2, height * 4) if letter is None else (1, height)
    covered = _line_dots(_sub_columns(values, scale, width, dots, per_cell), dots)
    if thick and letter is None:
        covered |= np.roll(covered, -1, axis=0) & (np.arange(dots) < dots - 1)[:, None]
    return _cells(covered, width, letter)


def _sub_columns(values: Series, scale: Scale, width: int, dots: int, per_cell: int) -> Series:
    """The height of the line in dots (0 is the top row) at each of `width * per_cell` places."""
    top = (1.0 - scale.position(columns(values, width))) * (dots - 1)
    if per_cell == 1:
        return top
    # Two dots to a slot, a quarter of the way towards each neighbour: slopes come out smooth.
    out: Series = np.repeat(top, 2)
    step = (top[1:] - top[:-1]) / 4
    out[2::2] = np.where(np.isnan(step), top[1:], top[1:] - step)
    out[1:-1:2] = np.where(np.isnan(step), top[:-1], top[:-1] + step)
    return out


def _line_dots(heights: Series, dots: int) -> NDArray[np.bool_]:
    """Which dots a line covers: at each place its own height and half of the way to both neighbours."""
    halfway = (heights[1:] + heights[:-1]) / 2  # NaN beside a gap, which neither `fmin` nor `fmax` takes
    highest, lowest = heights.copy(), heights.copy()
    for bound, further in ((highest, np.fmin), (lowest, np.fmax)):
        bound[1:] = further(bound[1:], halfway)
        bound[:-1] = further(bound[:-1], halfway)
        np.rint(bound, out=bound)
    row = np.arange(dots)[:, None]
    covered: NDArray[np.bool_] = (row >= highest) & (row <= lowest)
    return covered


def _band_dots(upper: Series, lower: Series | None, dots: int) -> NDArray[np.bool_]:
    row = np.arange(dots)[:, None]
    bottom = np.full(len(upper), dots - 1.0) if lower is None else lower
    inside: NDArray[np.bool_] = (row >= np.rint(upper)) & (row <= np.rint(bottom))
    return inside


def _cells(dots: NDArray[np.bool_], width: int, ascii_letter: str | None) -> NDArray[np.uint32]:
    """Code points of shape `(height, width)`; 0 where there is no dot."""
    out: NDArray[np.uint32]
    if ascii_letter is not None:
        out = np.where(dots, np.uint32(ord(ascii_letter)), np.uint32(0))
        return out
    height = dots.shape[0] // 4
    eight = dots.reshape(height, 4, width, 2).transpose(0, 2, 1, 3).reshape(height, width, 8)
    out = _OF_DOTS[np.packbits(eight, axis=2, bitorder="little")[:, :, 0]]
    return out


def chart(
    lines: Sequence[Line],
    bands: Sequence[Band],
    scale: Scale,
    width: int,
    height: int,
    *,
    marks: Sequence[Mark] = (),
    grid_rows: Sequence[int] = (),
    ascii_only: bool = False,
) -> Grid:
    """Draws `lines` over `bands` over `marks` over faint `grid_rows`. Any values, any size from 0 on."""
    codes = np.full((height, width), BLANK, dtype=np.uint32)
    roles = np.zeros((height, width), dtype=np.uint8)
    names: list[str] = [""]
    if not width or not height:
        return Grid(codes, roles, tuple(names))
    per_cell, dots = (1, height) if ascii_only else (2, height * 4)

    def role(name: str) -> int:
        if name not in names:
            names.append(name)
        return names.index(name)

    for row in grid_rows:
        codes[row, :] = ord("." if ascii_only else "┈")
        roles[row, :] = role("grid")
    for band in bands:
        upper = _sub_columns(band.upper, scale, width, dots, per_cell)
        lower = None if band.lower is None else _sub_columns(band.lower, scale, width, dots, per_cell)
        filled = _band_dots(upper, lower, dots)
        cells = _cells(filled, width, band.letter if ascii_only else None)
        codes, roles = np.where(cells > 0, cells, codes), np.where(cells > 0, role(band.role), roles)
    for mark in marks:
        if 0 <= mark.column < width:
            codes[:, mark.column] = ord("|" if ascii_only else mark.glyph)
            roles[:, mark.column] = role(mark.role)
    drawn = np.zeros((height, width), dtype=np.uint32)
    for line in lines:
        letter = line.letter if ascii_only else None
        cells = line_cells(line.values, scale, width, height, thick=line.thick, letter=letter)
        fresh = (cells > 0) & (drawn == 0)
        drawn = np.where(fresh, cells, drawn)
        roles = np.where(fresh, role(line.role), roles)
    codes = np.where(drawn > 0, drawn, codes).astype(np.uint32)
    return Grid(codes, roles.astype(np.uint8), tuple(names))


_GIVE_WAY = ("line_state", "line_note", "line_limit", "line_warning", "fan99", "over99")


def with_labels(row: Row, labels: Mapping[int, tuple[Sequence[str], str]], width: int) -> Row:
    """`row` with `column: (texts, role)` written over its blanks: the first of the texts that fits there.

    Labels are written in the order given: one in the way of an earlier one is cut short or left out. Lines of
    lesser marks give way to words.
    """
    letters = list("".join(part for part, _ in row))
    roles = [role for part, role in row for _ in part]
    for column, (texts, role) in labels.items():
        end = column
        while end < min(width, len(letters)) and (letters[end] == " " or roles[end] in _GIVE_WAY):
            end += 1
        # A blank is kept before whatever comes next, but not before the edge.
        room = end - column - (end < width)
        shown = next((text for text in texts if len(text) <= room), "")
        if shown and column + len(shown) < end:
            shown += " "
        letters[column : column + len(shown)] = list(shown)
        roles[column : column + len(shown)] = [role] * len(shown)
    return [
        ("".join(letter for letter, _ in run), role)
        for role, run in groupby(zip(letters, roles, strict=True), key=lambda cell: cell[1])
    ]
