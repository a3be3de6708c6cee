"""A latency over time as a filled chart, its figures and its target in the title."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sessions.frame.latency_target import LatencyTarget
from sessions.frame.schema import Band, Stat
from tui.draw import numbers
from tui.draw.numbers import sign
from tui.draw.rows import Field, Span, width_of
from tui.draw.theme import Theme
from tui.panels.baseline import Deltas, change
from tui.panels.box import Panel, labelled
from tui.plots.chart import Mark, with_labels
from tui.plots.fan import Fan, Limit, fan, row_of_value, scale_of
from tui.plots.ghost import fan_rows, ghosted
from tui.plots.scale import Scale, Series, between

QUANTILES = ("p50", "p95", "p99")
_FIGURES_CELLS = 62
_DELTAS_CELLS = 15
_SWATCH_ROLES = {"p50": ("fan50_1", "over50"), "p95": ("fan95", "over95"), "p99": ("fan99", "over99")}
"""As in the chart: within the target, and above it."""
_FIGURE_ROLES = {"p50": "fan50_3", "p95": "fan95", "p99": "fan99"}


def latency(
    name: str,
    band: Band,
    recent: Stat,
    run: Stat,
    scale: Scale,
    size: tuple[int, int, int],
    theme: Theme,
    *,
    targets: Sequence[LatencyTarget] = (),
    not_known: Sequence[LatencyTarget] = (),
    later: tuple[Band, int] | None = None,
    marks: Sequence[Mark] = (),
    labels: Mapping[int, tuple[Sequence[str], str]] | None = None,
    more: Sequence[Field] = (),
    recent_s: float = 10.0,
    ghost: Series | None = None,
    deltas: Deltas | None = None,
) -> Panel:
    """`size` is the gutter, the plot's columns and its rows.

    Args:
        targets: of this latency, the hardest to hold first: each is a line.
        not_known: of figures that only lie near this one, as `unjudged` finds them: lines that judge nothing.
        later: the same band up to the end of the run, and the column from which on it is drawn, dimmed.
        labels: written into the top row where it is free.
        more: fields of the title.
        ghost: p95 of a baseline, on the same columns; `deltas` of its figures, for the title.
    """
    gutter, width, height = size
    limits = limits_of(targets, not_known)
    drawn = [
        fan(
            Fan(one.p50, one.p95, one.p99),
            scale,
            width,
            height,
            limits=limits,
            marks=marks,
            charset=theme.fill,
        )
        for one in (band, *(() if later is None else (later[0],)))
    ]
    if ghost is not None:
        rows_of_ghost = fan_rows(ghost, scale, width, height, limits)
        drawn = [ghosted(one, rows_of_ghost, ascii_only=theme.ascii_only) for one in drawn]
    grid = drawn[0] if later is None else drawn[0].followed_by(drawn[1], later[1])
    rows = grid.rows()
    if rows and labels:
        rows[0] = with_labels(rows[0], labels, width)
    named = axis_labels(scale, height, limits)
    title = [Field(0, (name, "title")), *_figures(recent, theme, targets, deltas)]
    title.append(Field(5, ("n ", "label"), (f"{numbers.count(recent.count)}/{recent_s:g}s", "dim")))
    title.append(three(4, "run", run, "dim"))
    if not scale.log:
        title.append(Field(2, ("linear", "dim")))
    # The figures of the title come before any target but the first.
    cells = _FIGURES_CELLS + (0 if deltas is None else _DELTAS_CELLS)
    room = min((gutter + width) // 2 - 4, gutter + width - cells)
    said = targets_said(targets, not_known, room, theme)
    return Panel([*title, *more], labelled(rows, named, gutter), said)


def limits_of(targets: Sequence[LatencyTarget], not_known: Sequence[LatencyTarget] = ()) -> list[Limit]:
    """Lines for a chart, labelled unless the only one that is judged is the usual p95."""
    plain = len(targets) == 1 and targets[0].statistic == "p95"
    return [
        *(Limit(each.limit_ms, each.quantile, "" if plain else each.statistic) for each in targets),
        *(Limit(each.limit_ms, None, f"{each.name} {each.statistic}?") for each in not_known),
    ]


def axis_labels(scale: Scale, height: int, limits: Sequence[Limit]) -> dict[int, str]:
    """At most three round labels, and those of the targets where there are some."""
    scale = scale_of(scale, height, limits)

    def row(value: float) -> int:
        return row_of_value(scale, value, height)

    out: dict[int, str] = {}
    for limit in limits:
        if scale.low <= limit.value <= scale.high:
            out.setdefault(row(limit.value), numbers.ms_label(limit.value))
    lowest = ("<" if scale.cut else "") + numbers.ms_label(scale.low)
    bounds = [(row(scale.high), numbers.ms_label(scale.high)), (row(scale.low), lowest)]
    for at, text in bounds:
        if at not in out:
            out[at] = text
    for value in between(scale):
        at = row(value)
        if len(out) < 3 and all(abs(at - other) > 1 for other in out):
            out[at] = numbers.ms_label(value)
    return out


def _figures(
    recent: Stat, theme: Theme, targets: Sequence[LatencyTarget], deltas: Deltas | None
) -> list[Field]:
    missed = {target.statistic for target in targets if target.met is False}
    out = []
    for rank, (name, value) in enumerate(
        zip(QUANTILES, (recent.p50_ms, recent.p95_ms, recent.p99_ms), strict=True)
    ):
        thin = value is None or name in recent.thin
        role = "bad" if name in missed else "thin" if thin else _FIGURE_ROLES[name]
        text = ("" if value is None else sign(recent, name)) + numbers.ms(value)
        # As wide as it gets, so that nothing beside it moves.
        seen = swatch(name, drawn_role(name, value, limits_of(targets)), theme)
        field = Field(rank, seen, (f" {name} ", "label"), (text.ljust(5), role))
        if deltas is not None:
            said, how = change(deltas[name])
            field.runs.append((" " + said.ljust(4), how))
        out.append(field)
    return out


def drawn_role(quantile: str, value: float | None, limits: Sequence[Limit]) -> str:
    """In which a chart has it."""
    judging = [limit for limit in limits if limit.judges(float(quantile[1:]) / 100)]
    return _SWATCH_ROLES[quantile][value is not None and any(value > limit.value for limit in judging)]


def swatch(quantile: str, role: str, theme: Theme) -> Span:
    """How it is drawn, before its figure."""
    shades = dict(zip(QUANTILES, "▓░⠒", strict=True))
    return theme.glyph(quantile) if theme.fill != "shades" else shades[quantile], role


def three(rank: int, name: str, stat: Stat, role: str) -> Field:
    """`run p50 136 p95 256 p99 372`: the same percentiles of something else."""
    values = (stat.p50_ms, stat.p95_ms, stat.p99_ms)
    said = " ".join(
        ("" if value is None else sign(stat, quantile)) + numbers.ms(value)
        for quantile, value in zip(QUANTILES, values, strict=True)
    )
    return Field(rank, (f"{name} ", "label"), (said, role)) if stat.count else Field(9)


def targets_said(
    targets: Sequence[LatencyTarget], not_known: Sequence[LatencyTarget], room: int, theme: Theme
) -> list[Span]:
    """As many of them as have room, the hardest to hold first; of those that nobody can judge here, why."""
    out: list[Span] = []
    for target in targets:
        more: list[Span] = [
            (f"{'  ' if out else 'target '}{target.statistic} ", "label"),
            (numbers.ms_label(target.limit_ms), "strong"),
            *verdict(target, theme),
        ]
        if out and width_of([*out, *more]) > room:
            break
        out += more
    for target in not_known:
        more = [
            (f"{'  ' if out else ''}{target.name} {target.statistic} ", "label"),
            (numbers.ms_label(target.limit_ms), "strong"),
            (" ?", "warn"),
        ]
        if out and width_of([*out, *more]) > room:
            break
        alone, out = not out, [*out, *more]
        if alone and width_of(out) + len(_WHY[target.name]) <= room:
            out.append((_WHY[target.name], "dim"))
    return out


_WHY = {"ITL": ": gaps are of chunks, ITL is not known", "TPOT": ": of whole requests, judged by the summary"}


def verdict(target: LatencyTarget, theme: Theme) -> list[Span]:
    """`✓` or `✗`; nothing where it is not known."""
    if target.met is None:
        return []
    return [(" " + theme.glyph("met" if target.met else "missed"), "ok" if target.met else "bad")]
