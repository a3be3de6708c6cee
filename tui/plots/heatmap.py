"""A heatmap: how the values of each column are spread over rows; it reads without colour. numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tui.plots.chart import BLANK, Grid, Line, Mark, line_cells
from tui.plots.fan import Limit
from tui.plots.fan import lines as limit_lines
from tui.plots.scale import Scale, Series

SHADES = 4
_STEPS = np.array([1e-9, 0.06, 0.16, 0.36])
"""Shares of a column from which on a cell has each shade."""
_EVIDENCE = np.array([1e-9, 1.0, 2.0, 4.0])
"""So many values a cell must hold for each shade: one request alone is no heat."""
_DENSE = 3
_BLOCKS = np.array([ord(glyph) for glyph in " ░▒▓█"], dtype=np.uint32)
_ASCII = np.array([ord(glyph) for glyph in " .:%#"], dtype=np.uint32)
_TARGET = (ord("─"), ord("-"))


def row_of(values: Series, scale: Scale, height: int) -> NDArray[np.intp]:
    """The row of each value on a scale, 0 the top one; what lies beyond it is in the last row there."""
    place = (1.0 - scale.position(values)) * height
    rows: NDArray[np.intp] = np.minimum(np.fmax(place, 0.0), height - 1).astype(np.intp)  # 0 of none
    return rows


def spread(counts: NDArray[np.int64], values: Series, scale: Scale, height: int) -> Series:
    """`counts` of `values`, shape `(columns, k)`, added up by row: `(columns, height)`."""
    into = np.zeros((len(values), height))
    if height:
        into[np.arange(len(values)), row_of(values, scale, height)] = 1.0
    sums: Series = counts @ into
    return sums


def heatmap(
    cells: Series,
    width: int,
    *,
    lines: Sequence[Line] = (),
    scale: Scale | None = None,
    marks: Sequence[Mark] = (),
    limits: Sequence[Limit] = (),
    late_above: float | None = None,
    ascii_only: bool = False,
) -> Grid:
    """The newest `width` columns of `cells`, `(columns, rows)` with the top row first, shaded by their share
    of the column. What lies above the row of `late_above` is of a role that says so. A column without values
    is a gap. `lines` go over it by dots, on `scale`, which `limits` and `late_above` are values of, too.
    """
    height = cells.shape[1]
    shown = np.zeros((width, height))
    tail = cells[max(len(cells) - width, 0) :]
    shown[width - len(tail) :] = tail
    share = shown / np.maximum(shown.sum(axis=1, keepdims=True), 1e-9)
    shade = np.minimum(
        np.searchsorted(_STEPS, share, side="right"), np.searchsorted(_EVIDENCE, shown, side="right")
    ).T
    codes = (_ASCII if ascii_only else _BLOCKS)[shade]
    late = np.zeros(shade.shape, dtype=bool)
    if late_above is not None and scale is not None and height:
        late[: int(row_of(np.array([late_above]), scale, height)[0])] = True
    roles = np.where(shade > 0, shade + SHADES * late, 0).astype(np.uint8)
    names = ["", *(f"heat_{i}" for i in range(1, SHADES + 1)), *(f"late_{i}" for i in range(1, SHADES + 1))]

    def role(name: str) -> int:
        if name not in names:
            names.append(name)
        return names.index(name)

    for mark in marks:
        if 0 <= mark.column < width:
            free = shade[:, mark.column] == 0
            codes[free, mark.column] = ord("|" if ascii_only else mark.glyph)
            roles[free, mark.column] = role(mark.role)
    if scale is not None:
        for phase, line in enumerate(lines):
            drawn = line_cells(line.values, scale, width, height, letter=line.letter if ascii_only else None)
            # Through what is dense only some cells are the line's, so that both are seen.
            own = (drawn > 0) & ((shade < _DENSE) | (np.arange(width) % (2 * len(lines)) == 2 * phase))
            dash = ord(line.letter) if ascii_only else ord("━")
            codes = np.where(own, np.where(shade < _DENSE, drawn, dash), codes)
            roles = np.where(own, role(line.role), roles).astype(np.uint8)
    if scale is not None and limits:
        seen = [limit for limit in limits if scale.low <= limit.value <= scale.high]
        rows = row_of(np.array([limit.value for limit in seen]), scale, height).astype(float).tolist()
        drawn = limit_lines(seen, rows, (height, width), _TARGET[ascii_only])
        codes = np.where(drawn > 0, drawn, codes)
        roles = np.where(drawn > 0, role("target_line"), roles).astype(np.uint8)
    codes = np.where(codes == 0, BLANK, codes).astype(np.uint32)
    return Grid(codes, roles, tuple(names))
