"""Why tokens come slowly where the target of that is missed and the one of the first token is not: in words,
what the server did meanwhile that slows every token."""

from __future__ import annotations

import numpy as np

from sessions.frame.schema import Frame, Series
from sessions.frame.server_series import ServerSeries
from tui.draw import numbers
from tui.draw.rows import Field, Row, chosen, fitted
from tui.panels.held_targets import missed

_FIRST = 5
"""Columns that say what a figure was at first: one alone is of a few requests."""
_CHANGED = 0.25
"""A figure that moved by less of itself explains nothing."""


def explained(frame: Frame) -> str:
    """`ITL` or `GAP` where its target is missed and TTFT's is not; else empty: then the first token is to be
    explained."""
    names = missed(frame)
    return next((name for name in ("ITL", "GAP") if name in names and "TTFT" not in names), "")


def sentence(name: str, told: ServerSeries, frame: Frame, width: int) -> Row:
    """`WHY ITL p95 138 ms, 23 ms up to 00:05: running at once 4 to 43  prompt tokens 320 to 1.2k/s`."""
    metric = "itl" if name == "ITL" else "chunk_gap"
    target = next(one for one in frame.targets[metric] if one.met is False)
    series = {"p50": frame.itl.p50, "p99": frame.itl.p99}.get(target.statistic, frame.itl.p95)
    row: Row = [(f" WHY {name} ", "title")]
    thin = "~" if target.thin else ""
    row.append((f"{target.statistic} {thin}{numbers.length(target.now_ms)}", "strong"))
    there = np.flatnonzero(np.isfinite(series))[:_FIRST]
    is_same = target.statistic in ("p50", "p95", "p99") and len(there) == _FIRST
    if is_same and (first_ms := float(np.median(series[there]))) * (1 + _CHANGED) < (target.now_ms or 0.0):
        at_ns = frame.start_ns + int(there[-1] + 1) * frame.slot_ns - frame.first_ns
        since = numbers.clock(max(at_ns, 0), hours=False)
        row.append((f", {numbers.length(first_ms)} up to {since}", "dim"))
    server = frame.server
    running = _moved(told.running, _most_lately(told.running, frame))
    tokens_in = _moved(told.input_tps, told.input_tps_now)
    fields = [
        Field(0, ("running at once ", "label"), (running, "warn")) if running else None,
        Field(1, ("preemptions ", "label"), (numbers.rate(server.preemptions_per_s, "/s"), "bad"))
        if server.preemptions_per_s
        else None,
        Field(2, ("prompt tokens ", "label"), (f"{tokens_in}/s", "")) if tokens_in else None,
        Field(3, ("TTFT is not missed", "dim")),
    ]
    used = sum(len(text) for text, _ in row) + 3
    return fitted([*row, (": ", "dim"), *chosen([each for each in fields if each], width - used)], width)


def _most_lately(values: Series, frame: Frame) -> float | None:
    """Over the time that the latencies are of: of a run that is over there is nothing running at its end."""
    ends_ns = frame.start_ns + (np.arange(values.size) + 1) * frame.slot_ns
    lately = values[ends_ns > frame.at_ns - frame.recent_s * 1e9]
    return float(np.nanmax(lately)) if np.isfinite(lately).any() else None


def _moved(values: Series, now: float | None) -> str:
    """`4 to 43`, or `43` where it was about that before; empty where it is not told."""
    if now is None or not np.isfinite(now):
        return ""
    there = values[np.isfinite(values)][:_FIRST]
    first = float(np.median(there)) if there.size == _FIRST else now
    text = numbers.count(now)
    return text if abs(now - first) < max(_CHANGED * first, 1.0) else f"{numbers.count(first)} to {text}"
