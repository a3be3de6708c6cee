"""Why tokens come slowly where the target of that is missed and the one of the first token is not: in words,
what the server did meanwhile that slows every token."""

from __future__ import annotations

from collections.abc import Callable

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
    """`WHY ITL p95 138 ms, 23 ms at 00:05: running at once 4 to 43  prompt tokens 320 to 1.2k/s`."""
    metric = "itl" if name == "ITL" else "chunk_gap"
    target = next(one for one in frame.targets[metric] if one.met is False)
    series = {"p50": frame.itl.p50, "p99": frame.itl.p99}.get(target.statistic, frame.itl.p95)
    row: Row = [(f" WHY {name} ", "title")]
    thin = "~" if target.thin else ""
    row.append((f"{target.statistic} {thin}{numbers.length(target.now_ms)}", "strong"))
    there = np.flatnonzero(np.isfinite(series))[:_FIRST]
    is_same = target.statistic in ("p50", "p95", "p99") and len(there) == _FIRST
    lately = _lately(series, frame)
    if is_same and lately.size and target.now_ms is not None:
        first_ms = float(np.median(series[there]))
        # By columns on both sides: of the same gaps, p95 of ten seconds is above that of most single ones.
        if first_ms * (1 + _CHANGED) < min(float(np.median(lately)), target.now_ms):
            at_ns = frame.start_ns + int(there[-1] + 1) * frame.slot_ns - frame.first_ns
            at = numbers.clock(max(at_ns, 0), hours=False)
            row.append((f", {numbers.length(first_ms)} at {at}", "dim"))
    server = frame.server
    lately = _lately(told.running, frame)
    running = _moved(_first(told.running, np.median), float(np.median(lately)) if lately.size else None)
    tokens_in = _moved(_first(told.input_tps, np.mean), told.input_tps_now)
    fields = [
        Field(0, ("running at once ", "label"), (running, "warn" if " to " in running else ""))
        if running
        else None,
        Field(1, ("preemptions ", "label"), (numbers.rate(server.preemptions_per_s, "/s"), "bad"))
        if server.preemptions_per_s
        else None,
        Field(2, ("prompt tokens ", "label"), (f"{tokens_in}/s", "")) if tokens_in else None,
        Field(3, ("TTFT is not missed", "dim")),
    ]
    used = sum(len(text) for text, _ in row) + 3
    return fitted([*row, (": ", "dim"), *chosen([each for each in fields if each], width - used)], width)


def _lately(values: Series, frame: Frame) -> Series:
    """Columns of the time that the latencies are of, without those that tell nothing."""
    ends_ns = frame.start_ns + (np.arange(values.size) + 1) * frame.slot_ns
    return values[(ends_ns > frame.at_ns - frame.recent_s * 1e9) & np.isfinite(values)]


def _first(values: Series, of: Callable[[Series], np.floating]) -> float | None:
    """`of` the first columns that tell something; None where these are too few."""
    there = values[np.isfinite(values)][:_FIRST]
    return float(of(there)) if there.size == _FIRST else None


def _moved(first: float | None, now: float | None) -> str:
    """`4 to 43`, or `43` where it was about that before; empty where it is not told. Of one statistic."""
    if now is None or not np.isfinite(now):
        return ""
    text = numbers.count(now)
    if first is None or abs(now - first) < max(_CHANGED * first, 1.0):
        return text
    return f"{numbers.count(first)} to {text}"
