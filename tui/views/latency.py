"""View 2: one latency over time, in bands and as a heatmap, and how it was under this load and the last."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sessions.plan.slo import Target
from tui.draw.rows import Row
from tui.views.latency_charts import BANDS_FROM, MEANS, TITLES, LatencyCharts
from tui.views.latency_table import FIGURES, LINES, latency_table
from tui.views.strips import axis_row
from tui.views.view import Drawing, Pressed
from tui.views.what_if import moved, said, target_of, with_target

TURNS = ("ttft", "itl", "chunk_gap", "e2e", "send_lag")
SECOND_FROM = 46
"""Rows of the view from which on there is a second metric below."""


@dataclass(frozen=True)
class Latency:
    metric: str = "ttft"
    own: Target | None = None
    """A target that keys have moved."""

    def rows(self, drawing: Drawing) -> list[Row]:
        shown = LatencyCharts(drawing, self.metric, self.own)
        height = drawing.height
        bands = height >= BANDS_FROM
        below: list[Row] = []
        if not (bands and shown.table()):
            width = drawing.width - 1
            roles = FIGURES if bands else LINES
            recent_s = drawing.frame.recent_s
            table = latency_table(shown.now, f"{shown.title} ms", recent_s, width, roles, shown.deltas)
            below = [[(" ", ""), *row] for row in table[: max(height - 8, 0)]]
        out: list[Row] = [] if self.own is None else [self._what_if(drawing)]
        room = height - len(below) - 1 - len(out)
        if height >= SECOND_FROM:
            out += shown.bands(room * 2 // 8)
            out += shown.heat(room * 3 // 8)
            second = LatencyCharts(drawing, _next(self.metric, drawing), None)
            out += second.heat(room - room * 2 // 8 - room * 3 // 8)
        elif bands:
            out += shown.bands(room * 2 // 5)
            out += shown.heat(room - room * 2 // 5)
        else:
            out += shown.heat(room)
        return [*out, axis_row(drawing), *below]

    def pressed(self, action: str, drawing: Drawing) -> Pressed:
        if action == "turn":
            metric = _next(self.metric, drawing)
            return Pressed(Latency(metric), notice=f"{TITLES[metric]}: {MEANS[metric]}")
        if action in ("target_up", "target_down"):
            if self.metric == "chunk_gap":
                return Pressed(self, notice="a gap between chunks asks nothing of one request")
            target = self.own or target_of(drawing.source.curve.targets, self.metric)
            seen = LatencyCharts(drawing, self.metric, None).now.run.p95_ms
            own = moved(target, self.metric, seen, action == "target_up")
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


def _next(metric: str, drawing: Drawing) -> str:
    """Where no ITL is known, chunk gaps stand in its place: one turn less."""
    turns = [name for name in TURNS if name != "chunk_gap" or not drawing.frame.itl_is_chunk_gap]
    return turns[(turns.index(metric) + 1) % len(turns)] if metric in turns else turns[0]
