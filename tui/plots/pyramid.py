"""Two distributions back to back, a row of each at the same height: one grows to the left, the other to the
right. numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tui.draw.rows import Row, Span
from tui.plots.scale import Series

_EIGHTHS = "▏▎▍▌▋▊▉█"


def pyramid(
    left: Series | None,
    right: Series | None,
    roles: tuple[str, str],
    width: int,
    *,
    labels: tuple[Sequence[str], Sequence[str]] = ((), ()),
    ascii_only: bool = False,
) -> list[Row]:
    """Rows of exactly `width` cells. `left` and `right` are shares by row, None where there is none; both are
    drawn on one scale. `labels`, by row, stand at the outer edges where the bars leave room."""
    height = len(right if right is not None else left if left is not None else ())
    room = max((width - 1) // 2, 0)
    most = max((float(side.max(initial=0.0)) for side in (left, right) if side is not None), default=0.0)
    out: list[Row] = []
    for i in range(height):
        a = 0.0 if left is None or not most else float(left[i]) / most * room
        b = 0.0 if right is None or not most else float(right[i]) / most * room
        at_left = labels[0][i] if i < len(labels[0]) else ""
        at_right = labels[1][i] if i < len(labels[1]) else ""
        axis = "|" if ascii_only else "│"
        row: Row = [*_left(a, room, roles[0], at_left, ascii_only), (axis, "axis")]
        row += _right(b, width - room - 1, roles[1], at_right, ascii_only)
        out.append([run for run in row if run[0]])
    return out


def _left(cells: float, room: int, role: str, label: str, ascii_only: bool) -> list[Span]:
    whole = min(round(cells * 2) // 2, room)
    half = not ascii_only and round(cells * 2) % 2 == 1 and whole < room
    bar = ("#" if ascii_only else "█") * whole
    if not whole and not half and cells > 0:
        bar = "." if ascii_only else "▕"
    elif half:
        bar = "▐" + bar
    free = room - len(bar)
    shown = label if len(label) + 1 <= free else ""
    return [(shown, "dim"), (" " * (free - len(shown)), ""), (bar, role)]


def _right(cells: float, room: int, role: str, label: str, ascii_only: bool) -> list[Span]:
    eighths = min(int(np.rint(cells * 8)), room * 8)
    if ascii_only:
        bar = "#" * round(eighths / 8) or ("." if cells > 0 else "")
    else:
        bar = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8 - 1] if eighths % 8 else "")
        bar = bar or ("▏" if cells > 0 else "")
    free = room - len(bar)
    shown = label if len(label) + 1 <= free else ""
    return [(bar, role), (" " * (free - len(shown)), ""), (shown, "dim")]
