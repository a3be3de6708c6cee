"""Which charts a report has: the curve over the load, the course over time, the distributions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from sessions.frame.by_target import TargetNow
from sessions.frame.schema import Frame, Series
from sessions.report.finding import load_points, load_unit, ttft_of
from sessions.report.limits import OF_CDF, limits_of
from sessions.report.run_data import RunData
from sessions.report.svg import EACH, FAILED, ONLY, P50, P95, P99, Chart, Line
from sessions.report.words import plain
from sessions.summary.plan_schema import PlanStage
from sessions.summary.quantile_schema import ExactQuantiles
from sessions.summary.schema import Stage, Summary

_MARKS = ("load", "mark", "error", "limit")
_POINTS = 160
"""Of a distribution's curve."""


POINTS = "filled, joined: steady; rings: not steady, too short to tell, or part of a ramp; dashed: targets"
"""How points over the load are drawn."""
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
    lines: dict[str, list[Line]] = {"ttft": [], "tps": [], "itl": [], "joules": []}
    for number, (said, points) in enumerate(found):
        by_load = dict(points)
        name = "" if one else plain(said.name or said.id, 24)
        firm = [x in by_load and _firm(by_load[x], said) for x in loads]

        def add(of: str, label: str, values: list[float | None], colour: int) -> None:
            lines[of].append(Line(label, values, colour, firm))  # noqa: B023

        each = number % EACH
        for label, colour in _PERCENTILES if one else ((name, each),):
            which = label if one else "p95"
            add("ttft", label, [_of(by_load.get(x), "ttft", which) for x in loads], colour)
        for label, colour in (("p50", P50), ("p99", P99)) if one else ((name, each),):
            which = label if one else "p99"
            add("itl", label, [_of(by_load.get(x), "itl", which) for x in loads], colour)
        rates = [None if x not in by_load else by_load[x].output_tps for x in loads]
        add("tps", name, rates, ONLY if one else each)
        add("joules", name, [_joules(by_load.get(x)) for x in loads], ONLY if one else each)
    all_said = [said for said, _ in found]
    return [
        Chart(
            title.format("" if one else f" {which}"),
            loads,
            lines[of],
            unit,
            of_unit,
            log=of == "ttft",
            log_x=wide_range,
            points=True,
            limits=limits_of(all_said, metric),
        )
        for of, title, which, of_unit, metric in (
            ("ttft", "TTFT{} over load, ms", "p95", "ms", "ttft"),
            ("tps", "Output tokens/s over load", "", "tokens/s", "output_tps"),
            ("itl", "ITL{} over load, ms", "p99", "ms", "itl"),
            ("joules", "Joules per output token over load", "", "J", "joules_per_output_token"),
        )
    ]


_PERCENTILES = (("p50", P50), ("p95", P95), ("p99", P99))


def _firm(stage: PlanStage | Stage, said: Summary) -> bool:
    """Steady, so that a line may go on to the next steady load. Of another tool's run nobody can tell: its
    user made a curve of it."""
    return stage.window.verdict == "steady" if stage.window is not None else said.imported is not None


def _a_point_a_run(summaries: Sequence[Summary]) -> list[Chart]:
    """Runs of one load each make a curve together."""
    closed = all(said.load.concurrency is not None for said in summaries)
    points = [(said.load.concurrency if closed else said.rate.offered_rps, said) for said in summaries]
    known = sorted(((float(load), said) for load, said in points if load), key=lambda point: point[0])
    loads = [load for load, _ in known]
    if len(set(loads)) < 2:
        return []
    said = [one for _, one in known]
    firm = [_run_is_firm(one) for one in said]

    def quantiles(of: Callable[[Summary], ExactQuantiles]) -> list[Line]:
        return [Line(name, [getattr(of(one), name) for one in said], c, firm) for name, c in _PERCENTILES]

    tps = [Line("", [one.throughput.output_tps for one in said], ONLY, firm)]
    joules = [Line("", [one.energy.j_per_output_token for one in said], ONLY, firm)]
    return [
        Chart(
            f"{title} over load{', ms' if of_unit == 'ms' else ''}",
            loads,
            lines,
            "requests at a time" if closed else "rps",
            of_unit,
            log=metric == "ttft",
            log_x=loads[-1] > 12 * loads[0],
            points=True,
            limits=limits_of(said, metric),
        )
        for title, lines, of_unit, metric in (
            ("TTFT", quantiles(ttft_of), "ms", "ttft"),
            ("Output tokens/s", tps, "tokens/s", "output_tps"),
            ("E2E", quantiles(lambda one: one.e2e_ms), "ms", "e2e"),
            ("Joules per output token", joules, "J", "joules_per_output_token"),
        )
    ]


