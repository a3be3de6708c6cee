"""Which charts a report has: the curve over the load, the course over time, the distributions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sessions.frame.by_target import TargetNow
from sessions.frame.schema import Frame, Series
from sessions.report.finding import load_points, load_unit, ttft_of
from sessions.report.run_data import RunData
from sessions.report.svg import Chart, Line
from sessions.report.words import plain
from sessions.summary.plan_schema import PlanStage
from sessions.summary.schema import Stage, Summary

_MARKS = ("load", "mark", "error", "limit")
_POINTS = 160
"""Of a distribution's curve."""


MOST_TARGETS = 8
"""Lines in one chart: there are no more colours."""


def over_load(runs: Sequence[RunData]) -> list[Chart]:
    """Latency and throughput over load; of several runs on the same axes. Empty of one load."""
    found = [(run.summary, load_points(run.summary)) for run in runs]
    if len(runs) > 1 and all(len(points) < 2 for _, points in found):
        return _a_point_a_run([run.summary for run in runs])
    loads = sorted({load for _, points in found for load, _ in points})
    if len(loads) < 2:
        return []
    unit = load_unit(found[0][0])
    wide_range = loads[-1] > 12 * loads[0]
    one = len(runs) == 1
    ttft, itl, tps, joules = [], [], [], []
    for number, (said, points) in enumerate(found):
        by_load = dict(points)
        name = "" if one else plain(said.name or said.id, 24)
        for place, quantile in enumerate(("p50", "p95", "p99") if one else ("p95",)):
            colour = place if one else number
            label = quantile if one else name
            ttft.append(Line(label, [_of(by_load.get(x), "ttft", quantile) for x in loads], colour))
        for place, quantile in enumerate(("p50", "p99") if one else ("p99",)):
            colour = place * 2 if one else number
            label = quantile if one else name
            itl.append(Line(label, [_of(by_load.get(x), "itl", quantile) for x in loads], colour))
        rates = [None if x not in by_load else by_load[x].output_tps for x in loads]
        tps.append(Line(name, rates, 3 if one else number))
        joules.append(Line(name, [_joules(by_load.get(x)) for x in loads], 4 if one else number))
    which = "" if one else " p95"
    shape = {"x_label": unit, "points": True, "log_x": wide_range}
    return [
        Chart(f"TTFT{which} over load, ms", loads, ttft, unit="ms", log=True, **shape),  # type: ignore[arg-type]
        Chart("Output tokens/s over load", loads, tps, unit="tokens/s", **shape),  # type: ignore[arg-type]
        Chart(f"ITL{'' if one else ' p99'} over load, ms", loads, itl, unit="ms", **shape),  # type: ignore[arg-type]
        Chart("Joules per output token over load", loads, joules, unit="J", **shape),  # type: ignore[arg-type]
    ]


def _a_point_a_run(summaries: Sequence[Summary]) -> list[Chart]:
    """Runs of one load each make a curve together."""
    closed = all(said.load.concurrency is not None for said in summaries)
    points = [(said.load.concurrency if closed else said.rate.offered_rps, said) for said in summaries]
    known = sorted(((float(load), said) for load, said in points if load), key=lambda point: point[0])
    loads = [load for load, _ in known]
    if len(set(loads)) < 2:
        return []
    ttft = [
        Line(name, [getattr(ttft_of(said), name) for _, said in known], place)
        for place, name in enumerate(("p50", "p95", "p99"))
    ]
    e2e = [
        Line(name, [getattr(said.e2e_ms, name) for _, said in known], place)
        for place, name in enumerate(("p50", "p95", "p99"))
    ]
    tps = [Line("", [said.throughput.output_tps for _, said in known], 3)]
    joules = [Line("", [said.energy.j_per_output_token for _, said in known], 4)]
    unit, log_x = "requests at a time" if closed else "rps", loads[-1] > 12 * loads[0]
    return [
        Chart("TTFT over load, ms", loads, ttft, unit, "ms", log=True, log_x=log_x, points=True),
        Chart("Output tokens/s over load", loads, tps, unit, "tokens/s", log_x=log_x, points=True),
        Chart("E2E over load, ms", loads, e2e, unit, "ms", log_x=log_x, points=True),
        Chart("Joules per output token over load", loads, joules, unit, "J", log_x=log_x, points=True),
    ]


def _of(stage: PlanStage | Stage | None, metric: str, quantile: str) -> float | None:
    if stage is None:
        return None
    if isinstance(stage, PlanStage) and metric == "ttft":
        value: float | None = getattr(stage.ttft_ms, quantile)
        return value
    found: float | None = getattr(stage, f"{metric}_{quantile}_ms", None)
    return found


def _joules(stage: PlanStage | Stage | None) -> float | None:
    if stage is None:
        return None
    return stage.joules_per_output_token if isinstance(stage, PlanStage) else stage.j_per_output_token


