"""The course of a session as two small charts beside its figures: TTFT p95 and the rate. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tui.draw.numbers import clock, label, ms_label
from tui.draw.rows import Row
from tui.draw.theme import Theme
from tui.plots.chart import Band, chart
from tui.plots.scale import Scale, fitted, ticks

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessions.frame.course import Course
    from tui.plots.scale import Series

LEAST_ROWS = 9
"""Two titles, two charts of three rows, an axis."""
_MOST_CHART = 14
_LABEL = 8


def course_rows(
    course: Course, width: int, height: int, theme: Theme, target_ms: float | None = None
) -> list[Row]:
    """At most `height` rows; none where there is no room. `target_ms`: of TTFT p95, where there was one."""
    plot = width - _LABEL - 3
    if height < LEAST_ROWS or plot < 12:
        return []
    rows = min((height - 3) // 2, _MOST_CHART)
    p95, rps = (_stretched(values, plot) for values in (course.ttft_p95_ms, course.sent_rps))
    known = [p95] if target_ms is None else [p95, np.array([target_ms])]
    scale = fitted(None, known, 0, log=True, least_high=10.0)
    if target_ms is None:
        bands = [Band(p95, None, "fan95")]
    else:
        over = p95 > target_ms
        held, missed = np.where(over, np.nan, p95), np.where(over, p95, np.nan)
        bands = [Band(held, None, "fan95"), Band(missed, None, "over95", "#")]
    line = None if target_ms is None else min(int((1 - scale.place(target_ms)) * rows), rows - 1)
    said = "" if target_ms is None else f"   target {ms_label(target_ms)}"
    made: list[Row] = [[(f" {'TTFT p95':>{_LABEL}}  ", "label"), ("over the run", "dim"), (said, "target")]]
    made += _chart(bands, scale, rows, plot, theme, ms_label, line)
    rate = fitted(None, [rps], 0, least_high=1.0)
    made.append([(f" {'sent':>{_LABEL}}  ", "label"), ("requests/s", "dim")])
    made += _chart([Band(rps, None, "quiet")], rate, rows, plot, theme, label, None)
    end = clock(round(course.seconds * 1e9), hours=False)
    made.append([(" " * (_LABEL + 3), ""), ("00:00" + end.rjust(plot - 5), "axis")])
    return made


def _stretched(values: Series, width: int) -> Series:
    """Each column as wide as the others, about."""
    return values[np.arange(width) * len(values) // width]


def _chart(
    bands: list[Band],
    scale: Scale,
    rows: int,
    plot: int,
    theme: Theme,
    named: Callable[[float], str],
    target_row: int | None,
) -> list[Row]:
    grid = [] if target_row is None else [target_row]
    drawn = chart([], bands, scale, plot, rows, grid_rows=grid, ascii_only=theme.ascii_only).rows()
    labels = ticks(scale, rows, named)
    return [[(f" {labels.get(y, ''):>{_LABEL}} ", "axis"), (" ", ""), *row] for y, row in enumerate(drawn)]
