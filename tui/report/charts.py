"""TTFT and ITL over time and over the offered rate, as `ttftop summary` prints them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sessions.frame.schema import Band, Frame, Series
from sessions.frame.session_view import SessionView
from sessions.summary.plan_figures import column
from sessions.summary.plan_schema import Plan
from sessions.summary.schema import Stage
from tui.report.plotext_chart import Curve, Theme, chart

SLOTS = 70
LEAST_SLOT_NS = 1_000_000_000
"""Shorter slots hold too few requests: their p50 and p99 are one and the same."""


def whole(view: SessionView) -> Frame:
    """The whole run in one frame."""
    view.read_all()
    span_ns = max(view.last_ns - view.first_ns, LEAST_SLOT_NS)
    slots = int(min(SLOTS, max(span_ns // LEAST_SLOT_NS, 1)))
    return view.frame(view.last_ns, span_ns, slots)


def charts(frame: Frame, stages: Sequence[Stage], theme: Theme) -> str:
    """All charts of a run, a blank line between them; ends with a line break.

    `frame` is the whole run, `stages` are the summary's: the run cut where its load changed.
    """
    if frame.only_input:
        return "no charts of TTFT and ITL: answers have no tokens\n"
    itl = "chunk gap" if frame.itl_is_chunk_gap else "ITL"
    drawn = []
    for name, band in (("TTFT from due", frame.ttft), (itl, frame.itl)):
        title = f"{name}, ms, over time: p50 below, p99 above"
        drawn.append(chart(title, "seconds", _over_time(frame, band), theme, joined=True))
    loads = [stage.concurrency if frame.closed_loop else stage.offered_rps for stage in stages]
    if len(set(loads)) > 1:
        x_label = "concurrency" if frame.closed_loop else "requests per second"
        over = "over concurrency" if frame.closed_loop else "over the offered rate"
        ttft = [(stage.ttft_p50_ms, stage.ttft_p99_ms) for stage in stages]
        gaps = [
            (stage.chunk_gap_p50_ms, stage.chunk_gap_p99_ms)
            if frame.itl_is_chunk_gap
            else (stage.itl_p50_ms, stage.itl_p99_ms)
            for stage in stages
        ]
        for name, quantiles in (("TTFT from due", ttft), (itl, gaps)):
            curves = _over_load(loads, quantiles)
            drawn.append(chart(f"{name}, ms, {over}", x_label, curves, theme, joined=False))
    return "\n\n".join(drawn) + "\n"


def plan_charts(plan: Plan, theme: Theme) -> str:
    """Those that the plan asks for, a point each stage, a blank line between them; ends with a line break."""
    drawn = []
    for text in plan.charts:
        y_name, _, x_name = text.partition(" over ")
        points = [(column(stage, x_name), column(stage, y_name)) for stage in plan.stages]
        known = [(x, y) for x, y in points if x is not None]
        curve = Curve(y_name, [x for x, _ in known], [y for _, y in known])
        drawn.append(chart(text, x_name, [curve], theme, joined=False))
    return "\n\n".join(drawn) + "\n"


def _over_time(frame: Frame, band: Band) -> list[Curve]:
    seconds = [float(i * frame.slot_ns / 1e9) for i in range(frame.slots)]
    return [Curve("p50", seconds, _gaps(band.p50)), Curve("p99", seconds, _gaps(band.p99))]


def _over_load(
    loads: Sequence[float | None], quantiles: Sequence[tuple[float | None, float | None]]
) -> list[Curve]:
    """`quantiles` are p50 and p99 in ms, a pair for each of `loads`."""
    known = [(load, pair) for load, pair in zip(loads, quantiles, strict=True) if load is not None]
    xs = [load for load, _ in known]
    return [Curve(name, xs, [pair[i] for _, pair in known]) for i, name in enumerate(("p50", "p99"))]


def _gaps(series: Series) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in series]
