"""The plot of a curve: points with intervals, the other session behind, the knee, a search's bracket."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from sessions.curve.curve import Curve
from sessions.curve.point import Point
from sessions.curve.what_if import Held
from sessions.plan.slo import Target
from tui.draw import numbers
from tui.draw.rows import Field, Row, Span, fitted
from tui.draw.theme import Theme
from tui.plots.scale import Scale, ticks
from tui.plots.scale import fitted as fitted_scale
from tui.plots.scatter import Dot, Path, Upright, along, axis, scatter
from tui.views.curve_axes import axes_of, x_of
from tui.views.curve_marks import NEXT, is_hollow, mark_of, step_of
from tui.views.strips import titled
from tui.views.what_if import bracket

GUTTER = 8


class Plotted(NamedTuple):
    """What all plots of one frame are drawn from."""

    curve: Curve
    ghosts: tuple[Point, ...]
    held: tuple[Held, ...] | None
    """By point of the curve."""
    targets: tuple[Target, ...]
    selected: Point | None
    theme: Theme
    log: bool
    ghosts_of: str = ""
    """The other session's name."""
    moved: bool = False
    """`held` is of another target than the run's own."""


def plot(shown: Plotted, name: str, width: int, height: int, *, small: bool = False) -> list[Row]:
    """Title, plot and axis in exactly `height` rows of `width` cells. `small`: it stands beside another,
    whose title says what is not of this figure alone."""
    return list(_plot(shown, name, width, height, small))


@lru_cache(maxsize=8)
def _plot(shown: Plotted, name: str, width: int, height: int, small: bool) -> Sequence[Row]:
    """A curve moves once a second at most, a screen is drawn ten times."""
    axes, theme, curve = axes_of(name, shown.curve.points), shown.theme, shown.curve
    inner, rows = width - GUTTER, height - 2
    if inner < 12 or rows < 2:
        return [fitted([], width)] * max(height, 0)
    target = _target(shown, name)
    level = target.limit if target is not None and target.statistic == "p95" else None
    dots, paths = dots_of(shown, name)
    # Of other targets than its own only this session's requests are known.
    behind = () if name == "goodput" and shown.moved else shown.ghosts
    others = [
        (point.is_steady, Dot(x, y, theme.glyph("ghost"), "ghost"))
        for point in behind
        if point.stage.closed == curve.closed or name == "pareto"
        if (x := x_of(point, name)) is not None and (y := axes.y(point, None).value) is not None
    ]
    ghosts = [dot for _, dot in others]
    paths += joined([dot for steady, dot in others if steady], name, "ghost", ":")
    every = [*dots, *ghosts]
    x_scale = along([dot.x for dot in every])
    ends = [end for dot in every for end in (dot.low, dot.y, dot.high) if end is not None and end > 0]
    y_scale = _scale([*ends, *([level] if level is not None else [])], axes.log and shown.log)
    uprights, words = ([], []) if name == "pareto" else _brackets(shown)
    grid = scatter(
        [*ghosts, *dots],
        paths,
        x_scale,
        y_scale,
        inner,
        rows,
        uprights=uprights,
        level=level,
        ascii_only=theme.ascii_only,
    )
    labels = ticks(y_scale, rows, numbers.ms_label if axes.unit else numbers.label)
    titled_by = shown._replace(ghosts=()) if small else shown
    out = [_title(titled_by, name, target, [] if small else words, width)]
    for i, cells in enumerate(grid.rows()):
        text = labels.get(i, "")
        edge = theme.glyph("tick" if text else "wall")
        out.append(fitted([(text.rjust(GUTTER - 1)[-(GUTTER - 1) :] + edge, "axis"), *cells], width))
    unit = "tok/s/user" if name == "pareto" else load_unit(curve)
    below = axis(x_scale, inner, lambda value: f"{value:g}", unit, theme.glyph("floor"))
    return [*out, fitted([(theme.glyph("corner").rjust(GUTTER), "axis"), *below], width)]


def load_unit(curve: Curve) -> str:
    return "at once" if curve.closed else "rps"


def _scale(ends: Sequence[float], log: bool) -> Scale:
    return fitted_scale(None, [np.array(ends)], 0, log=log, least_high=100.0 if log else 1.0)


