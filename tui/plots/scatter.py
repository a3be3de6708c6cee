"""Points with intervals over a scale of their own, joined by lines: a curve over load. numpy only."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tui.draw.rows import Row, fitted
from tui.plots.chart import Grid, Line, chart
from tui.plots.fan import dashes
from tui.plots.scale import HUGEST, TINIEST, Scale, Series, ceil_125, floor_125

WIDE = 12.0
"""From this ratio of the highest to the lowest on, values along the axis are drawn on a log scale."""
_TINY = 1e-9
_DASH = 1, 3
"""Columns of a dash, and from one to the next."""


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    glyph: str
    role: str
    low: float | None = None
    high: float | None = None
    """The interval, drawn as a bar where it is more than a cell."""
    chosen: bool = False
    """It stands between brackets."""


@dataclass(frozen=True)
class Path:
    """Joined in the order given, which goes to the right."""

    xs: Sequence[float]
    ys: Sequence[float]
    role: str
    letter: str = "."
    dashed: bool = False
    """Nothing is known of what lies between."""


@dataclass(frozen=True)
class Upright:
    """A line across the height at one place of the axis."""

    x: float
    role: str
    glyph: str = "┊"


def along(values: Sequence[float]) -> Scale:
    """The scale of the axis that holds `values`: from 0, or logarithmic where they reach far."""
    # Of a stranger's session: between the ends of what a float holds there is no place.
    known = [min(max(value, TINIEST), HUGEST) for value in values if math.isfinite(value) and value > 0]
    if not known:
        return Scale(0.0, 1.0)
    low, high = min(known), max(known)
    if high >= WIDE * low:
        return Scale(floor_125(low * 0.9), ceil_125(high * 1.05), True)
    return Scale(0.0, ceil_125(high * 1.02, (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)))


def column_of(x: float, scale: Scale, width: int) -> int:
    return min(int(scale.place(x) * (width - 1) + 0.5), width - 1)


def scatter(
    dots: Sequence[Dot],
    paths: Sequence[Path],
    x_scale: Scale,
    y_scale: Scale,
    width: int,
    height: int,
    *,
    uprights: Sequence[Upright] = (),
    level: float | None = None,
    ascii_only: bool = False,
) -> Grid:
    """The last of `dots` wins a cell. `level`: a target, dashed across the width."""
    lines = [Line(_values(path, x_scale, y_scale, width), path.role, path.letter) for path in paths]
    grid = chart(lines, [], y_scale, width, height, ascii_only=ascii_only)
    codes, roles, names = grid.codes.copy(), grid.roles.copy(), list(grid.names)
    if not width or not height:
        return grid

    def role(name: str) -> int:
        if name not in names:
            names.append(name)
        return names.index(name)

    def row(y: float) -> int:
        return min(int((1.0 - y_scale.place(y)) * height), height - 1)

    blank = codes == ord(" ")
    for upright in uprights:
        column = column_of(upright.x, x_scale, width)
        free = blank[:, column]
        codes[free, column] = ord("|" if ascii_only else upright.glyph)
        roles[free, column] = role(upright.role)
    if level is not None and y_scale.low <= level <= y_scale.high:
        at, own = row(level), dashes(width)
        codes[at, own] = ord("-" if ascii_only else "─")
        roles[at, own] = role("target_line")
    for dot in dots:
        column, at = column_of(dot.x, x_scale, width), row(dot.y)
        if dot.low is not None and dot.high is not None:
            top, bottom = row(dot.high), row(dot.low)
            codes[top : bottom + 1, column] = ord("|" if ascii_only else "│")
            roles[top : bottom + 1, column] = role(dot.role)
    for dot in dots:
        column, at = column_of(dot.x, x_scale, width), row(dot.y)
        for beside, bracket in ((column - 1, "["), (column + 1, "]")) if dot.chosen else ():
            if 0 <= beside < width:  # no other dot gives way to it
                codes[at, beside], roles[at, beside] = ord(bracket), role("strong")
    for dot in dots:
        column, at = column_of(dot.x, x_scale, width), row(dot.y)
        codes[at, column] = ord(dot.glyph)
        roles[at, column] = role(dot.role)
    return Grid(codes, roles, tuple(names))


def _values(path: Path, x_scale: Scale, y_scale: Scale, width: int) -> Series:
    """The path's height at each column, as a value of the scale; NaN beside it."""
    if len(path.xs) < 2:
        return np.full(width, np.nan)
    at = x_scale.position(np.array(path.xs)) * (width - 1)
    up = y_scale.position(np.array(path.ys))
    columns = np.arange(width)
    place = np.interp(columns, at, up, left=np.nan, right=np.nan)
    if path.dashed:
        place[columns % _DASH[1] >= _DASH[0]] = np.nan
    if y_scale.log:
        return np.asarray(y_scale.low * (y_scale.high / y_scale.low) ** place)
    return np.asarray(y_scale.low + (y_scale.high - y_scale.low) * place)


def axis(scale: Scale, width: int, name: Callable[[float], str], unit: str, floor: str) -> Row:
    """The axis below: round values where they are, the unit behind the last of them that has room for it."""
    cells = [floor] * width
    ends: list[int] = []
    for value in _round(scale, width):
        text = name(value)
        begin = min(max(column_of(value, scale, width) - len(text) // 2, 0), width - len(text))
        around = cells[max(begin - 1, 0) : begin + len(text) + 1]
        if begin >= 0 and all(cell == floor for cell in around):
            cells[begin : begin + len(text)] = list(text)
            ends.append(begin + len(text))
    for end in reversed(ends):
        behind = cells[end : end + len(unit) + 2]
        if unit and len(behind) > len(unit) and all(cell == floor for cell in behind):
            cells[end : end + len(unit) + 1] = [" ", *unit]
            break
    return fitted([("".join(cells), "axis")], width)


def _round(scale: Scale, width: int) -> list[float]:
    if scale.log:
        exponents = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
        every = [float(f"{digit}e{exponent}") for digit in (1, 2, 5) for exponent in exponents]
        return [value for value in every if scale.low <= value <= scale.high * (1 + _TINY)]
    step = ceil_125(max(scale.high, _TINY) / max(width // 7, 1))
    return [step * i for i in range(int(scale.high / step + _TINY) + 1)]
