"""How many rows each panel gets on a screen of a given size. Pure.

All charts of a view share their columns, and so one time axis, one cursor, and marks that cross them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEAST_WIDTH, LEAST_HEIGHT = 60, 16
FRAMED_WIDTH = 100
"""From so many columns on the overview has frames, and a second column beside its charts."""
HEAD = 3
_NOTE_CELLS = 76
"""Of a note in one row of a terminal of 80."""
_LONG_NOTE_CELLS = 100
"""Of a note in three rows of the second column."""
CHARTS = ("ttft", "itl", "rate", "tokens", "in_flight")
"""From the top down."""
MATRIX_ABOVE = 8
"""More GPUs than this are a matrix of cells."""


@dataclass(frozen=True)
class Shape:
    """What of a frame decides the layout."""

    gpus: int = 0
    gpu_groups: tuple[int, ...] = ()
    """How many of them each machine has, where they are told apart by it."""
    gpu_note: int = 0
    """Letters of what says why there is no GPU to show; 0: nothing does, or there is one."""
    server: int = 0
    """Rows that the server's own figures fill at least: 0, 1 or 2."""
    machines: bool = False
    """There is something to say of the machines: energy, CPU, what a poll costs."""
    scrub: bool = False


@dataclass(frozen=True)
class Columns:
    """Cells of a strip's three parts."""

    gutter: int
    plot: int
    side: int


def columns_for(width: int) -> Columns:
    gutter, side = next(
        (gutter, side)
        for least, gutter, side in ((150, 9, 52), (100, 8, 41), (72, 6, 28), (0, 6, 24))
        if width >= least
    )
    return Columns(gutter, max(width - gutter - side, 1), side)


def overview_columns(width: int) -> Columns:
    """Of the overview: its charts have the whole width, or all but that of the column beside them."""
    gutter, side = next(
        (gutter, side)
        for least, gutter, side in (
            (180, 9, 71),
            (150, 9, 53),
            (116, 8, 45),
            (FRAMED_WIDTH, 8, 41),
            (0, 6, 0),
        )
        if width >= least
    )
    return Columns(gutter, max(width - gutter - side, 1), side)


# Who gets the next rows, and up to how many, until none is left. The first lines are what must be seen.
_PLAIN: Sequence[tuple[str, int]] = (
    *(("ttft", 3), ("itl", 3), ("gpus", 1), ("rate", 1), ("server", 1), ("in_flight", 1), ("tokens", 1)),
    *(("events", 1), ("gpus", 5), ("ttft", 4), ("itl", 4), ("machines", 1), ("rate", 2), ("ttft", 5)),
    *(("server", 2), ("gpus", 9), ("ttft", 7), ("itl", 6), ("events", 3), ("tokens", 2), ("in_flight", 2)),
    *(("gpus", 17), ("ttft", 10), ("itl", 9), ("rate", 4), ("events", 6), ("tokens", 3), ("in_flight", 3)),
    *(("ttft", 16), ("itl", 14), ("rate", 6), ("tokens", 5), ("in_flight", 5)),
)
_CHARTS: Sequence[tuple[str, int]] = (
    *(("ttft", 3), ("itl", 3), ("rate", 1), ("in_flight", 1), ("tokens", 1), ("ttft", 4), ("itl", 4)),
    *(("rate", 2), ("ttft", 6), ("itl", 5), ("rate", 3), ("in_flight", 2), ("tokens", 2), ("ttft", 9)),
    *(("itl", 7), ("in_flight", 3), ("tokens", 3), ("rate", 4), ("ttft", 12), ("itl", 9), ("rate", 5)),
    *(("ttft", 16), ("itl", 13), ("rate", 7), ("tokens", 5), ("in_flight", 6)),
)
_TITLED = {"ttft": 1, "itl": 1}
"""Rows above their own: in a frame each panel has a title."""


