"""View 3: latency, throughput and goodput over the load, a point for each load that has been on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sessions.curve.curve import Curve as CurveOf
from sessions.curve.point import Point
from sessions.plan.slo import Target
from tui.draw.rows import Row, fitted
from tui.draw.text import safe
from tui.panels.box import Panel
from tui.views.curve_axes import AXES, axes_of
from tui.views.curve_baseline import apart
from tui.views.curve_marks import legend
from tui.views.curve_plot import Plotted, load_unit, plot, titles
from tui.views.curve_table import about, table
from tui.views.view import Drawing, Pressed
from tui.views.what_if import moved, said, target_of, with_target

_BESIDE_FROM = (100, 22)
"""Width and height of the plots from which on others stand beside the chosen one."""

_ONE_ROW_FROM = 110
"""Cells in which what is said of a point has room in one row."""
_WORDS_FROM = 14
"""Rows from which on there are a legend and a line of words."""
_SMALL = ("ttft", "tps")
_SMALL_ROWS = 9


def small_curve(curve: CurveOf, drawing: Drawing, width: int, height: int) -> list[Panel]:
    """Latency and throughput over the load in so many cells, and so many rows with the titles; none while
    there are not two loads to compare."""
    if len(curve.points) < 2 or height < _SMALL_ROWS:
        return []
    targets = tuple(with_target(drawing.source.curve.targets, None))
    log = drawing.screen_state.log
    shown = Plotted(curve, (), None, targets, None, drawing.theme, log)
    names = _SMALL if height >= 2 * _SMALL_ROWS else _SMALL[:1]
    out = []
    for i, name in enumerate(names):
        rows = height * (i + 1) // len(names) - height * i // len(names)
        out.append(Panel(titles(shown, name), plot(shown, name, width, rows)[1:]))
    return out


@dataclass(frozen=True)
class Curve:
    axes: str = "ttft"
    back: int = 0
    """How many points the cursor is before the newest."""
    own: Target | None = None
    """A target that keys have moved."""

    def rows(self, drawing: Drawing) -> list[Row]:
        width, height = drawing.width, drawing.height
        memory = drawing.source.curve
        curve = memory.at(drawing.frame.at_ns)
        targets = with_target(memory.targets, self.own)
        head: list[Row] = []
        held = None if self.own is not None else memory.held(drawing.frame.at_ns)
        if self.own is not None:
            asked, read = memory.what_if(targets, drawing.frame.at_ns)
            held = asked.points
            head.append(said(asked, read, targets, load_unit(curve), width))
        head += self._hints(drawing, curve)
        if not curve.points:
            return head
        baseline = memory.baseline
        other = "" if baseline is None or not baseline.ready else safe(baseline.name, 20)
        shown = Plotted(
            curve,
            () if baseline is None else baseline.points,
            held,
            tuple(targets),
            self._selected(curve),
            drawing.theme,
            drawing.screen_state.log,
            other,
            self.own is not None,
        )
        room = height - len(head)
        words, below = [], []
        if room >= _WORDS_FROM:
            words = [legend(curve, other, drawing.theme, width)]
            below = about(shown, width, 1 if width >= _ONE_ROW_FROM or room < 17 else 2)
        room -= len(words) + len(below)
        listed = min(len(curve.points) + 1, max(room * 2 // 5, 4))
        plots = self._plots(shown, width, room - listed)
        return [*head, *plots, *words, *table(shown, width, listed, other), *below]

    def pressed(self, action: str, drawing: Drawing) -> Pressed:
        memory = drawing.source.curve
        curve = memory.at(drawing.frame.at_ns)
        most = max(len(curve.points) - 1, 0)
        steps = {"row_next": -1, "row_previous": 1, "page_next": -10, "page_previous": 10}
        if action in steps:
            return Pressed(replace(self, back=min(max(min(self.back, most) + steps[action], 0), most)))
        if action == "turn":
            names = list(AXES)
            return Pressed(replace(self, axes=names[(names.index(self.axes) + 1) % len(names)]))
        if action == "open" and (selected := self._selected(curve)) is not None:
            return Pressed(self, seek_ns=selected.stage.stretch.begin_ns)
        if action in ("target_up", "target_down"):
            metric = axes_of(self.axes, curve.points).metric or "ttft"
            last = curve.points[-1] if curve.points else None
            seen = None if last is None else (last.itl_p95 if metric == "itl" else last.ttft_p95).value
            target = self.own if self.own is not None and self.own.metric == metric else None
            target = target or target_of(memory.targets, metric)
            return Pressed(replace(self, own=moved(target, metric, seen, action == "target_up") or self.own))
        if action == "escape" and self.own is not None:
            return Pressed(replace(self, own=None))
        return Pressed(self)

    def _selected(self, curve: CurveOf) -> Point | None:
        return curve.points[-1 - min(self.back, len(curve.points) - 1)] if curve.points else None

    def _plots(self, shown: Plotted, width: int, height: int) -> list[Row]:
        least_width, least_height = _BESIDE_FROM
        others = [name for name in ("ttft", "tps", "goodput", "itl") if name != self.axes]
        count = 0 if width < least_width or height < least_height // 2 else 2 if height < least_height else 3
        if not count:
            return plot(shown, self.axes, width, height)
        beside = width * 2 // 5
        left = plot(shown, self.axes, width - beside - 1, height)
        right: list[Row] = []
        for i, name in enumerate(others[:count]):
            right += plot(shown, name, beside, height * (i + 1) // count - height * i // count, small=True)
        return [fitted([*a, (" ", ""), *b], width) for a, b in zip(left, right, strict=True)]

    def _hints(self, drawing: Drawing, curve: CurveOf) -> list[Row]:
        """What there is to wait for, and which key makes it."""
        memory, width = drawing.source.curve, drawing.width
        out: list[Row] = []
        if memory.baseline is not None and not memory.baseline.ready:
            out.append([(f" reading the baseline {safe(memory.baseline.name, 40)} ...", "dim")])
        live = drawing.frame.live
        arrow = " the up arrow" if drawing.theme.ascii_only else " ↑"
        why = apart(curve.points, memory.baseline) if curve.points else ""
        if why:
            out.append([(" " + why, "warn"), ("; run one at a load of the other", "dim")])
        if not curve.points:
            out.append([(" no load has been on for a second yet", "dim")])
        elif memory.baseline is not None:
            pass
        elif len(curve.points) == 1 and live:
            out.append([(arrow, "key"), (" raises the load: each one that is on becomes a point", "dim")])
        elif len(curve.points) == 1:
            out.append([(" one load, one point: a run whose load changes makes a curve", "dim")])
        return [fitted(row, width) for row in out]
