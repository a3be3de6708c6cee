"""The charts of one latency: bands over time, and a heatmap with two distributions beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sessions.frame.latency import LatencyNow, Under, latency_now
from sessions.frame.latency_target import LatencyTarget
from sessions.frame.schema import Frame, Stat
from sessions.frame.targets import unjudged
from sessions.plan.slo import Target
from tui.draw import numbers
from tui.draw.rows import Field, Row, Span
from tui.draw.theme import Theme
from tui.panels.baseline import of_stat
from tui.panels.fans import axis_labels, drawn_role, limits_of, swatch, targets_said
from tui.plots.chart import Line, columns
from tui.plots.fan import Fan, Limit, fan
from tui.plots.ghost import fan_rows, ghosted
from tui.plots.heatmap import heatmap, row_of, spread
from tui.plots.pyramid import pyramid
from tui.plots.scale import Scale, Series, centred, ticks
from tui.plots.scale import fitted as fitted_scale
from tui.views.latency_table import FIGURES, LINES, latency_table, load_words
from tui.views.strips import faint, strip, titled
from tui.views.view import Drawing
from tui.views.what_if import target_of

TITLES = {"ttft": "TTFT", "itl": "ITL", "chunk_gap": "CHUNK GAP", "e2e": "E2E", "send_lag": "SEND LAG"}
MEANS = {
    "ttft": "first token, from due",
    "itl": "between tokens",
    "chunk_gap": "between chunks",
    "e2e": "last token, from due",
    "send_lag": "sent, from due",
}
BANDS_FROM = 26
"""Rows of the view from which on there are bands beside the heatmap."""


class LatencyCharts:
    """One metric on the cells of a view."""

    def __init__(self, drawing: Drawing, metric: str, own: Target | None) -> None:
        self.drawing, self.metric, self.own = drawing, metric, own
        if metric == "ttft" and drawing.frame.only_input:
            metric = "e2e"
        if metric == "itl" and drawing.frame.itl_is_chunk_gap:
            metric = "chunk_gap"
        self.key = metric
        self.title = TITLES[metric]
        self.means = MEANS[metric]
        source = drawing.source
        loads = source.curve.loads(drawing.frame.at_ns)
        self.now: LatencyNow = latency_now(source.timeline, loads, drawing.frame, metric)
        self.target = own or target_of(source.curve.targets, metric)

        def later(frame: Frame) -> LatencyNow:
            return latency_now(source.timeline, (), frame, metric)

        self.drawn = drawing.over_time(f"latency {metric}", later, self.now)
        """What the charts over time show."""
        against = drawing.against
        self.deltas = of_stat(against, metric, self.now.recent)
        over = drawing.frame if drawing.later is None else drawing.later
        self.ghost = None if against is None else against.ghost(metric, over)
        """p95 of a baseline, on the columns of the frame."""
        kept = [limit.value for limit in self._limits()]
        if self.ghost is not None:
            kept += [float(np.nanmin(self.ghost)), float(np.nanmax(self.ghost))]
        self.scale = _scale(self.drawn, kept, drawing.screen_state.log)

    @property
    def theme(self) -> Theme:
        return self.drawing.theme

    def bands(self, height: int) -> list[Row]:
        d, band = self.drawing, self.drawn.band
        if height < 3:
            return []
        own = self._axis_scale()
        plot = height - 1
        of = Fan(band.p50, band.p95, band.p99)
        limits, marks = self._limits(), faint(d.marks)
        grid = fan(of, own, d.at.plot, plot, limits=limits, marks=marks, charset=self.theme.fill)
        if self.ghost is not None:
            rows = fan_rows(self.ghost, own, d.at.plot, plot, limits)
            grid = ghosted(grid, rows, ascii_only=self.theme.ascii_only)
        title = [Field(0, (f"{self.title} ms", "title")), Field(4, (self.means, "dim")), *self._headline()]
        head = titled(title, d.width, self.theme)
        labels = axis_labels(own, plot, limits)
        return [head, *strip(d.seen(grid).rows(), labels, self.table(), d.at, self.theme)]

    def _targets(self) -> Sequence[LatencyTarget]:
        """Those of the run that ask of this figure; where keys have moved one, that alone."""
        if self.own is not None:
            now_ms = _of(self.now.recent, self.own.statistic)
            return [LatencyTarget(self.own.statistic, self.own.limit, now_ms)]
        return self.drawing.frame.targets.get(self.key, ())

    def _not_known(self) -> Sequence[LatencyTarget]:
        return () if self.own is not None else unjudged(self.drawing.frame, self.key)

    def _limits(self) -> list[Limit]:
        return limits_of(self._targets(), self._not_known())

    def table(self) -> list[Row]:
        """As it stands beside the bands; empty where there is no room for it."""
        side, recent_s = self.drawing.at.side - 1, self.drawing.frame.recent_s
        if side < 40:
            return []
        return latency_table(self.now, f"{self.title} ms", recent_s, side, deltas=self.deltas)

    def heat(self, height: int) -> list[Row]:
        d, scale, shown = self.drawing, self.scale, self.drawn.columns
        plot = height - 1
        if plot < 2:
            return []
        limits = self._limits()
        scale = centred(scale, [limit.value for limit in limits], plot) if limits else scale
        cells = spread(shown.counts, shown.values_ms, scale, plot)
        # Where the bands have a chart of their own, nothing stands before the heat.
        lines = self._lines() if d.height < BANDS_FROM else ()
        ascii_only = self.theme.ascii_only
        grid = heatmap(
            cells,
            d.at.plot,
            lines=lines,
            scale=scale,
            marks=faint(d.marks),
            limits=limits,
            late_above=None if self.target is None else self.target.limit,
            ascii_only=ascii_only,
        )
        if self.ghost is not None and d.height < BANDS_FROM:
            values = columns(self.ghost, d.at.plot)
            rows = np.where(np.isnan(values), np.nan, row_of(values, scale, plot))
            grid = ghosted(grid, rows, ascii_only=ascii_only)
        labels = ticks(scale, plot, numbers.ms_label)
        for limit in limits:
            row = int(row_of(np.array([limit.value]), scale, plot)[0])
            labels = {at: text for at, text in labels.items() if abs(at - row) > 1 or at in (0, plot - 1)}
            labels[row] = numbers.ms_label(limit.value)
        head = titled(self._heat_title(), d.width, self.theme, self._heads())
        return [head, *strip(d.seen(grid).rows(), labels, self._distributions(plot, scale), d.at, self.theme)]

    def _lines(self) -> list[Line]:
        band = self.drawn.band
        return [Line(band.p99, "p99", "^"), Line(band.p95, "p95", "+"), Line(band.p50, "p50", "*")]

    def _axis_scale(self) -> Scale:
        shared = self.drawing.scales.get(self.metric)
        if shared is not None and self.metric in ("ttft", "itl"):
            if self.own is None:
                return shared
            ends = np.array([shared.low, shared.high])
            found = fitted_scale(shared, (ends,), 0, log=shared.log, kept=[self.own.limit])
            return replace(found, cut=shared.cut and found.low == shared.low)
        return self.scale

    def _heat_title(self) -> list[Field]:
        glyphs = ".:%#" if self.theme.ascii_only else "░▒▓█"
        title = Field(0, (f"{self.title} ms", "title"))
        if self.drawing.height < BANDS_FROM:
            return [title, *self._headline()]
        return [title, Field(1, ("share of each column ", "dim"), (glyphs, "heat_3"))]

    def _headline(self) -> list[Field]:
        stat, recent_s = self.now.recent, self.drawing.frame.recent_s
        if not self.now.run.count:
            return [Field(0, ("nothing yet", "dim")), self._target()]
        if self.drawing.height < BANDS_FROM:  # lines before the heat: the figures stand in the table below
            line = (
                {"p50": "*", "p95": "+", "p99": "^"} if self.theme.ascii_only else dict.fromkeys(LINES, "━")
            )
            said = [(f"{line[name]} {name}{' ' * (name != 'p99')}", role) for name, role in LINES.items()]
            return [Field(2, *said), self._target()]
        return [
            Field(5, (f"last {recent_s:g}s", "label")),
            *(Field(2, *self._figure(stat, name)) for name in ("p50", "p95", "p99")),
            Field(6, ("n ", "label"), (numbers.count(stat.count), "dim")),
            self._target(),
        ]

    def _figure(self, stat: Stat, quantile: str) -> list[Span]:
        """In the colour of its area, and, before it, as the chart has it."""
        value = _of(stat, quantile)
        text = numbers.sign(stat, quantile) + numbers.ms(value)
        drawn = drawn_role(quantile, value, self._limits())
        return [swatch(quantile, drawn, self.theme), (f" {quantile} ", "label"), (text, FIGURES[quantile])]

    def _target(self) -> Field:
        return Field(
            1, *targets_said(self._targets(), self._not_known(), self.drawing.width // 3, self.theme)
        )

    def _heads(self) -> list[Span]:
        """Over the two distributions."""
        room, now = self.drawing.at.side - 2, self.now
        if room < 16 or now.now is None:
            return []
        half = (room - 1) // 2
        load = "" if now.before is None else load_words(now.before.stage)
        forms = (f"before {load}", f"was {load}", load, load.split(" ")[0]) if load else ()
        left = next((text for text in forms if len(text) < half), "")
        return [("  " + left.ljust(half), "stage_before"), (" now " + load_words(now.now.stage), "stage_now")]

    def _distributions(self, height: int, scale: Scale) -> list[Row]:
        """Before to the left, now to the right, on the rows of the heatmap."""
        d, now = self.drawing, self.now
        width = d.at.side - 2
        if width < 16:
            return []
        before, after = (_share(under, scale, height) for under in (now.before, now.now))
        if before is None and after is None:
            return []
        labels = tuple(
            [""] * height if under is None else _places(under.stat, scale, height)
            for under in (now.before, now.now)
        )
        rows = pyramid(
            before,
            after,
            ("stage_before", "stage_now"),
            width,
            labels=(labels[0], labels[1]),
            ascii_only=self.theme.ascii_only,
        )
        return [[(" ", ""), *row] for row in rows]


def _share(under: Under | None, scale: Scale, height: int) -> Series | None:
    if under is None or not under.found.total:
        return None
    rows: Series = spread(under.found.counts, under.found.values_ms, scale, height)[0]
    return rows / under.found.total


def _places(stat: Stat, scale: Scale, height: int) -> list[str]:
    """By row the percentiles that lie there, and the highest of them in figures."""
    out = [""] * height
    names = [""] * height
    for name, value in (("p50", stat.p50_ms), ("p95", stat.p95_ms), ("p99", stat.p99_ms)):
        if value is not None:
            row = int(row_of(np.array([value]), scale, height)[0])
            names[row] = f"{names[row]} {name}".lstrip()
            out[row] = f"{names[row]} {numbers.ms(value)}"
    return out


def _scale(now: LatencyNow, limits: Sequence[float], log: bool) -> Scale:
    ends = list(now.bounds_ms or ())
    least = 100.0 if log else 1.0
    found = fitted_scale(None, [np.array(ends)], 0, log=log, least_high=least, kept=limits)
    below = now.columns.counts[:, now.columns.values_ms < found.low]
    return replace(found, cut=bool(below.any()))


def _of(stat: Stat, quantile: str) -> float | None:
    value: float | None = getattr(stat, f"{quantile}_ms", None)
    return value
