"""Charts as SVG of our own drawing: lines and points over one axis, with their values where a mouse rests.

Colours are CSS variables, so that one drawing is light or dark as its reader is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sessions.digits import digits
from sessions.report.scale import Scale, tick
from sessions.report.words import escaped, figure

LEFT, RIGHT, TOP, BOTTOM = 52, 10, 30, 32
STYLE = """\
svg{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;--fg:#1d2530;--mut:#667085;--grid:#e4e8ee;
--s0:#d9730d;--s1:#138a5e;--s2:#7a4fc9;--s3:#0e8ea8;--s4:#a8327f;--s5:#8a6d1b;--s6:#5d7a1a;--s7:#8f99a8;
--s8:#5b9ae0;--s9:#2160c4;--s10:#0c2f73;--s11:#3f4a59;--s12:#c4314b}
@media (prefers-color-scheme:dark){svg{--fg:#e6e9ee;--mut:#98a2b3;--grid:#2b323d;
--s0:#f5a14b;--s1:#4fcf9c;--s2:#b394f4;--s3:#56cbe0;--s4:#ee86c8;--s5:#d8b25c;--s6:#a9c95c;--s7:#7d8796;
--s8:#4c82d8;--s9:#86b6ff;--s10:#d3e4ff;--s11:#c3cad4;--s12:#f27d92}}
svg .t{font-weight:600;fill:var(--fg)}svg .a{fill:var(--mut)}svg .g{stroke:var(--grid);stroke-width:1}
svg .l{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}svg .h{fill:transparent}
svg .h:hover{fill:var(--fg);fill-opacity:.07}svg .m{stroke:var(--mut);stroke-dasharray:2 3}
svg .q{fill:none;stroke:var(--fg);stroke-width:1.2;stroke-dasharray:7 4}svg .o{fill:none;stroke-width:1.6}
svg .k{stroke:var(--mut)}svg .u{fill:var(--fg);font-size:11px}
""" + "".join(f"svg .s{i}{{stroke:var(--s{i})}}svg .f{i}{{fill:var(--s{i});stroke:none}}" for i in range(13))
EACH = 8
"""Colours for things of one kind beside each other: runs, GPUs, servers."""
P50, P95, P99, ONLY, FAILED = 8, 9, 10, 11, 12
"""Colours that mean one thing wherever they are: percentiles, what is alone in its chart, what went wrong."""


@dataclass
class Line:
    """One curve; None is a gap."""

    name: str
    values: Sequence[float | None]
    colour: int
    """Below `EACH`, or one of those with a name."""
    firm: Sequence[bool] | None = None
    """Of points: which are joined, and filled. The others are rings, which nothing joins. None: all."""


@dataclass
class Limit:
    """A target's limit: a dashed line with a name."""

    at: float
    name: str


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
    limits: list[Limit] = field(default_factory=list)
    """In the unit of the values."""
    limits_x: list[Limit] = field(default_factory=list)
    """In the unit of the axis below."""


def drawn(chart: Chart, width: int) -> str:
    """The chart as an `<svg>`, `width` units wide; empty where there is nothing to draw."""
    known = [v for line in chart.lines for v in line.values if v is not None and (not chart.log or v > 0)]
    if not known or not chart.xs:
        return ""
    near = [one.at for one in chart.limits_x if min(chart.xs) / _FAR <= one.at <= max(chart.xs) * _FAR]
    edge = _POINT_EDGE if chart.points else 0
    first, last = min([*chart.xs, *near]), max([*chart.xs, *near])
    x_scale = Scale(first, last, LEFT + edge, width - RIGHT - edge, chart.log_x)
    legend, top = _legend(chart, width)
    highest = max([*known, chart.most or min(known)])
    known += [one.at for one in chart.limits if one.at <= highest * (_FAR if chart.log else _ABOVE)]
    low = min(known) if chart.log or not chart.zero else min(0.0, *known, 0.0)
    y_scale = Scale(low, max([*known, chart.most or low]), chart.height - BOTTOM, top, chart.log, nice=True)
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
            f'<text class="a" text-anchor="end" x="{LEFT - 6}" y="{y + 4:.1f}">{escaped(tick(value))}</text>'
        )
    parts += _below(chart, x_scale, width)
    for at, text in chart.marks:
        if x_scale.low <= at <= x_scale.high:
            x = x_scale(at)
            parts.append(
                f'<path class="m" d="M{x:.1f} {top}V{chart.height - BOTTOM}">'
                f"<title>{escaped(text)}</title></path>"
            )
    for line in chart.lines:
        parts += _curve(chart, line, x_scale, y_scale)
    parts += _limits(chart, x_scale, y_scale, width, top)
    parts += _hover(chart, x_scale, width, top)
    return "".join([*parts, "</svg>"])


_FAR, _ABOVE = 10.0, 1.6
"""So many times its data's end an axis may be long for a limit's sake: a logarithmic one, a linear one."""
_POINT_EDGE = 12
"""Points stand so far from the ends of their axis."""


def _below(chart: Chart, x_scale: Scale, width: int) -> list[str]:
    """The axis of x: a tick for each load that has a point, else round ones; its unit."""
    floor, y_unit = chart.height - BOTTOM, chart.height - 14
    values, room = x_scale.ticks(max(width // 75, 4)), width - RIGHT - 7 * len(chart.x_label) - 8
    if chart.points:  # the unit has a row of its own, so that the last load has its tick
        values, y_unit = sorted(set(chart.xs)), chart.height - 3
    y_ticks = y_unit - 14 if chart.points else y_unit
    made: list[str] = []
    taken = 0.0
    for value in values:
        x, text = x_scale(value), digits(value, 3) if chart.points else tick(value)
        half = 3.6 * len(text)
        if not chart.points and x + half > room:
            continue
        made.append(f'<path class="k" d="M{x:.1f} {floor}v4"/>')
        if x - half < taken:  # its tick is there, and a mouse tells its value
            continue
        taken = x + half + 4
        at = min(x, width - half)
        made.append(f'<text class="a" text-anchor="middle" x="{at:.1f}" y="{y_ticks}">{escaped(text)}</text>')
    unit = escaped(chart.x_label, 60)
    return [*made, f'<text class="a" text-anchor="end" x="{width - RIGHT}" y="{y_unit}">{unit}</text>']


def _limits(chart: Chart, x_scale: Scale, y_scale: Scale, width: int, top: int) -> list[str]:
    """Dashed, each with its name; of one far above its chart there is the name alone, at the top."""
    made: list[str] = []
    for number, one in enumerate(chart.limits):
        y = y_scale(one.at)
        inside = one.at <= y_scale.high * 1.001
        if inside:
            made.append(f'<path class="q" d="M{LEFT} {y:.1f}H{width - RIGHT}"/>')
        at = y + 12 if y - top < 12 else y - 4
        x_name, anchor = (LEFT + 4, "start") if number % 2 else (width - RIGHT - 2, "end")
        name = escaped(one.name if inside else f"{one.name}, far above", 60)
        made.append(f'<text class="u" text-anchor="{anchor}" x="{x_name}" y="{at:.1f}">{name}</text>')
    for number, one in enumerate(chart.limits_x):
        if not x_scale.low * 0.999 <= one.at <= x_scale.high * 1.001:
            continue
        x = x_scale(one.at)
        made.append(f'<path class="q" d="M{x:.1f} {top}V{chart.height - BOTTOM}"/>')
        left = x < width / 2
        made.append(
            f'<text class="u" text-anchor="{"start" if left else "end"}" x="{x + (4 if left else -4):.1f}" '
            f'y="{chart.height - BOTTOM - 6 - 13 * number}">{escaped(one.name, 60)}</text>'
        )
    return made


def _curve(chart: Chart, line: Line, x_scale: Scale, y_scale: Scale) -> list[str]:
    path, begun = [], False
    alone: list[tuple[float, float, bool]] = []
    at = [
        None if v is None or (chart.log and v <= 0) else (x_scale(x), y_scale(v))
        for x, v in zip(chart.xs, line.values, strict=True)
    ]
    for i, place in enumerate(at):
        if place is None:
            begun = begun and chart.points  # of points each was measured: those of another line lie between
            continue
        firm = line.firm is None or line.firm[i]
        before, after = at[i - 1] if i else None, at[i + 1] if i + 1 < len(at) else None
        if chart.points or (before is None and after is None):
            alone.append((*place, firm))
        if firm:
            path.append(f"{'L' if begun else 'M'}{place[0]:.1f} {place[1]:.1f}")
        begun = firm
    colour = line.colour
    made = [f'<path class="l s{colour}" d="{"".join(path)}"/>'] if path else []
    return made + [
        f'<circle class="{f"f{colour}" if firm else f"o s{colour}"}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
        for x, y, firm in alone
    ]


def _hover(chart: Chart, x_scale: Scale, width: int, top: int) -> list[str]:
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
        made.append(f'<circle class="f{line.colour}" cx="{x + 4:.1f}" cy="{y - 4}" r="4"/>')
        made.append(f'<text class="a" x="{x + 12:.1f}" y="{y}">{escaped(line.name, 24)}</text>')
        x += needed
    return "".join(made), TOP + 14 if below else TOP
