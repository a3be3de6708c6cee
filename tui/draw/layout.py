"""How many rows each panel gets on a screen of a given size. Pure.

Every chart is a strip across the whole width: a gutter with the scale, the plot, and its numbers at the
right. All plots share their columns, and so one time axis, one cursor, and marks that cross them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LEAST_WIDTH, LEAST_HEIGHT = 60, 16

ORDER = (
    *("header", "load", "limit", "ttft", "itl", "rate", "tokens", "in_flight"),
    *("server", "gpus", "axis", "machines"),
)
"""From the top down; `events`, `scrub` and `bottom` stand below."""

GAPS = ("itl", "server", "rate", "gpus")
"""Panels that a blank row sets apart from the one above, where there is room; the first gets it first."""

# Who gets the next rows, and up to how many, until none is left. The first lines are what must be seen.
GROWTH: tuple[tuple[str, int], ...] = (
    ("ttft", 3),
    ("itl", 3),
    ("gpus", 1),
    ("rate", 1),
    ("events", 1),
    ("server", 1),
    ("tokens", 1),
    ("in_flight", 1),
    ("ttft", 5),
    ("itl", 4),
    ("rate", 2),
    ("gpus", 2),
    ("ttft", 6),
    ("itl", 5),
    ("rate", 3),
    ("tokens", 2),
    ("gpus", 4),
    ("in_flight", 2),
    ("events", 3),
    ("machines", 1),
    ("gpus", 8),
    ("ttft", 7),
    ("itl", 6),
    ("gaps", 2),
    ("server", 2),
    ("events", 4),
    ("gaps", 4),
    ("ttft", 9),
    ("itl", 8),
    ("rate", 4),
    ("tokens", 3),
    ("gpus", 16),
    ("in_flight", 3),
    ("events", 7),
    ("gpus", 32),
    ("ttft", 13),
    ("itl", 11),
    ("rate", 6),
    ("tokens", 4),
    ("in_flight", 4),
)


@dataclass(frozen=True)
class Shape:
    """What of a frame decides the layout."""

    gpus: int = 0
    gpu_note: bool = False
    """There is no GPU to show, and one line says why."""
    server: int = 0
    """Strips the server's own figures could fill: 0, 1 or 2."""
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


def gpu_tiers(gpus: int) -> tuple[int, ...]:
    """Rows the GPUs can be shown in, leanest first: two side by side, one row each, two, four."""
    if gpus > 2:
        return (gpus + 1) // 2, gpus, 2 * gpus, 4 * gpus
    return gpus, 2 * gpus, 4 * gpus


def rows_for(height: int, shape: Shape) -> Mapping[str, int]:
    """Rows of every panel; a panel that does not fit has 0. They add up to `height`."""
    rows = dict.fromkeys(ORDER, 0) | {
        "header": 1,
        "load": 1,
        "limit": 1,
        "axis": 1,
        "events": 0,
        "gaps": 0,
        "bottom": 1,
    }
    rows["scrub"] = int(shape.scrub)
    left = height - sum(rows.values())
    most = {"server": shape.server, "gpus": 4 * shape.gpus if shape.gpus else int(shape.gpu_note)}
    most["machines"] = int(shape.machines)
    most["gaps"] = len(GAPS) - (not shape.server) - (not most["gpus"])
    for name, upto in GROWTH:
        upto = min(upto, most.get(name, upto))
        if name == "gpus" and shape.gpus:
            fitting = [tier for tier in gpu_tiers(shape.gpus) if tier <= max(upto, gpu_tiers(shape.gpus)[0])]
            # The leanest form must be there even on a small screen, then cut short.
            upto = min(fitting[-1], left + rows[name]) if not rows[name] else fitting[-1]
            if upto - rows[name] > left:
                continue
        grown = min(upto - rows[name], left)
        if grown > 0:
            rows[name] += grown
            left -= grown
    rows["ttft"] += left - left // 2
    rows["itl"] += left // 2
    return rows
