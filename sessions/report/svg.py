"""Charts as SVG of our own drawing: lines and points over one axis, with their values where a mouse rests.

Colours are CSS variables, so that one drawing is light or dark as its reader is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from sessions.report.words import escaped, figure

LEFT, RIGHT, TOP, BOTTOM = 52, 10, 30, 32
STYLE = """\
svg{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;--fg:#1d2530;--mut:#667085;--grid:#e4e8ee;
--s0:#2563c9;--s1:#d9730d;--s2:#c4314b;--s3:#138a5e;--s4:#7a4fc9;--s5:#0e8ea8;--s6:#a0671b;--s7:#5c6878}
@media (prefers-color-scheme:dark){svg{--fg:#e6e9ee;--mut:#98a2b3;--grid:#2b323d;
--s0:#6ea8fe;--s1:#f5a14b;--s2:#f27d92;--s3:#4fcf9c;--s4:#b394f4;--s5:#56cbe0;--s6:#d8a45c;--s7:#a6b0bf}}
svg .t{font-weight:600;fill:var(--fg)}svg .a{fill:var(--mut)}svg .g{stroke:var(--grid);stroke-width:1}
svg .l{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}svg .h{fill:transparent}
svg .h:hover{fill:var(--fg);fill-opacity:.07}svg .m{stroke:var(--mut);stroke-dasharray:2 3}
""" + "".join(f"svg .s{i}{{stroke:var(--s{i})}}svg .f{i}{{fill:var(--s{i});stroke:none}}" for i in range(8))


@dataclass
class Line:
    """One curve; None is a gap."""

    name: str
    values: Sequence[float | None]
    colour: int
    """Of eight."""


@dataclass
class Chart:
    title: str
    xs: Sequence[float]
    lines: list[Line]
    x_label: str = ""
    unit: str = ""
    log: bool = False
    log_x: bool = False
    points: bool = False
    """Each value is drawn as a point, too: there are few."""
    marks: list[tuple[float, str]] = field(default_factory=list)
    """Where something happened, and what."""
    zero: bool = True
    """A linear axis begins at 0."""
    most: float | None = None
    """Where it ends at least."""
    height: int = 190


def drawn(chart: Chart, width: int) -> str:
    """The chart as an `<svg>`, `width` units wide; empty where there is nothing to draw."""
    known = [v for line in chart.lines for v in line.values if v is not None and (not chart.log or v > 0)]
    if not known or not chart.xs:
        return ""
    x_scale = _Scale(min(chart.xs), max(chart.xs), LEFT, width - RIGHT, chart.log_x)
    legend, top = _legend(chart, width)
    low = min(known) if chart.log or not chart.zero else min(0.0, *known, 0.0)
    y_scale = _Scale(low, max([*known, chart.most or low]), chart.height - BOTTOM, top, chart.log, nice=True)
    parts = [
        f'<svg viewBox="0 0 {width} {chart.height}" width="{width}" height="{chart.height}" role="img" '
        f'aria-label="{escaped(chart.title)}">',
        f'<text class="t" x="{LEFT}" y="14">{escaped(chart.title, 90)}</text>',
        legend,
    ]
    for value in y_scale.ticks(4):
        y = y_scale(value)
        parts.append(f'<path class="g" d="M{LEFT} {y:.1f}H{width - RIGHT}"/>')
        parts.append(
            f'<text class="a" text-anchor="end" x="{LEFT - 6}" y="{y + 4:.1f}">{escaped(_tick(value))}</text>'
        )
    room = width - RIGHT - 7 * len(chart.x_label) - 18
    for value in x_scale.ticks(max(width // 75, 4)):
        x = x_scale(value)
        if x > room:
            continue
        parts.append(
            f'<text class="a" text-anchor="middle" x="{x:.1f}" y="{chart.height - 14}">'
            f"{escaped(_tick(value))}</text>"
        )
    parts.append(
        f'<text class="a" text-anchor="end" x="{width - RIGHT}" y="{chart.height - 14}">'
        f"{escaped(chart.x_label, 60)}</text>"
    )
    for at, text in chart.marks:
        if x_scale.low <= at <= x_scale.high:
            x = x_scale(at)
            parts.append(
                f'<path class="m" d="M{x:.1f} {top}V{chart.height - BOTTOM}">'
                f"<title>{escaped(text)}</title></path>"
            )
    for line in chart.lines:
        parts += _curve(chart, line, x_scale, y_scale)
    parts += _hover(chart, x_scale, width, top)
    return "".join([*parts, "</svg>"])


def _curve(chart: Chart, line: Line, x_scale: _Scale, y_scale: _Scale) -> list[str]:
    path, begun = [], False
    alone: list[tuple[float, float]] = []
    at = [
        None if v is None or (chart.log and v <= 0) else (x_scale(x), y_scale(v))
        for x, v in zip(chart.xs, line.values, strict=True)
    ]
    for i, place in enumerate(at):
        if place is None:
            begun = begun and chart.points  # of points each was measured: those of another line lie between
            continue
        path.append(f"{'L' if begun else 'M'}{place[0]:.1f} {place[1]:.1f}")
        before, after = at[i - 1] if i else None, at[i + 1] if i + 1 < len(at) else None
        if chart.points or (before is None and after is None):
            alone.append(place)
        begun = True
    made = [f'<path class="l s{line.colour % 8}" d="{"".join(path)}"/>'] if path else []
    return made + [
        f'<circle class="f{line.colour % 8}" cx="{x:.1f}" cy="{y:.1f}" r="2.8"/>' for x, y in alone
    ]


def _hover(chart: Chart, x_scale: _Scale, width: int, top: int) -> list[str]:
    """A strip for each x, with the values of all lines there."""
    xs = sorted(set(chart.xs))
    if len(xs) > 400:
        return []
    places = [x_scale(x) for x in xs]
    made = []
    for i, x in enumerate(xs):
        left = (places[i - 1] + places[i]) / 2 if i else LEFT
        right = (places[i + 1] + places[i]) / 2 if i + 1 < len(places) else width - RIGHT
        said = [
            f"{line.name}: {figure(v, chart.unit)}"
            for line in chart.lines
            for at, v in zip(chart.xs, line.values, strict=True)
            if at == x and v is not None
        ]
        if said:
            title = (
                escaped(f"{chart.x_label} {figure(x)}", 80)
                + "\n"
                + "\n".join(escaped(one, 80) for one in said)
            )
            made.append(
                f'<rect class="h" x="{left:.1f}" y="{top}" width="{max(right - left, 1):.1f}" '
                f'height="{chart.height - top - BOTTOM}"><title>{title}</title></rect>'
            )
    return made


def _legend(chart: Chart, width: int) -> tuple[str, int]:
    """At the right of the title's line, or below it where there is no room; and where the chart begins.

    None of one line, nor where there is no room at all: the values say whose they are.
    """
    named = [line for line in chart.lines if line.name]
    widths = [26 + 6.3 * len(line.name[:24]) for line in named]
    if len(named) < 2 or sum(widths) > width - RIGHT - LEFT:
        return "", TOP
    x = width - RIGHT - sum(widths)
    below = x < LEFT + 7.2 * len(chart.title) + 10
    x, y = (float(LEFT), 30) if below else (x, 14)
    made = []
    for line, needed in zip(named, widths, strict=True):
        made.append(f'<circle class="f{line.colour % 8}" cx="{x + 4:.1f}" cy="{y - 4}" r="4"/>')
        made.append(f'<text class="a" x="{x + 12:.1f}" y="{y}">{escaped(line.name, 24)}</text>')
        x += needed
    return "".join(made), TOP + 14 if below else TOP


class _Scale:
    """From values to places."""

    def __init__(
        self, low: float, high: float, first: float, last: float, log: bool, nice: bool = False
    ) -> None:
        if log:
            low, high = max(low, 1e-9), max(high, 1e-9)
            if nice:
                low, high = _log_below(low), _log_above(high)
            if high <= low:
                low, high = low / 1.5, low * 1.5
        elif high <= low:
            low, high = (low - 0.5, low + 0.5) if low else (0.0, 1.0)
        if nice and not log:
            step = _step((high - low) / 4)
            low, high = math.floor(low / step) * step, math.ceil(high / step - 1e-9) * step
        self.low, self.high, self._first, self._last, self._log = low, high, first, last, log

    def __call__(self, value: float) -> float:
        if self._log:
            part = math.log(max(value, 1e-12) / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self._first + (self._last - self._first) * min(max(part, 0.0), 1.0)

    def ticks(self, about: int) -> list[float]:
        if self._log and self.high / self.low > 3:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            factors = (1,) if last - first > 3 else (1, 3) if last - first > 2 else (1, 2, 5)
            found = [f * 10.0**e for e in range(first, last + 1) for f in factors]
            return [v for v in found if self.low * 0.999 <= v <= self.high * 1.001]
        step = _step((self.high - self.low) / about)
        count = math.floor(self.high / step + 1e-9) - math.ceil(self.low / step - 1e-9) + 1
        return [(math.ceil(self.low / step - 1e-9) + i) * step for i in range(min(count, 50))]


def _step(raw: float) -> float:
    """1, 2 or 5 times a power of ten, at least `raw`."""
    if raw <= 0 or not math.isfinite(raw):
        return 1.0
    power = 10.0 ** math.floor(math.log10(raw))
    return next((f * power for f in (1, 2, 5, 10) if f * power >= raw * 0.999), 10 * power)


def _log_below(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return max((f * power for f in (1, 2, 5) if f * power <= value * 1.001), default=power)


def _log_above(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next((f * power for f in (1, 2, 5, 10) if f * power >= value * 0.999), 10 * power)


def _tick(value: float) -> str:
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if letter == 'k' else limit):,.6g}{letter}"
    return f"{value:,.6g}"
