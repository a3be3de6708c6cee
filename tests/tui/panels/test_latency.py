"""Three percentiles in one chart: each is to be seen, and where they meet the worse one is."""

from __future__ import annotations

import numpy as np
import pytest

from sessions.frame.schema import Band, Stat
from tui.draw.layout import Columns
from tui.draw.theme import Theme
from tui.panels.latency import latency
from tui.plots.scale import Scale

AT = Columns(8, 40, 28)


def cells(p50: float, p95: float, p99: float) -> dict[str, int]:
    """How many cells of the plot each percentile has."""
    band = Band(*(np.full(AT.plot, value) for value in (p50, p95, p99)))
    scale = Scale(1.0, 1000.0, log=True)
    rows = latency("TTFT ms", band, Stat(), Stat(), 10, scale, AT, 8, Theme())
    plots = [
        span
        for row in rows
        for span in row
        if span[0].strip() and set(span[0]) & set(map(chr, range(0x2801, 0x2900)))
    ]
    return {name: sum(len(text) for text, role in plots if role == name) for name in ("p50", "p95", "p99")}


def test_percentiles_apart_are_all_there() -> None:
    assert cells(10, 100, 800) == {"p50": 40, "p95": 40, "p99": 40}


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        ((10, 10, 800), {"p50": 0, "p95": 40, "p99": 40}),
        ((10, 800, 800), {"p50": 40, "p95": 0, "p99": 40}),
        ((10, 10, 10), {"p50": 0, "p95": 0, "p99": 40}),
    ],
)
def test_where_percentiles_meet_the_worse_one_is_seen(
    values: tuple[float, ...], seen: dict[str, int]
) -> None:
    assert cells(*values) == seen
