"""What the server says of itself: its cache as a meter, who runs and waits, and both over time."""

from __future__ import annotations

import numpy as np

from sessions.frame.schema import Frame, Server, Stat
from tui.draw import numbers
from tui.draw.numbers import sign
from tui.draw.rows import Field, Row, Span, chosen, fitted
from tui.draw.theme import Theme
from tui.panels.box import Panel
from tui.plots.bars import bar, spark
from tui.plots.scale import PERCENT, Scale, Series

KV_FULL_PCT = 95.0
_NAME = 7
"""Cells of a row's name."""


def server_strips(server: Server) -> int:
    """Rows it fills at least."""
    said = (server.running, server.waiting, server.kv_pct, server.preemptions_per_s)
    return (
        2 if tells_kv(server) and server.waiting_series is not None else int(any(v is not None for v in said))
    )


def tells_kv(server: Server) -> bool:
    """It says, or has said within the window, how full its cache is."""
    return server.kv_pct is not None or (server.kv is not None and bool(np.isfinite(server.kv).any()))


def server(frame: Frame, waiting: Scale, upto: int, width: int, height: int, theme: Theme) -> Panel:
    """At most `height` rows of `width` cells. What charts show from the column `upto` on is still to come."""
    said = frame.server
    rows: list[Row] = []
    if tells_kv(said):
        rows.append(_cache(said, width, theme))
    rows.append([(" ", ""), *chosen(counts(said), width - 1)])
    rows += _own(said, width, ascii_only=theme.ascii_only)[: max(height - len(rows), 0)]
    left = height - len(rows)
    plot = max(width - _NAME - 1, 0)

    def chart(name: str, values: Series | None, scale: Scale, tall: int) -> list[Row]:
        known = np.empty(0) if values is None else values
        size = (plot, tall)
        drawn = spark(known, scale, size, "server_fill", upto, ascii_only=theme.ascii_only).rows()
        names = [name, f"0-{numbers.label(scale.high)}"] if tall > 1 else [name]
        return [
            [(f" {names[i] if i < len(names) else '':<{_NAME}}", "label"), *row]
            for i, row in enumerate(drawn)
        ]

    if left >= 2 and tells_kv(said):
        rows += chart("KV %", said.kv, PERCENT, left // 2)
        left -= left // 2
    if left > 0:
        rows += chart("queue", said.waiting_series, waiting, left)
    return Panel([Field(0, ("SERVER", "title")), *_hits(said)], rows[:height])


def _cache(said: Server, width: int, theme: Theme) -> Row:
    full = said.kv_pct is not None and said.kv_pct >= KV_FULL_PCT
    share = None if said.kv_pct is None else said.kv_pct / 100
    figure: Span = (numbers.whole(said.kv_pct, "%").rjust(4), "bad" if full else "server")
    word: list[Span] = [(" FULL", "bad")] if full else []
    room = max(width - _NAME - 6 - 5 * full, 0)
    meter = bar([(share, "bad" if full else "server_fill")], room, ascii_only=theme.ascii_only)
    return [(f" {'KV':<{_NAME - 4}}", "title"), figure, (" ", ""), *meter, *word]


def counts(said: Server) -> list[Field]:
    """Who runs, who waits, who was thrown out."""
    rate = said.preemptions_per_s
    return [
        Field(1, ("run ", "label"), (numbers.whole(said.running), "server")),
        Field(0, ("wait ", "label"), (numbers.whole(said.waiting), "warn" if said.waiting else "dim")),
        Field(0, ("preempt ", "label"), (numbers.rate(rate, "/s"), "bad")) if rate else Field(9),
    ]


def _hits(said: Server) -> list[Field]:
    if said.prefix_hit_pct is None:
        return []
    return [Field(1, ("prefix hit ", "label"), (f"{said.prefix_hit_pct:.0f}%", "server"))]


def _own(said: Server, width: int, *, ascii_only: bool) -> list[Row]:
    """The latencies that the server says itself: what they are below ours is network and client. Of one that
    is known only to lie in one bucket of its histogram nothing is told."""
    out: list[Row] = []
    for name, stat in (("TTFT", said.ttft), ("ITL", said.itl)):
        if stat is not None and stat.count and not in_one_bucket(stat):
            figures = _quantiles(stat, ascii_only=ascii_only)
            fields = [
                Field(rank, (figure, "server")) for rank, figure in zip((0, 2, 1), figures, strict=True)
            ]
            said_by: Span = (f" server's {name} ", "label")
            with_unit: Span = (f" server's {name} ms ", "label")
            room = width - len(with_unit[0])
            has_room = sum(len(figure) + 2 for figure in figures) - 2 <= room
            first = with_unit if has_room else said_by
            out.append(fitted([first, *chosen(fields, width - len(first[0]))], width))
    return out


def in_one_bucket(stat: Stat) -> bool:
    """Nothing is known but that all values lie there."""
    return len(stat.bounds) == 3 and stat.p50_ms == stat.p99_ms


def _quantiles(stat: Stat, *, ascii_only: bool) -> list[str]:
    """`p50 101`, `p95 ≤202`, `p99 303`: a `<` would look like a target."""
    at_most = "<=" if ascii_only else "≤"
    values = (("p50", stat.p50_ms), ("p95", stat.p95_ms), ("p99", stat.p99_ms))
    return [
        f"{name} {'' if v is None else sign(stat, name).replace('<=', at_most)}{numbers.ms(v, short=True)}"
        for name, v in values
    ]