def plain_rows(height: int, shape: Shape) -> Mapping[str, int]:
    """Rows of every panel of one column, without the titles of latencies; they and those of head, axis and
    foot add up to `height`. A panel that does not fit has 0."""
    names = {name for name, _ in _PLAIN}
    left = height - HEAD - 2 - shape.scrub - sum(_TITLED.values())
    most = {"server": shape.server, "machines": int(shape.machines), "gpus": plain_gpu_rows(shape)[-1]}
    rows = dict.fromkeys(names, 0)
    for name, upto in _PLAIN:
        upto = min(upto, most.get(name, upto))
        if name == "gpus" and shape.gpus:
            # The leanest form must be there even on a small screen, then cut short.
            forms = plain_gpu_rows(shape)
            upto = max((form for form in forms if form <= max(upto, forms[0])), default=forms[0])
            if rows[name] and upto - rows[name] > left:
                continue
        grown = max(min(upto - rows[name], left), 0)
        rows[name] += grown
        left -= grown
    rows["ttft"] += left - left // 2
    rows["itl"] += left // 2
    return rows


def plain_gpu_rows(shape: Shape) -> Sequence[int]:
    """Rows the GPUs can be shown in, leanest first."""
    if not shape.gpus:
        return (1, 2) if shape.gpu_note > _NOTE_CELLS else (int(shape.gpu_note > 0),)
    if shape.gpus > MATRIX_ABOVE:
        return (2, 2 + max(-(-shape.gpus // 20), len(shape.gpu_groups)))
    if shape.gpus > 2:
        return (1 + (shape.gpus + 1) // 2, 1 + shape.gpus, *_with_heads(shape, 1))
    return (shape.gpus, 4 * shape.gpus)


def chart_rows(height: int) -> Mapping[str, int]:
    """Rows of the charts of a frame of `height` rows, each with a title above; 0: neither is shown."""
    rows = dict.fromkeys(CHARTS, 0)
    left = height - 1
    for name, upto in _CHARTS:
        title = 0 if rows[name] else 1
        grown = min(upto - rows[name], left - title)
        if grown > 0:
            rows[name] += grown
            left -= grown + title
    rows["ttft"] += left - left // 2
    rows["itl"] += left // 2
    return rows


def beside_rows(height: int, shape: Shape, across: int) -> Mapping[str, int]:
    """Rows of the panels of the second column, of a frame of `height` rows, each with a title above.
    `across`: GPUs in a row of the matrix. `events` has what the others leave."""
    left = height - 1 - 2  # the lower side, and the newest event under its title
    rows = {"server": 0, "gpus": 0, "machines": 0, "more": 0}
    forms = _beside_gpu_rows(shape, across)
    for name, wanted in (("gpus", forms[0]), ("server", shape.server), ("machines", int(shape.machines))):
        title = 0 if name == "machines" else 1  # its title is all there is of it
        if not wanted:
            continue
        grown = min(wanted, left - title)
        if grown > 0:
            rows[name] = grown
            left -= grown + title
    for form in forms[1:]:
        if rows["gpus"] and form - rows["gpus"] <= left - 3:
            left -= form - rows["gpus"]
            rows["gpus"] = form
    if rows["server"]:
        grown = min(max(left - 8, 0), 12) or min(max(left - 5, 0), 3)
        rows["server"] += grown
        left -= grown
    if left > 14:
        rows["more"] = left - 7
        left = 6
    rows["events"] = left + 1
    return rows


def _beside_gpu_rows(shape: Shape, across: int) -> Sequence[int]:
    if not shape.gpus:
        return (1, 3, 6)[: 3 if shape.gpu_note > _LONG_NOTE_CELLS else 2] if shape.gpu_note else (0,)
    if shape.gpus > MATRIX_ABOVE:
        whole = -(-shape.gpus // max(across, 1))
        apart = sum(-(-size // max(across, 1)) for size in shape.gpu_groups)
        return (whole + 1, *((apart + 1,) if apart > whole else ()), max(whole, apart) + 3)
    if shape.gpus == 1:
        return (1, 4, 8)
    if shape.gpus <= 2:
        return (shape.gpus, 4 * shape.gpus)
    return (shape.gpus, *_with_heads(shape, 0))


def _with_heads(shape: Shape, more: int) -> Sequence[int]:
    """A row above the GPUs of each machine."""
    heads = len(shape.gpu_groups)
    return (more + shape.gpus + heads,) if heads else ()
