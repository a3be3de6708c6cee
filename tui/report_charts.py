"""TTFT and ITL over time and over the offered rate, as `ttftop summary` prints them."""

from __future__ import annotations

import numpy as np

from sessions.frame import Band, Frame, Series
from sessions.view import SessionView
from tui.printed_charts import Curve, Look, chart

SLOTS = 70
LEAST_SLOT_NS = 250_000_000


def whole(view: SessionView) -> Frame:
    """The whole run in one frame."""
    view.poll()
    while view.behind:
        view.poll()
    span_ns = max(view.last_ns - view.first_ns, LEAST_SLOT_NS)
    slots = int(min(SLOTS, max(span_ns // LEAST_SLOT_NS, 1)))
    return view.frame(view.last_ns, span_ns, slots)


def charts(frame: Frame, look: Look) -> str:
    """All charts of a run, a blank line between them; ends with a line break."""
    seconds = [float(i * frame.slot_ns / 1e9) for i in range(frame.slots)]
    itl = "chunk gap" if frame.itl_is_chunk_gap else "ITL"
    drawn = []
    for name, band in (("TTFT from due", frame.ttft), (itl, frame.itl)):
        title = f"{name}, ms, over time: p50 below, p99 above"
        drawn.append(chart(title, "seconds", _curves(seconds, band), look, joined=True))
    if np.unique(frame.offered[np.isfinite(frame.offered)]).size > 1:
        rates = [float(rate) for rate in np.where(np.isfinite(frame.offered), frame.offered, 0.0)]
        for name, band in (("TTFT from due", frame.ttft), (itl, frame.itl)):
            title = f"{name}, ms, over the offered rate: p50 below, p99 above"
            drawn.append(chart(title, "requests per second", _curves(rates, band), look, joined=False))
    return "\n\n".join(drawn) + "\n"


def _curves(xs: list[float], band: Band) -> list[Curve]:
    return [Curve("p50", xs, _gaps(band.p50)), Curve("p99", xs, _gaps(band.p99))]


def _gaps(series: Series) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in series]
