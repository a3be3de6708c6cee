"""A row for each of several targets: what it gets, how it answers, whether it can be reached."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sessions.frame.by_target import TargetNow
from sessions.frame.schema import Frame, Stat
from tui.draw import numbers
from tui.draw.rows import Row, Span, fitted
from tui.draw.text import safe
from tui.draw.theme import Theme
from tui.plots.bars import area
from tui.plots.scale import Scale, bounds

_NAME, _SPARK = 22, 24
_WIDE = 100
"""Cells from which on a row has its TTFT over time as well."""


def table(targets: Sequence[TargetNow], frame: Frame, width: int, height: int, theme: Theme) -> list[Row]:
    """At most `height` rows, a heading first; the last one says how many more there are. None of one target,
    and where there is no room for two."""
    if not targets or height < 3:
        return []
    shown = targets if len(targets) < height else targets[: height - 2]
    spark = width >= _WIDE
    head = (
        f" {'BY TARGET':{_NAME}} {'sent/s':>7} {'in fl':>6} {'TTFT p50':>9} {'p95':>7} {'gap p50':>8} failed"
    )
    rows = [fitted([(head, "title"), ("  TTFT p95" if spark else "", "title")], width)]
    _, high, _ = bounds([one.ttft_p95 for one in targets], False, 1.0)
    for one in shown:
        spans = _cells(one, frame)
        if spark:
            values = one.ttft_p95[-_SPARK:] if len(one.ttft_p95) > _SPARK else one.ttft_p95
            grid = area(
                values,
                Scale(0.0, high),
                min(_SPARK, len(values)),
                1,
                "in_flight_fill",
                ascii_only=theme.ascii_only,
            )
            spans += [("  ", ""), *grid.rows()[0]]
        rows.append(fitted(spans, width))
    if (more := len(targets) - len(shown)) > 0:
        rows.append(fitted([(f" and {more} more: ttftop summary has all", "dim")], width))
    return rows


def _cells(one: TargetNow, frame: Frame) -> list[Span]:
    failed = one.failed + one.not_sent
    name = safe(one.name, _NAME)
    if one.lost_since_ns is not None:
        lost_s = max(frame.at_ns - one.lost_since_ns, 0) // 1_000_000_000
        return [
            (f" {name:{_NAME}} ", "bad"),
            (f"{numbers.rate(one.sent_rps):>7} {one.in_flight:>6} ", ""),
            (f"{f'unreachable {lost_s} s':>26} ", "bad"),
            (f"{numbers.count(failed):>7}", "bad"),
        ]
    return [
        (f" {name:{_NAME}} ", ""),
        (f"{numbers.rate(one.sent_rps):>7} {one.in_flight:>6} ", ""),
        (f"{_ms(one.ttft, one.ttft.p50_ms, 'p50'):>9} {_ms(one.ttft, one.ttft.p95_ms, 'p95'):>7} ", "p50"),
        (f"{_ms(one.gaps, one.gaps.p50_ms, 'p50'):>8} ", ""),
        (f"{numbers.count(failed):>7}", "bad" if failed else "dim"),
    ]


def _ms(stat: Stat, value: float | None, name: str) -> str:
    if value is None or not np.isfinite(value):
        return numbers.NONE
    return ("~" if name in stat.thin else "") + numbers.ms(value, short=True)
