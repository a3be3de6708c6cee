"""Percentiles over time as nested areas: solid up to p50, a second tone up to p95, dots at p99, and a target
as a dashed line, above which everything is in the colours of a warning. numpy only.

One slot of a series is one column. Where two of them meet in a cell the worse one is seen, and each that is
given is seen somewhere: p50 is at least an eighth of a row below p95, the dots of p99 lie in a row above its,
and the target has the cells of its dashes while the data have those between. What is below a target ends
below its line, what is above it above: the scale is bent so that the line is in the midst of its row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tui.plots.chart import BLANK, Grid, Mark, columns
from tui.plots.scale import Scale, Series, centred

GRADIENT = 4
"""Tones of the area up to p50, the lowest rows first: `fan50_0` and so on."""
_BLOCKS = np.array([ord(glyph) for glyph in " ▁▂▃▄▅▆▇█"], dtype=np.uint32)
_DOTS = np.array([0x28C0, 0x2824, 0x2812, 0x2809], dtype=np.uint32)
"""Two dots beside each other, at a quarter of a cell from below."""
_MIDDLE = 4
"""The eighths below a dash."""
_NAMES = (
    *("", *(f"fan50_{i}" for i in range(GRADIENT))),
    *("fan95", "fan99", "over50", "over95", "over99", "target_line", "grid"),
)
_ROLE = {name: index for index, name in enumerate(_NAMES)}


@dataclass(frozen=True)
class Fan:
    """Three percentiles, shape `(columns,)` each, NaN where nothing was observed."""

    p50: Series
    p95: Series
    p99: Series


@dataclass(frozen=True)
class Limit:
    """A target: a dashed line, above which what it asks of is in the colours of a warning."""

    value: float
    quantile: float | None = 0.95
    """Of what is asked; of a mean that of p50. None: it is a line that judges nothing."""
    label: str = ""
    """Written at its left end."""

    def judges(self, quantile: float) -> bool:
        """Above it that percentile is late. What a target says of p95 is taken of p99 too."""
        return self.quantile is not None and (quantile <= self.quantile or self.quantile >= 0.95)


def dashes(width: int) -> NDArray[np.bool_]:
    """The columns in which a target's line stands, in every chart: the data have those between."""
    out: NDArray[np.bool_] = np.arange(width) % 4 < 2
    return out


