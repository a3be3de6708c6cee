"""Areas on top of one another, each with a role and a texture of its own. numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tui.plots.chart import BLANK, Grid, Line, Mark, columns, line_cells
from tui.plots.scale import Scale, Series

_BLOCKS = np.array([ord(glyph) for glyph in " ▁▂▃▄▅▆▇█"], dtype=np.uint32)


@dataclass(frozen=True)
class Layer:
    values: Series
    """What it adds to those below it."""
    role: str
    texture: str = "█"
    """Where there are no colours."""
    letter: str = "#"
    """Where there is only ASCII."""


def stack(
    layers: Sequence[Layer],
    scale: Scale,
    width: int,
    height: int,
    *,
    marks: Sequence[Mark] = (),
    ascii_only: bool = False,
    textured: bool = False,
) -> Grid:
    """`layers` from the bottom, the outline with eight levels to a row.

    So has the bound between two layers: a cell of both has the role `LOWER/UPPER`, the one's colour on the
    other's. Elsewhere, in ASCII and `textured`, a cell is of the layer that has most of it. A column in which
    any layer is missing is blank.
    """
    if not width or not height or not layers:
        return Grid(np.full((height, width), BLANK, np.uint32), np.zeros((height, width), np.uint8), ("",))
    tops = np.cumsum([columns(layer.values, width) for layer in layers], axis=0)
    missing = ~np.isfinite(tops[-1])
    levels = np.array([scale.position(top) for top in tops]) * 8 * height
    levels = np.where(missing, 0.0, levels)
    # What is there at all shows at least a little.
    total = np.where(missing, 0.0, np.maximum(levels[-1], 1.0))
    floor = 8.0 * np.arange(height - 1, -1, -1)[:, None]
    filled = np.clip(np.rint(total - floor), 0, 8).astype(np.intp)
    # Which layer each eighth of a cell is of, from the top down: shape `(height, 8, width)`.
    eighths = np.arange(8 * height - 1, -1, -1)[:, None] + 0.5
    which = (levels[:, None, :] <= np.minimum(eighths, np.maximum(total - 0.5, 0.0))).sum(axis=0)
    which = which.clip(0, len(layers) - 1).reshape(height, 8, width)
    there = (eighths < total).reshape(height, 8, width)
    most = np.array([((which == i) & there).sum(axis=1) for i in range(len(layers))]).argmax(axis=0)
    top, bottom = which[:, 0], which[:, 7]
    glyphs = [layer.letter if ascii_only else layer.texture if textured else "█" for layer in layers]
    of_layer = np.array([ord(glyph) for glyph in glyphs], dtype=np.uint32)
    if ascii_only:
        least = np.where(floor == 0, 1, 4)  # the lowest row shows whatever there is
        codes = np.where(filled >= least, of_layer[most], np.uint32(BLANK))
    else:
        codes = np.where(filled == 8, of_layer[most], _BLOCKS[filled])
    names = ["", *(layer.role for layer in layers)]
    roles = np.where(codes != BLANK, most + 1, 0).astype(np.uint8)
    if not ascii_only and not textured:
        met = (filled == 8) & (bottom != top)
        codes = np.where(met, _BLOCKS[(which == bottom[:, None]).sum(axis=1)], codes)
        for pair in np.unique(bottom[met] * len(layers) + top[met]).tolist():
            lower, upper = divmod(pair, len(layers))
            names.append(f"{layers[lower].role}/{layers[upper].role}")
            roles[met & (bottom == lower) & (top == upper)] = len(names) - 1
    for mark in marks:
        if 0 <= mark.column < width:
            if mark.role not in names:
                names.append(mark.role)
            free = codes[:, mark.column] == BLANK
            codes[free, mark.column] = ord("|" if ascii_only else mark.glyph)
            roles[free, mark.column] = names.index(mark.role)
    return Grid(codes.astype(np.uint32), roles, tuple(names))


def crossed(grid: Grid, line: Line, scale: Scale, *, ascii_only: bool = False) -> Grid:
    """A line over an area, the grid's first role, also where that fills a cell: there its role is
    `LINE/AREA`."""
    height, width = grid.codes.shape
    letter = line.letter if ascii_only else None
    cells = line_cells(line.values, scale, width, height, letter=letter)
    filled = (grid.roles == 1) & ((grid.codes == ord("█")) | ascii_only)
    free = grid.codes == BLANK
    here = cells > 0
    codes = np.where(here & (filled | free), cells, grid.codes)
    area = grid.names[1] if len(grid.names) > 1 else ""
    names = (*grid.names, line.role, line.role if ascii_only else f"{line.role}/{area}")
    roles = grid.roles.copy()
    roles[here & free] = len(names) - 2
    roles[here & filled] = len(names) - 1
    return Grid(codes, roles, names)


def tinted(grid: Grid, where: NDArray[np.bool_], role: str, *, rows: int | None = None) -> Grid:
    """What an area, the grid's first role, covers in the columns of `where` takes another role, in the
    topmost `rows` or in all."""
    width = grid.codes.shape[1]
    wanted = columns(where.astype(np.float64), width) == 1.0
    drawn = (grid.roles == 1) & wanted[None, :]
    if rows is not None:
        drawn[rows:] = False
    roles = np.where(drawn, len(grid.names), grid.roles).astype(np.uint8)
    return Grid(grid.codes, roles, (*grid.names, role))