def _run_is_firm(said: Summary) -> bool:
    """By its longest load."""
    longest = max(said.stages, key=lambda stage: stage.to_s - stage.from_s, default=None)
    return said.imported is not None if longest is None else _firm(longest, said)


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


def over_time(frame: Frame, targets: Sequence[TargetNow] = (), said: Summary | None = None) -> list[Chart]:
    """The course of a run: load, latencies, tokens, GPUs and server on one and the same axis; of several
    `targets` each beside the others. The targets of `said` are drawn in."""
    offset_s = (frame.start_ns - frame.first_ns) / 1e9
    xs = [offset_s + (i + 0.5) * frame.slot_ns / 1e9 for i in range(frame.slots)]
    marks = [((mark.t_ns - frame.first_ns) / 1e9, mark.label) for mark in frame.marks if mark.kind in _MARKS][
        :60
    ]
    gap = "Chunk gap" if frame.itl_is_chunk_gap else "ITL"
    made = [
        ("Requests/s", "rps", False, [("due", frame.offered, 7), ("sent", frame.achieved, ONLY)]),
        ("TTFT from due, ms", "ms", True, _band(frame.ttft.p50, frame.ttft.p95, frame.ttft.p99)),
        (f"{gap}, ms", "ms", True, _band(frame.itl.p50, frame.itl.p95, frame.itl.p99)),
        ("Output tokens/s", "tokens/s", False, [("tokens/s", frame.output_tokens, ONLY)]),
        (
            "In flight and failing",
            "",
            False,
            [("in flight", frame.in_flight_series, ONLY), ("failures/s", frame.failed_series, FAILED)],
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
    asked = [said] if said is not None else []
    metrics = {"TTFT": "ttft", gap: "chunk_gap" if frame.itl_is_chunk_gap else "itl", "Output": "output_tps"}
    charts = [
        Chart(
            title,
            xs,
            _lines(lines),
            "s",
            unit,
            log,
            marks=marks,
            height=150,
            limits=limits_of(asked, metrics.get(re.split("[ ,]", title)[0], "")),
        )
        for title, unit, log, lines in made
    ]
    charts += [_gpus(frame, xs, marks, *which) for which in _GPU_CHARTS]
    server = []
    if frame.server.kv is not None:
        server.append(("KV cache %", frame.server.kv, 3))
    if frame.server.waiting_series is not None:
        server.append(("waiting", frame.server.waiting_series, 4))
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
    several = len(frame.gpus) > 1
    series = [
        (f"GPU {gpu.label}", getattr(gpu, name), number % EACH if several else ONLY)
        for number, gpu in enumerate(frame.gpus[:16])
    ]
    return Chart(title, xs, _lines(series), "s", unit, marks=marks, most=most, height=150)


def _band(p50: Series, p95: Series, p99: Series) -> list[tuple[str, Series, int]]:
    return [("p50", p50, P50), ("p95", p95, P95), ("p99", p99, P99)]


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
        known = [(number, run, run.values_ms.get(name)) for number, run in enumerate(runs)]
        drawn = [(n, run, v) for n, run, v in known if v is not None and len(v) and v[-1] > 0]
        # What the fastest in a hundred took, or a little less: a few gaps of next to nothing would make most
        # of the axis empty. A gap of 0 has no place on it at all.
        least = min((max(v[len(v) // 100] / 1.5, v[0], v[-1] / 1e4, 1e-3) for _, _, v in drawn), default=0.0)
        curves = []
        for number, run, values in drawn:
            shares = _shares(len(values))
            xs = np.maximum(values[np.minimum((shares * len(values)).astype(int), len(values) - 1)], least)
            curves.append((number, run, dict(zip(xs.tolist(), (shares * 100).tolist(), strict=True))))
        ordered = sorted({x for _, _, curve in curves for x in curve})
        lines = []
        for number, run, curve in curves:
            one = len(runs) == 1
            label = name if one else plain(run.summary.name or run.summary.id, 24)
            values_at = np.interp(ordered, list(curve), list(curve.values()), left=np.nan, right=np.nan)
            at = [float(v) if np.isfinite(v) else None for v in values_at]
            lines.append(Line(label, at, ONLY if one else number % EACH))
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
                    limits_x=limits_of([run.summary for run in runs], OF_CDF.get(name, "")),
                )
            )
    return made


def _shares(count: int) -> np.ndarray:
    """Even ones, and closer to the end, where the tail is."""
    even = np.linspace(0, 0.95, min(_POINTS * 2 // 3, count), endpoint=False)
    tail = 1 - np.geomspace(0.05, 1 / max(count, 21), min(_POINTS // 3, count))
    return np.unique(np.concatenate([even, tail, [1.0]]))