def dots_of(shown: Plotted, name: str) -> tuple[list[Dot], list[Path]]:
    """The points, those that say most last, and the lines through those that were steady."""
    axes = axes_of(name, shown.curve.points)
    growing, verdicts, found = shown.curve.growing, dict(shown.curve.said), []
    for index, point in enumerate(shown.curve.points):
        if name != "pareto" and point.stage.closed != shown.curve.closed:
            continue
        held = None if shown.held is None else shown.held[index]
        x, figure = x_of(point, name), axes.y(point, held)
        if x is None or x <= 0 or figure.value is None:
            continue
        mark, role = mark_of(point, growing is point, shown.theme, step_of(point, verdicts))
        if role == "point" and axes.metric and _is_late(point, figure.value, axes.metric, shown.targets):
            role = "point_late"
        chosen = point is shown.selected
        found.append((point, Dot(x, figure.value, mark, role, figure.low, figure.high, chosen)))
    paths = joined([dot for point, dot in found if point.is_steady], name, "curve", ".")
    found.sort(key=lambda each: (each[0] is shown.selected, growing is each[0], not is_hollow(each[0])))
    return [dot for _, dot in found], paths


def joined(dots: Sequence[Dot], name: str, role: str, letter: str) -> list[Path]:
    """Lines through all of them, one at each place; of a Pareto curve through those that no other one beats.
    Dashed where they are so far apart that nobody knows what is between."""
    if name == "pareto":
        dots = [
            a for a in dots if not any(b.x >= a.x and b.y >= a.y and (b.x, b.y) != (a.x, a.y) for b in dots)
        ]
    at = {dot.x: dot.y for dot in dots}
    return [Path((a, b), (at[a], at[b]), role, letter, b > NEXT * a) for a, b in pairwise(sorted(at))]


def _is_late(point: Point, value: float, metric: str, targets: Sequence[Target]) -> bool:
    return any(each.metric == metric and each.statistic == "p95" and value > each.limit for each in targets)


def _brackets(shown: Plotted) -> tuple[list[Upright], list[Span]]:
    """The limit that a search has left open; else the knee, where it is bracketed."""
    curve = shown.curve
    if curve.search is not None:
        found = curve.search
        low, high, word = found.passed, found.failed, "limit"
    elif curve.knee is not None:
        low, high = curve.knee
        word = "knee"
    else:
        return [], []
    sides = ((low, "bracket"), (high, "point_late"))
    uprights = [Upright(x, role) for x, role in sides if x is not None]
    said = "not found yet" if low is None and high is None else bracket(low, high, load_unit(curve))
    return uprights, [(f"{word} ", "label"), (said, "bracket")]


def titles(shown: Plotted, name: str) -> list[Field]:
    """What a small plot is of, in a frame."""
    target = _target(shown, name)
    return [
        Field(0, (axes_of(name, shown.curve.points).title, "title")),
        Field(1, (f"over {load_unit(shown.curve)}", "dim")),
        _of_target(target, shown.theme),
        *[Field(1, *words) for words in [_brackets(shown)[1]] if words],
    ]


def _target(shown: Plotted, name: str) -> Target | None:
    metric = axes_of(name, shown.curve.points).metric
    return next((each for each in shown.targets if each.metric == metric and each.quantile), None)


def _of_target(target: Target | None, theme: Theme) -> Field:
    """Its line's dash, where it has one (the points are of p95), and what it asks."""
    if target is None:
        return Field(9)
    dash = f"{theme.glyph('floor')} " if target.statistic == "p95" else ""
    return Field(2, (dash, "target_line"), (target.text, "target"))


def _title(shown: Plotted, name: str, target: Target | None, words: Sequence[Span], width: int) -> Row:
    axes = axes_of(name, shown.curve.points)
    means = axes.means
    if name == "goodput" and shown.held is None and not shown.targets:
        means = "answers per second (no target to hold)"
    if name == "pareto" and not any(point.gpus for point in shown.curve.points):
        means = "output tok/s (GPUs not known), over 1 by mean ITL"
    fields = [
        Field(0, (axes.title, "title")),
        Field(3, (means, "dim")),
        Field(1, *words),
        _of_target(target, shown.theme),
        Field(2, (f"{shown.theme.glyph('ghost')} {shown.ghosts_of}" if shown.ghosts else "", "ghost")),
    ]
    return titled(fields, width, shown.theme)
