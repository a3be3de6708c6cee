"""TTFT and ITL over time and over the offered rate, as `ttftop summary` prints them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sessions.frame.schema import Band, Frame, Series
from sessions.frame.session_view import SessionView
from tui.report.plotext_chart import Curve, Theme, chart

SLOTS = 70
LEAST_SLOT_NS = 1_000_000_000
"""Shorter slots hold too few requests: their p50 and p99 are one and the same."""


def whole(view: SessionView) -> Frame:
    """The whole run in one frame."""
    view.poll()
    while view.behind:
        view.poll()
    span_ns = max(view.last_ns - view.first_ns, LEAST_SLOT_NS)
    slots = int(min(SLOTS, max(span_ns // LEAST_SLOT_NS, 1)))
    return view.frame(view.last_ns, span_ns, slots)


def charts(frame: Frame, steps: Sequence[Mapping[str, Any]], theme: Theme) -> str:
    """All charts of a run, a blank line between them; ends with a line break.

    `frame` is the whole run, `steps` are the summary's: the run cut where its load changed.
    """
    itl = "chunk gap" if frame.itl_is_chunk_gap else "ITL"
    drawn = []
    for name, band in (("TTFT from due", frame.ttft), (itl, frame.itl)):
        title = f"{name}, ms, over time: p50 below, p99 above"
        drawn.append(chart(title, "seconds", _over_time(frame, band), theme, joined=True))
    load = "concurrency" if frame.closed_loop else "offered_rps"
    if len({step[load] for step in steps}) > 1:
        x_label = "concurrency" if frame.closed_loop else "requests per second"
        over = "over concurrency" if frame.closed_loop else "over the offered rate"
        for name, key in (("TTFT from due", "ttft"), (itl, "chunk_gap" if frame.itl_is_chunk_gap else "itl")):
            title = f"{name}, ms, {over}"
            drawn.append(chart(title, x_label, _over_load(steps, load, key), theme, joined=False))
    return "\n\n".join(drawn) + "\n"


def _over_time(frame: Frame, band: Band) -> list[Curve]:
    seconds = [float(i * frame.slot_ns / 1e9) for i in range(frame.slots)]
    return [Curve("p50", seconds, _gaps(band.p50)), Curve("p99", seconds, _gaps(band.p99))]


def _over_load(steps: Sequence[Mapping[str, Any]], load: str, key: str) -> list[Curve]:
    xs = [float(step[load]) for step in steps if step[load] is not None]
    known = [step for step in steps if step[load] is not None]
    return [Curve(p, xs, [step.get(f"{key}_{p}_ms") for step in known]) for p in ("p50", "p99")]


def _gaps(series: Series) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in series]
