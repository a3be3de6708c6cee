"""A row of the screen as plain values: runs of text, each with the name of a role of `tui.draw.theme`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment

Span = tuple[str, str]
"""Text and the role it is drawn in; the empty role is the terminal's own colours."""
Row = list[Span]


all_of_one_cell = re.compile("[ -~\u00a1-\u00ac\u00ae-\u02ff\u2500-\u25fc\u2800-\u28ff…→↗↘✓✗]*").fullmatch
"""Nearly all that is drawn, each of one cell: charts change with every frame, and a look-up costs."""


def cells_of(text: str) -> int:
    """The cells that a text takes."""
    if (text.isascii() and text.isprintable()) or all_of_one_cell(text):
        return len(text)
    return _looked_up(text)


_looked_up = lru_cache(4096)(cell_len)


def width_of(row: Sequence[Span]) -> int:
    """Cells."""
    whole = "".join([text for text, _ in row])  # one look at a row, not one at each of its many runs
    return len(whole) if all_of_one_cell(whole) else sum(cells_of(text) for text, _ in row)


def fitted(row: Sequence[Span], width: int) -> Row:
    """Exactly `width` cells: cut at the right, or padded with blanks."""
    whole = "".join([text for text, _ in row])
    if len(whole) <= width and all_of_one_cell(whole):
        out = [span for span in row if span[0]]
        if len(whole) < width:
            out.append((" " * (width - len(whole)), ""))
        return out
    out = []
    left = width
    for span in row:
        text = span[0]
        cells = len(text) if text.isascii() and text.isprintable() else cells_of(text)
        if cells > left:
            if left > 0:
                out.append((set_cell_size(text, left), span[1]))
            left = 0
            break
        if text:
            out.append(span)
            left -= cells
    if left > 0:
        out.append((" " * left, ""))
    return out


def sliced(row: Sequence[Span], begin: int, end: int) -> Row:
    """The cells from `begin` up to `end`; a wide character that is cut leaves a blank."""
    out: Row = []
    at = 0
    for text, role in row:
        cells = cells_of(text)
        if at >= end:
            break
        if at + cells > begin:
            part = Segment(text).split_cells(begin - at)[1].text if at < begin else text
            if at + cells > end:
                part = Segment(part).split_cells(end - max(at, begin))[0].text
            out.append((part, role))
        at += cells
    return out


def spread(left: Sequence[Span], right: Sequence[Span], width: int) -> Row:
    """`left` at the left edge, `right` at the right one; `left` is cut where they meet."""
    room = max(width - width_of(right), 0)
    return fitted([*fitted(left, room), *right], width)


class Field:
    """Runs that are shown whole or not at all. The lowest `rank` stays longest."""

    __slots__ = ("rank", "runs")

    def __init__(self, rank: int, *runs: Span) -> None:
        self.rank = rank
        self.runs = [run for run in runs if run[0]]


def chosen(fields: Sequence[Field], width: int, gap: int = 2) -> Row:
    """The fields that fit in `width` cells, in their order, `gap` blanks between them."""
    kept = [(field, width_of(field.runs) + gap) for field in fields if field.runs]
    needed = sum(cells for _, cells in kept) - gap
    while len(kept) > 1 and needed > width:
        last = max(kept, key=lambda one: one[0].rank)
        kept.remove(last)
        needed -= last[1]
    out: Row = []
    for i, (field, _) in enumerate(kept):
        if i:
            out.append((" " * gap, ""))
        out.extend(field.runs)
    return out
