"""The one picture of a comparison: the figure that says most, over the load; of one load, all intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sessions.digits import digits
from tui.report.plotext_chart import Curve, Theme, chart

MOST_SHOWN = 1.0
"""Intervals are cut at twice as much, and at nothing."""

if TYPE_CHECKING:
    from sessions.compare.schema import Versus


def picture(versus: Versus, theme: Theme) -> str:
    """A chart of the figure that is worse or better by most, else of the first; where both sides have it at
    fewer than two loads, all intervals. "" where there is none."""
    metric = most_telling(versus)
    loads = [load for load in versus.loads if not load.load.startswith("whole") and load.value_b is None]
    if metric is None or len(loads) < 2:
        return intervals(versus, theme)
    found = [(load, next(f for f in load.figures if f.metric == metric)) for load in loads]
    pairs = sorted((load.value, figure.a, figure.b) for load, figure in found if figure.a and figure.b)
    if len(pairs) < 2:
        return intervals(versus, theme)
    label = found[0][1].label + (", ms" if "." in metric else "")
    xs = [value for value, _, _ in pairs]
    closed = loads[0].load.startswith("concurrency")
    over = "concurrency" if closed else "the offered rate"
    title = f"{label} over {over}: {_point(0, theme)} A, {_point(1, theme)} B"
    curves = [Curve("A", xs, [a for _, a, _ in pairs]), Curve("B", xs, [b for _, _, b in pairs])]
    x_label = "concurrency" if closed else "requests per second"
    return chart(title, x_label, curves, theme, joined=False)


def intervals(versus: Versus, theme: Theme) -> str:
    """How much B is more than A, a line a figure, on one axis around no change."""
    known = [f for f in versus.overall if f.low is not None and f.high is not None and f.ratio]
    if not known:
        return ""
    reach = min(max(max(abs((f.low or 1) - 1), abs((f.high or 1) - 1)) for f in known), MOST_SHOWN)
    name = max(len(figure.label) for figure in known)
    half = (theme.width - name - 3) // 2
    dash, point, middle = ("─", "●", "│") if theme.braille else ("-", "o", "|")

    def column(ratio: float) -> int:
        return half + round(min(max((ratio - 1) / reach, -1.0), 1.0) * half)

    lines = []
    for figure in known:
        row = [" "] * (2 * half + 1)
        row[half] = middle
        low, high = column(figure.low or 1.0), column(figure.high or 1.0)
        row[low : high + 1] = dash * (high + 1 - low)
        row[column(figure.ratio or 1.0)] = point
        lines.append(f"{figure.label:<{name}}  {''.join(row)}".rstrip())
    left, right = f"-{digits(reach * 100, 3)} %", f"+{digits(reach * 100, 3)} %"
    axis = f"{left:<{half - 4}}no change{right:>{half - 4}}"
    return "\n".join(["B against A, with intervals", *lines, " " * (name + 2) + axis])


def most_telling(versus: Versus) -> str | None:
    """The metric by which the sides differ most, of what is known to differ, else the first of both."""
    differing = [f for f in versus.overall if f.word in ("worse", "better") and f.ratio]
    if differing:
        return max(differing, key=lambda figure: abs(math.log(figure.ratio or 1.0))).metric
    known = [f for f in (*versus.overall, *versus.loads[0].figures) if f.ratio is not None]
    return known[0].metric if known else None


def _point(nth: int, theme: Theme) -> str:
    from tui.report.plotext_chart import POINTS

    return POINTS[theme.braille][nth]
