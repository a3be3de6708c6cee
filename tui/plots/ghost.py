"""A line of another session over a chart that is drawn: in every second free column, and in one of four where
there is something already, so that both are seen. numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tui.plots.chart import BLANK, Grid, columns
from tui.plots.fan import Limit, level, row_of, row_of_value, scale_of
from tui.plots.scale import Scale, Series

GLYPHS = ("▪", "o")
"""The last one in ASCII."""
ROLE = "ghost"
_FULL = ord("█")
_STAYS = ("target_line",)


def fan_rows(values: Series, scale: Scale, width: int, height: int, limits: Sequence[Limit]) -> Series:
    """The row of each column in a `tui.plots.fan` chart of the same scale and limits; NaN of none. Like all
    that is drawn there, what is below a target is not above its line."""
    values = columns(values, width)
    scale = scale_of(scale, height, limits)
    rows = row_of(level(scale, values, height), height)
    for limit in limits:
        at = row_of_value(scale, limit.value, height)
        rows = np.where(values <= limit.value, np.maximum(rows, at), np.minimum(rows, at))
    out: Series = np.where(np.isnan(values), np.nan, rows)
    return out


def ghosted(grid: Grid, rows: Series, *, ascii_only: bool = False) -> Grid:
    """`rows` are `(width,)`, 0 the top one."""
    height = len(grid.codes)
    at = np.flatnonzero(np.isfinite(rows) & (rows >= 0) & (rows < height))
    row = rows[at].astype(np.intp)
    codes, roles, names = grid.codes.copy(), grid.roles.astype(np.intp), list(grid.names)
    under = codes[row, at]
    stays = np.isin(roles[row, at], [i for i, name in enumerate(names) if name in _STAYS])
    drawn = ~stays & (at % 4 == 2) | (under == BLANK) & (at % 2 == 0)
    for column, line, code in zip(
        at[drawn].tolist(), row[drawn].tolist(), under[drawn].tolist(), strict=True
    ):
        front, _, behind = names[roles[line, column]].partition("/")
        back = front if code == _FULL else behind
        name = f"{ROLE}/{back}" if back else ROLE
        if name not in names:
            names.append(name)
        roles[line, column] = names.index(name)
        codes[line, column] = ord(GLYPHS[ascii_only])
    return Grid(codes, roles.astype(np.uint8), tuple(names))
