"""The charts that `summary` prints: the only place that knows plotext (whose figure is global, and slow)."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import plotext as plt

from sessions.digits import digits
from tui.draw.theme import charset_for

ASCII = str.maketrans("┌┐└┘─│┤├┬┴┼", "++++-|||+++")
POINTS = {True: "•+×", False: "*+o"}
"""Markers of single points, by whether the terminal has more than ASCII."""
COLOURS = ("cyan", "yellow", "magenta")


@dataclass(frozen=True)
class Curve:
    """`ys[i]` belongs to `xs[i]`; None is a gap."""

    label: str
    xs: Sequence[float]
    ys: Sequence[float | None]


@dataclass(frozen=True)
class Theme:
    """What the terminal can show."""

    width: int = 80
    colour: bool = False
    braille: bool = True


def theme_of_stdout(no_colour: bool) -> Theme:
    """`no_colour`: none were asked for; else a terminal has them."""
    colour = sys.stdout.isatty() and not no_colour and not os.environ.get("NO_COLOR")
    return Theme(colour=colour, braille=charset_for(sys.stdout.encoding, os.environ) == "braille")


def chart(
    title: str, x_label: str, curves: Sequence[Curve], theme: Theme, *, joined: bool, height: int = 14
) -> str:
    """A chart from zero upwards, or one line saying that there is nothing to draw.

    `joined` draws lines, broken at gaps; else points.
    """
    highest = max((y for curve in curves for y in curve.ys if y is not None), default=None)
    if highest is None:
        return f"{title}: nothing was measured"
    plt.clear_figure()
    plt.theme("clear")
    plt.plotsize(theme.width, height)
    plt.title(title)
    plt.xlabel(x_label)
    top = ceiling(highest)
    plt.ylim(0, top)
    ticks = [top * quarter / 4 for quarter in range(5)]
    plt.yticks(ticks, [digits(tick, 6) for tick in ticks])
    for i, curve in enumerate(curves):
        lines = joined and theme.braille
        marker = "braille" if lines else POINTS[theme.braille][i % 3]
        # Lines of braille look alike without colours: there the title has to tell them apart.
        label = curve.label if theme.colour or not lines else None
        colour = COLOURS[i % len(COLOURS)] if theme.colour else "default"
        draw = plt.plot if joined else plt.scatter
        draw(list(curve.xs), list(curve.ys), marker=marker, color=colour, label=label)
    text = str(plt.build())
    if not theme.colour:
        text = plt.uncolorize(text)
    text = text if theme.braille else text.translate(ASCII)
    return "\n".join(line.rstrip() for line in text.splitlines())


def ceiling(highest: float) -> float:
    """The end of an axis from 0: the next of 1, 2, 4, 6, 8 times a power of ten that leaves some air."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next(step * power for step in (1, 2, 4, 6, 8, 10, 20) if step * power >= highest * 1.05)