def fan(
    of: Fan,
    scale: Scale,
    width: int,
    height: int,
    *,
    limits: Sequence[Limit] = (),
    marks: Sequence[Mark] = (),
    charset: str = "tones",
) -> Grid:
    """`charset` is `tones` (colours tell the areas apart), `shades` (glyphs do) or `ascii`."""
    if not width or not height:
        return Grid(np.full((height, width), BLANK, np.uint32), np.zeros((height, width), np.uint8), ("",))
    values = np.array([columns(series, width) for series in (of.p50, of.p95, of.p99)])
    scale = scale_of(scale, height, limits)
    at_limit = [float(row_of_value(scale, limit.value, height)) for limit in limits]
    low, mid, high = _levels(values, level(scale, values, height), limits, at_limit, height)
    # Eighths of each cell that are filled, and the row in which the dots of p99 lie.
    floor = 8 * np.arange(height - 1, -1, -1)[:, None]
    in50, in95 = (np.minimum(np.fmax(one - floor, 0.0), 8.0).astype(np.intp) for one in (low, mid))
    row = np.arange(height)[:, None]
    dots = row == row_of(high, height)
    quarter = (np.where(np.isnan(high), 0.0, high - 1).astype(np.intp) % 8) // 2
    if charset != "tones":  # a letter fills its cell, also above the middle
        for at in at_limit:
            for part in (in50, in95):
                part[int(at)] *= part[int(at)] > _MIDDLE

    late = [_lowest(limits, quantile) for quantile in (0.5, 0.95, 0.99)]
    bound50, bound95, bound99 = (np.inf if at is None else limits[at].value for at in late)
    row50, row95 = (-1.0 if at is None else at_limit[at] for at in late[:2])
    over = (row < row50) | ((row == row50) & (values[0] > bound50))
    edge = (row < row95) | ((row == row95) & (values[1] > bound95))
    tone50 = np.where(over, _ROLE["over50"], 1 + (GRADIENT * (height - 1 - row)) // max(height, 1))
    tone95 = np.where(edge, _ROLE["over95"], _ROLE["fan95"])

    codes = np.full((height, width), BLANK, dtype=np.uint32)
    fore, back = np.zeros((height, width), dtype=np.intp), np.zeros((height, width), dtype=np.intp)
    _marked(codes, fore, marks_names := list(_NAMES), marks, charset)

    between = _between(values[0]) & (codes[-1] == BLANK)
    codes[-1, between] = ord("." if charset == "ascii" else "·")
    fore[-1, between] = _ROLE["grid"]
    dots[0] &= codes[0] == BLANK  # the ticks of what happened stay
    part50 = (in50 > 0) & (in50 < 8) & (in95 == 8)
    codes = np.where(in95 > 0, _glyphs95(charset, in95), codes)
    fore = np.where(in95 > 0, tone95, fore)
    codes = np.where(part50 | (in50 == 8), _glyphs50(charset, in50), codes)
    fore = np.where(part50 | (in50 == 8), tone50, fore)
    back = np.where(part50, tone95, back)
    if charset != "tones":
        upper = ((in95 > 0) & (in95 < 8)) | ((in95 == 8) & _tops(in95))
        codes = np.where(upper, ord("+" if charset == "ascii" else "░"), codes)
        fore = np.where(upper, tone95, fore)
    beyond = values[2] > bound99
    codes = np.where(dots, ord("^") if charset == "ascii" else _DOTS[quarter], codes)
    fore = np.where(dots, np.where(beyond, _ROLE["over99"], _ROLE["fan99"]), fore)
    back = np.where(dots, np.where(in95 == 8, tone95, 0), back)
    if limits:
        line = lines(limits, at_limit, (height, width), ord("-" if charset == "ascii" else "─"))
        codes = np.where(line > 0, line, codes)
        fore = np.where(line > 0, _ROLE["target_line"], fore)
        # Behind a dash only what fills its cell: all else would be seen above the line.
        filled = np.where(in95 == 8, np.where(in50 > _MIDDLE, tone50, tone95), 0)
        back = np.where(line > 0, filled, back)
    if charset != "tones":
        back = np.zeros_like(back)
    return _grid(codes, fore, back, marks_names)


def _between(values: Series) -> NDArray[np.bool_]:
    """The columns without a value that have one before and one after: nothing came there, yet no end."""
    known = np.isfinite(values)
    out: NDArray[np.bool_] = np.logical_or.accumulate(known) & np.logical_or.accumulate(known[::-1])[::-1]
    return out & ~known


def scale_of(scale: Scale, height: int, limits: Sequence[Limit]) -> Scale:
    """The one that such a chart is drawn on."""
    return centred(scale, [limit.value for limit in limits], height, _base(height) / 8) if limits else scale


def _levels(
    values: Series, levels: Series, limits: Sequence[Limit], at_limit: Sequence[float], height: int
) -> tuple[Series, Series, Series]:
    """Eighths of a row that p50 and p95 fill, and in which the dots of p99 lie: `values` and `levels` are
    `(3, columns)`."""
    top = 8 * height
    middles = [8 * (height - 1 - row) + _MIDDLE for row in at_limit]
    for limit, middle in zip(limits, middles, strict=True):
        below = np.minimum(levels, middle)
        levels = np.where(values <= limit.value, below, np.maximum(levels, middle + 1))
    low, mid, high = levels[0], levels[1], np.maximum(levels[2], levels[1])
    # A cell has one glyph: where p95 and p99 lie in the same row the dots go into the next one. Where there
    # is none or a line would be crossed, p95 fills its row or none of it.
    row = np.ceil(mid / 8)
    shared = np.ceil(high / 8) == row
    stays = 8 * row + 1 > top
    for middle in middles:
        stays |= (high <= middle) & (high > middle - _MIDDLE)
    high = np.where(shared & ~stays, 8 * row + 1, high)
    fills = mid > 8 * row - _MIDDLE
    high = np.where(shared & stays & fills, 8 * row, high)
    mid = np.where(shared & stays, 8 * np.where(fills, row, np.maximum(row - 1, 0.0)), mid)
    return np.minimum(low, mid - 1), mid, high


def _lowest(limits: Sequence[Limit], quantile: float) -> int | None:
    """The one from which on that percentile is late; of p99 its own before that of p95."""
    asked = [i for i, limit in enumerate(limits) if limit.judges(quantile)]
    own = [i for i in asked if (limits[i].quantile or 0.0) >= quantile]
    return min(own or asked, key=lambda i: limits[i].value, default=None)


def lines(
    limits: Sequence[Limit], rows: Sequence[float], size: tuple[int, int], dash: int
) -> NDArray[np.uint32]:
    """The dashes of each limit in its row, and its label before them; 0 where there are none."""
    out = np.zeros(size, dtype=np.uint32)
    free = dict.fromkeys(rows, 0)
    for limit, row in zip(limits, rows, strict=True):
        if not 0 <= row < size[0]:
            continue
        if not free[row]:
            out[int(row), dashes(size[1])] = dash
        codes = [ord(letter) for letter in f"{limit.label} " * bool(limit.label)][: size[1] - free[row]]
        out[int(row), free[row] : free[row] + len(codes)] = codes
        free[row] += len(codes)
    return out


def level(scale: Scale, values: Series, height: int) -> Series:
    """Eighths of a row from the floor: the lowest value of the scale fills the lowest row, so that a value on
    it is to be seen."""
    base = _base(height)
    out: Series = np.rint(base + scale.position(values) * (8 * height - base))
    return out


def _base(height: int) -> int:
    return 8 if height > 2 else 4 if height > 1 else 1


def row_of(levels: Series, height: int) -> Series:
    """The row (0 is the top) that holds the uppermost of so many eighths."""
    out: Series = height - 1 - np.floor((levels - 1) / 8)
    return out


@lru_cache(256)
def row_of_value(scale: Scale, value: float, height: int) -> int:
    """The row of a single value: targets and labels are the same from frame to frame."""
    return int(row_of(level(scale, np.array([value]), height), height)[0])


def _tops(filled: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Cells above which nothing is filled."""
    above = np.vstack([np.zeros((1, filled.shape[1]), dtype=np.intp), filled[:-1]])
    out: NDArray[np.bool_] = above == 0
    return out


def _glyphs50(charset: str, filled: NDArray[np.intp]) -> NDArray[np.uint32]:
    if charset == "tones":
        return _BLOCKS[filled]
    inner, edge = (ord("*"), ord("*")) if charset == "ascii" else (ord("▓"), ord("▒"))
    out: NDArray[np.uint32] = np.where(filled == 8, np.uint32(inner), np.uint32(edge))
    return out


def _glyphs95(charset: str, filled: NDArray[np.intp]) -> NDArray[np.uint32]:
    if charset == "tones":
        return _BLOCKS[filled]
    return np.full(filled.shape, ord(":" if charset == "ascii" else "░"), dtype=np.uint32)


def _marked(
    codes: NDArray[np.uint32], fore: NDArray[np.intp], names: list[str], marks: Sequence[Mark], charset: str
) -> None:
    """Lines of what happened, to be drawn over: a tick in the top row, faint below."""
    for mark in marks:
        if not 0 <= mark.column < codes.shape[1]:
            continue
        for name in (mark.role, mark.faint):
            if name not in names:
                names.append(name)
        if mark.faint:
            codes[1:, mark.column] = ord(":" if charset == "ascii" else "┊")
            fore[1:, mark.column] = names.index(mark.faint)
        codes[0, mark.column] = ord("|" if charset == "ascii" else mark.glyph)
        fore[0, mark.column] = names.index(mark.role)


def _grid(
    codes: NDArray[np.uint32], fore: NDArray[np.intp], back: NDArray[np.intp], names: Sequence[str]
) -> Grid:
    keys = fore * len(names) + back
    used = np.zeros(len(names) ** 2, dtype=np.uint8)
    used[keys] = 1
    used[0] = 1  # no role is the first of the names
    pairs = used.nonzero()[0]
    used[pairs] = np.arange(len(pairs))
    named = []
    for pair in pairs.tolist():
        front, behind = names[pair // len(names)], names[pair % len(names)]
        named.append(f"{front}/{behind}" if behind else front)
    return Grid(codes.astype(np.uint32), used[keys], tuple(named))
