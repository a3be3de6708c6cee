"""Sparklines, areas and bars in block characters on a fixed scale. numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tui.plots.chart import Grid, Line, Mark, columns, line_cells
from tui.plots.scale import Scale, Series

_BLOCKS = np.array([ord(glyph) for glyph in " ▁▂▃▄▅▆▇█"], dtype=np.uint32)
_ASCII = np.array([ord(glyph) for glyph in " .:-=+*##"], dtype=np.uint32)


def area(
    values: Series,
    scale: Scale,
    width: int,
    height: int,
    role: str,
    *,
    marks: Sequence[Mark] = (),
    line: Line | None = None,
    ascii_only: bool = False,
) -> Grid:
    """A filled area, eight levels to a row; one row is a sparkline. A gap is blank, 0 the lowest level.

    A `line` shows where it runs above the area: as long as they agree there is nothing to see of it.
    """
    glyphs = _ASCII if ascii_only else _BLOCKS
    # The topmost eighth stays free, so that full strips above one another do not run together.
    level = 1 + np.rint(scale.position(columns(values, width)) * (8 * height - 2))
    floor = 8 * np.arange(height - 1, -1, -1)[:, None]
    filled = np.minimum(np.fmax(level - floor, 0.0), 8.0).astype(np.intp)  # nothing of a gap
    codes = glyphs[filled]  # the first of them is a blank
    names = ["", role]
    roles = (filled > 0).astype(np.uint8)
    for mark in marks:
        if 0 <= mark.column < width and mark.faint:
            if mark.faint not in names:
                names.append(mark.faint)
            # What was measured stays on top: of many marks nothing else would be left to see.
            free = filled[:, mark.column] == 0
            codes[free, mark.column] = ord(":" if ascii_only else "┊")
            roles[free, mark.column] = names.index(mark.faint)
    if line is not None and width and height:
        cells = line_cells(line.values, scale, width, height, letter=line.letter if ascii_only else None)
        names.append(line.role)
        above = (cells > 0) & (filled == 0)
        codes[above], roles[above] = cells[above], len(names) - 1
    return Grid(codes, roles, tuple(names))


def spark(
    values: Series, scale: Scale, size: tuple[int, int], role: str, upto: int, *, ascii_only: bool = False
) -> Grid:
    """All `values`, a column each, as an area of `size` cells and rows: as many to a cell as there are, by
    their mean. Those from the column `upto` on are still to come: dimmed."""
    width, height = size
    grid = area(squeezed(values, width), scale, width, height, role, ascii_only=ascii_only)
    return grid if upto >= len(values) else grid.dimmed_from(-(-upto * width // len(values)))


def squeezed(values: Series, width: int) -> Series:
    """Means by cell of a chart that has fewer or more cells than there are `values`; NaN of none."""
    count = len(values)
    if not count or not width or count == width:
        return values[:width]
    if width > count:
        return values[np.arange(width) * count // width]
    begins = np.arange(width) * count // width
    known = np.isfinite(values)
    sums = np.add.reduceat(np.where(known, values, 0.0), begins)
    counts = np.add.reduceat(known.astype(np.float64), begins)
    means: Series = np.divide(sums, counts, out=np.full(width, np.nan), where=counts > 0)
    return means


def bar(
    parts: Sequence[tuple[float | None, str]], width: int, *, solid: int = 1, ascii_only: bool = False
) -> list[tuple[str, str]]:
    """A horizontal bar: each part a share (0 to 1) of the whole with its role, the rest as `bar_rest`.

    The first `solid` parts are solid, the next ones broken. None anywhere draws an empty bar.
    """
    whole, broken, rest = ("#", "=", ".") if ascii_only else ("━", "╍", "─")
    out: list[tuple[str, str]] = []
    used = 0
    known = all(share is not None and np.isfinite(share) for share, _ in parts)
    reached = 0.0
    for i, (share, role) in enumerate(parts if known else ()):
        reached += min(max(share or 0.0, 0.0), 1.0)
        upto = min(round(reached * width), width)
        if upto > used:
            out.append(((whole if i < solid else broken) * (upto - used), role))
            used = upto
    if used < width:
        out.append((rest * (width - used), "bar_rest"))
    return out