def over_time(frame: Frame, targets: Sequence[TargetNow] = ()) -> list[Chart]:
    """The course of a run: load, latencies, tokens, GPUs and server on one and the same axis; of several
    `targets` each beside the others."""
    offset_s = (frame.start_ns - frame.first_ns) / 1e9
    xs = [offset_s + (i + 0.5) * frame.slot_ns / 1e9 for i in range(frame.slots)]
    marks = [((mark.t_ns - frame.first_ns) / 1e9, mark.label) for mark in frame.marks if mark.kind in _MARKS][
        :60
    ]
    gap = "Chunk gap" if frame.itl_is_chunk_gap else "ITL"
    made = [
        ("Requests/s", "rps", False, [("due", frame.offered, 7), ("sent", frame.achieved, 0)]),
        ("TTFT from due, ms", "ms", True, _band(frame.ttft.p50, frame.ttft.p95, frame.ttft.p99)),
        (f"{gap}, ms", "ms", True, _band(frame.itl.p50, frame.itl.p95, frame.itl.p99)),
        ("Output tokens/s", "tokens/s", False, [("tokens/s", frame.output_tokens, 3)]),
        (
            "In flight and failing",
            "",
            False,
            [("in flight", frame.in_flight_series, 0), ("failures/s", frame.failed_series, 2)],
        ),
    ]
    if targets:
        each = [(plain(one.name, 30), one) for one in targets[:MOST_TARGETS]]
        p95 = [(name, one.ttft_p95, number) for number, (name, one) in enumerate(each)]
        sent = [(name, one.sent_series, number) for number, (name, one) in enumerate(each)]
        made += [
            ("TTFT p95 by target, ms", "ms", True, p95),
            ("Requests sent/s by target", "rps", False, sent),
        ]
    charts = [
        Chart(title, xs, _lines(lines), "s", unit, log, marks=marks, height=150)
        for title, unit, log, lines in made
    ]
    charts += [_gpus(frame, xs, marks, *which) for which in _GPU_CHARTS]
    server = []
    if frame.server.kv is not None:
        server.append(("KV cache %", frame.server.kv, 4))
    if frame.server.waiting_series is not None:
        server.append(("waiting", frame.server.waiting_series, 1))
    charts.append(
        Chart("Server: KV cache % and requests waiting", xs, _lines(server), "s", marks=marks, height=150)
    )
    return charts


_GPU_CHARTS = (("GPU power, W", "power", "W", None), ("GPU utilisation, %", "util", "%", 100.0))


def _gpus(
    frame: Frame,
    xs: list[float],
    marks: list[tuple[float, str]],
    title: str,
    name: str,
    unit: str,
    most: float | None,
) -> Chart:
    series = [(f"GPU {gpu.label}", getattr(gpu, name), number) for number, gpu in enumerate(frame.gpus[:16])]
    return Chart(title, xs, _lines(series), "s", unit, marks=marks, most=most, height=150)


def _band(p50: Series, p95: Series, p99: Series) -> list[tuple[str, Series, int]]:
    return [("p50", p50, 0), ("p95", p95, 1), ("p99", p99, 2)]


def _lines(series: Sequence[tuple[str, Series, int]]) -> list[Line]:
    return [
        Line(name, [float(v) if np.isfinite(v) else None for v in values], colour)
        for name, values, colour in series
        if np.isfinite(values).any()
    ]


def distributions(runs: Sequence[RunData]) -> list[Chart]:
    """The share of requests (of tokens, for ITL) that took no longer, over time on a logarithmic axis."""
    names = list(dict.fromkeys(name for run in runs for name in run.values_ms))
    made = []
    for name in names:
        lines, at = [], set()
        curves = []
        for number, run in enumerate(runs):
            values = run.values_ms.get(name)
            if values is None or not len(values) or values[-1] <= 0:
                continue
            shares = _shares(len(values))
            least = max(float(values[-1]) / 1e4, 1e-3)  # a gap of 0 has no place on a logarithmic axis
            xs = np.maximum(values[np.minimum((shares * len(values)).astype(int), len(values) - 1)], least)
            curve = dict(zip(xs.tolist(), (shares * 100).tolist(), strict=True))
            curves.append((number, run, curve))
            at |= set(curve)
        ordered = sorted(at)
        for number, run, curve in curves:
            label = name if len(runs) == 1 else plain(run.summary.name or run.summary.id, 24)
            values_at = np.interp(ordered, list(curve), list(curve.values()), left=np.nan, right=np.nan)
            lines.append(Line(label, [float(v) if np.isfinite(v) else None for v in values_at], number))
        what = "tokens" if name in ("ITL", "chunk gap") else "requests"
        if len(ordered) > 1:
            made.append(
                Chart(
                    f"{name}: % of {what} within",
                    ordered,
                    lines,
                    "ms",
                    "%",
                    log_x=True,
                    most=100.0,
                    height=170,
                )
            )
    return made


def _shares(count: int) -> np.ndarray:
    """Even ones, and closer to the end, where the tail is."""
    even = np.linspace(0, 0.95, min(_POINTS * 2 // 3, count), endpoint=False)
    tail = 1 - np.geomspace(0.05, 1 / max(count, 21), min(_POINTS // 3, count))
    return np.unique(np.concatenate([even, tail, [1.0]]))
