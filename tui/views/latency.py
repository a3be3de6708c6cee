"""View 2: one latency over time, in bands and as a heatmap, and how it was under this load and the last."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sessions.curve.loads import LoadStage
from sessions.frame.latency import LatencyNow, Under, latency_now
from sessions.frame.schema import Stat
from sessions.plan.slo import Target
from tui.draw import numbers
from tui.draw.rows import Field, Row, Span, fitted
from tui.draw.theme import Theme
from tui.plots.chart import Band, Line, chart
from tui.plots.heatmap import heatmap, row_of, spread
from tui.plots.pyramid import pyramid
from tui.plots.scale import Scale, Series, ticks
from tui.plots.scale import fitted as fitted_scale
from tui.views.strips import axis_row, strip, titled
from tui.views.view import Drawing, Pressed
from tui.views.what_if import moved, said, target_of, with_target

TURNS = ("ttft", "itl", "chunk_gap", "e2e", "send_lag")
TITLES = {"ttft": "TTFT", "itl": "ITL", "chunk_gap": "CHUNK GAP", "e2e": "E2E", "send_lag": "SEND LAG"}
_MEANS = {
    "ttft": "first token, from due",
    "itl": "between tokens",
    "chunk_gap": "between chunks",
    "e2e": "last token, from due",
    "send_lag": "sent, from due",
}
_BANDS_FROM, _SECOND_FROM = 26, 46
"""Rows of the view from which on there are bands beside the heatmap, and a second metric."""
_TABLE = 6


@dataclass(frozen=True)
class Latency:
    metric: str = "ttft"
    own: Target | None = None
    """A target that keys have moved."""

    def rows(self, drawing: Drawing) -> list[Row]:
        shown = _Shown(drawing, self.metric, self.own)
        height = drawing.height
        below = min(_TABLE, max(height - 8, 0))
        out: list[Row] = [] if self.own is None else [self._what_if(drawing)]
        room = height - below - 1 - len(out)
        if height >= _SECOND_FROM:
            heat, bands = room * 3 // 8, room * 2 // 8
            out += shown.bands(bands)
            out += shown.heat(heat)
            second = _Shown(drawing, TURNS[(TURNS.index(self.metric) + 1) % len(TURNS)], None)
            out += second.heat(room - heat - bands)
        elif height >= _BANDS_FROM:
            out += shown.bands(room * 2 // 5)
            out += shown.heat(room - room * 2 // 5)
        else:
            out += shown.heat(room)
        return [*out, axis_row(drawing), *shown.table(below)]

    def pressed(self, action: str, drawing: Drawing) -> Pressed:
        if action == "turn":
            metric = TURNS[(TURNS.index(self.metric) + 1) % len(TURNS)]
            return Pressed(Latency(metric), notice=f"{TITLES[metric]}: {_MEANS[metric]}")
        if action in ("target_up", "target_down"):
            if self.metric == "chunk_gap":
                return Pressed(self, notice="a gap between chunks asks nothing of one request")
            target = self.own or target_of(drawing.source.curve.targets, self.metric)
            now = latency_now(drawing.source.timeline, drawing.source.manifest, drawing.frame, self.metric)
            own = moved(target, self.metric, now.run.p95_ms, action == "target_up")
            return Pressed(replace(self, own=own or self.own))
        if action == "escape" and self.own is not None:
            return Pressed(replace(self, own=None))
        return Pressed(self)

    def _what_if(self, drawing: Drawing) -> Row:
        curve = drawing.source.curve
        targets = with_target(curve.targets, self.own)
        found, read = curve.what_if(targets, drawing.frame.at_ns)
        unit = "at once" if drawing.frame.closed_loop else "rps"
        return said(found, read, targets, unit, drawing.width)


class _Shown:
    """One metric on the cells of a view."""

    def __init__(self, drawing: Drawing, metric: str, own: Target | None) -> None:
        self.drawing, self.metric = drawing, metric
        if metric == "itl" and drawing.frame.itl_is_chunk_gap:
            metric = "chunk_gap"
        self.title = TITLES[metric]
        self.means = _MEANS[metric]
        source = drawing.source
        self.now: LatencyNow = latency_now(source.timeline, source.manifest, drawing.frame, metric)
        self.target = own or target_of(source.curve.targets, metric)
        self.scale = _scale(self.now, self.target, drawing.screen_state.log)

    @property
    def theme(self) -> Theme:
        return self.drawing.theme

    def bands(self, height: int) -> list[Row]:
        d, now = self.drawing, self.now
        if height < 3:
            return []
        own = self._axis_scale()
        plot = height - 1
        lines = [
            Line(now.band.p99, "p99", "^"),
            Line(now.band.p95, "p95", "+"),
            Line(now.band.p50, "p50", "*"),
        ]
        if self.target is not None:
            level = np.full(d.at.plot, np.nan)
            level[::2] = self.target.limit
            lines.append(Line(level, "target", "-"))
        fill = [Band(now.band.p99, now.band.p50, "band")]
        ascii_only = self.theme.ascii_only
        grid = chart(lines, fill, own, d.at.plot, plot, marks=d.marks, ascii_only=ascii_only)
        title = [Field(0, (f"{self.title} ms", "title")), Field(4, (self.means, "dim")), *self._headline()]
        head = titled(title, d.width, self.theme)
        side = self._figures()
        return [head, *strip(grid.rows(), ticks(own, plot, numbers.ms_label), side, d.at, self.theme)]

    def heat(self, height: int) -> list[Row]:
        d, now, scale = self.drawing, self.now, self.scale
        plot = height - 1
        if plot < 2:
            return []
        values = now.columns.values_ms
        cells = spread(now.columns.counts, values, scale, plot)
        row = None
        if self.target is not None and scale.low < self.target.limit < scale.high:
            row = int(row_of(np.array([self.target.limit]), scale, plot)[0])
        lines = [
            Line(now.band.p99, "p99", "^"),
            Line(now.band.p95, "p95", "+"),
            Line(now.band.p50, "p50", "*"),
        ]
        ascii_only = self.theme.ascii_only
        grid = heatmap(
            cells, d.at.plot, lines=lines, scale=scale, marks=d.marks, target_row=row, ascii_only=ascii_only
        )
        labels = ticks(scale, plot, numbers.ms_label)
        head = titled(self._heat_title(), d.width, self.theme, self._heads())
        return [head, *strip(grid.rows(), labels, self._distributions(plot), d.at, self.theme)]

    def _lines(self) -> list[Line]:
        band = self.now.band
        return [Line(band.p99, "p99", "^"), Line(band.p95, "p95", "+"), Line(band.p50, "p50", "*")]

    def table(self, height: int) -> list[Row]:
        """The figures in words: lately, of the run, under this load and the last."""
        d, now = self.drawing, self.now
        rows: list[tuple[str, str, Stat | None]] = [
            (f"last {d.frame.recent_s:g} s", "", now.recent),
            ("run", "", now.run),
        ]
        if now.now is not None:
            rows.append((f"this load {load_words(now.now.stage)}", "stage_now", now.now.stat))
        if now.before is not None:
            rows.append((f"before {load_words(now.before.stage)}", "stage_before", now.before.stat))
        name = min(max(max(len(row[0]) for row in rows) + 1, 16), 30)
        cell = 9
        head: Row = [(f" {self.title} ms".ljust(name + 1), "title")]
        head += [(quantile.rjust(cell), quantile) for quantile in ("p50", "p95", "p99")]
        out: list[Row] = [[*head, ("samples".rjust(cell + 1), "label")]]
        for label, role, stat in rows:
            out.append([(f" {label}".ljust(name + 1), role or "label"), *_cells(stat, cell)])
        if now.now is not None and now.before is not None:
            out.append([(" this over before".ljust(name + 1), "label"), *_ratios(now.now, now.before, cell)])
        return [fitted(row, d.width) for row in (out + [[]] * height)[:height]]

    def _axis_scale(self) -> Scale:
        shared = self.drawing.scales.get(self.metric)
        if shared is not None and self.metric in ("ttft", "itl"):
            return shared
        return self.scale

    def _heat_title(self) -> list[Field]:
        glyphs = ".:%#" if self.theme.ascii_only else "░▒▓█"
        title = Field(0, (f"{self.title} ms", "title"))
        if self.drawing.height < _BANDS_FROM:
            return [title, *self._headline()]
        return [title, Field(1, ("share of each column ", "dim"), (glyphs, "heat_3")), self._target()]

    def _headline(self) -> list[Field]:
        stat, recent_s = self.now.recent, self.drawing.frame.recent_s
        return [
            Field(5, (f"last {recent_s:g}s", "label")),
            *(Field(2, *_figure(stat, name)) for name in ("p50", "p95", "p99")),
            Field(6, ("n ", "label"), (numbers.count(stat.count), "dim")),
            self._target(),
        ]

    def _target(self) -> Field:
        target = self.target
        if target is None:
            return Field(9)
        value = _of(self.now.recent, target.statistic)
        runs: list[Span] = [(f"{target.statistic}<{numbers.ms(target.limit)}", "target")]
        if value is not None:
            met = value <= target.limit
            runs.append((" met" if met else " MISSED", "ok" if met else "bad"))
        return Field(1, *runs)

    def _heads(self) -> list[Span]:
        """Over the two distributions."""
        room, now = self.drawing.at.side - 2, self.now
        if room < 16 or now.now is None:
            return []
        half = (room - 1) // 2
        words = "before " if half >= 18 else "was "
        left = "" if now.before is None else (words + load_words(now.before.stage))[: half - 1]
        return [("  " + left.ljust(half), "stage_before"), (" now " + load_words(now.now.stage), "stage_now")]

    def _distributions(self, height: int) -> list[Row]:
        """Before to the left, now to the right, on the rows of the heatmap."""
        d, now = self.drawing, self.now
        width = d.at.side - 2
        if width < 16:
            return []
        before, after = (self._share(under, height) for under in (now.before, now.now))
        if before is None and after is None:
            return []
        labels = ([""] * height, [""] * height)
        for side, under in zip(labels, (now.before, now.now), strict=True):
            if under is not None:
                self._place(side, under.stat, height)
        rows = pyramid(
            before,
            after,
            ("stage_before", "stage_now"),
            width,
            labels=labels,
            ascii_only=self.theme.ascii_only,
        )
        return [[(" ", ""), *row] for row in rows]

    def _share(self, under: Under | None, height: int) -> Series | None:
        if under is None or not under.found.total:
            return None
        rows: Series = spread(under.found.counts, under.found.values_ms, self.scale, height)[0]
        return rows / under.found.total

    def _place(self, side: list[str], stat: Stat, height: int) -> None:
        for name, value in (("p50", stat.p50_ms), ("p95", stat.p95_ms), ("p99", stat.p99_ms)):
            if value is not None:
                row = int(row_of(np.array([value]), self.scale, height)[0])
                side[row] = f"{side[row]} {name}".strip() if side[row] else f"{name} {numbers.ms(value)}"

    def _figures(self) -> list[Row]:
        now = self.now
        out: list[Row] = [[("".ljust(10), ""), *((q.rjust(9), q) for q in ("p50", "p95", "p99"))]]
        for label, stat in ((f"last {self.drawing.frame.recent_s:g}s", now.recent), ("run", now.run)):
            out.append([(label.ljust(10), "label"), *_cells(stat, 9)[:3]])
        if self.drawing.at.side < 38:
            return []
        return out


def _scale(now: LatencyNow, target: Target | None, log: bool) -> Scale:
    bounds = now.bounds_ms
    values = [] if bounds is None else [max(bounds[0], 1e-3), max(bounds[1], 1e-3)]
    if target is not None and values:
        values.append(target.limit)
    return fitted_scale(None, [np.array(values)], 0, log=log, least_high=100.0 if log else 1.0)


def load_words(stage: LoadStage) -> str:
    number = f"{stage.load:.3g}"
    return f"{number} at once" if stage.closed else f"~{number} rps" if stage.ramp else f"{number} rps"


def _of(stat: Stat, quantile: str) -> float | None:
    value: float | None = getattr(stat, f"{quantile}_ms", None)
    return value


def _figure(stat: Stat, quantile: str) -> list[Span]:
    return [
        (f"{quantile} ", "label"),
        (numbers.sign(stat, quantile) + numbers.ms(_of(stat, quantile)), quantile),
    ]


def _cells(stat: Stat | None, cell: int) -> list[Span]:
    if stat is None or not stat.count:
        return [(numbers.NONE.rjust(cell), "thin")] * 3 + [("0".rjust(cell + 1), "dim")]
    out: list[Span] = []
    for name, value in (("p50", stat.p50_ms), ("p95", stat.p95_ms), ("p99", stat.p99_ms)):
        thin = name in stat.thin or value is None
        out.append(((numbers.sign(stat, name) + numbers.ms(value)).rjust(cell), "thin" if thin else name))
    return [*out, (numbers.count(stat.count).rjust(cell + 1), "dim")]


def _ratios(now: Under, before: Under, cell: int) -> list[Span]:
    out: list[Span] = []
    for name in ("p50", "p95", "p99"):
        a, b = getattr(before.stat, f"{name}_ms"), getattr(now.stat, f"{name}_ms")
        if not a or b is None:
            out.append((numbers.NONE.rjust(cell), "thin"))
            continue
        ratio = b / a
        thin = name in now.stat.thin or name in before.stat.thin
        text = f"{'~' if thin else ''}x{numbers.three(ratio)}"
        out.append(
            (text.rjust(cell), "thin" if thin else "warn" if ratio > 1.2 else "ok" if ratio < 0.8 else "")
        )
    return out
