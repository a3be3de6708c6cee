"""What the server says of itself, on the same columns as the latencies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sessions.frame.schema import Frame, Server
from tui.draw import numbers
from tui.draw.layout import Columns
from tui.draw.rows import Field, Row, Span, chosen
from tui.draw.theme import Theme
from tui.panels.strip import named, strip
from tui.plots.bars import area, bar
from tui.plots.chart import Mark
from tui.plots.scale import PERCENT, Scale, ticks

KV_FULL_PCT = 95.0


def server_strips(server: Server) -> int:
    """How many strips it could fill."""
    said = (server.running, server.waiting, server.kv_pct, server.preemptions_per_s)
    return (
        2
        if _tells_kv(server) and server.waiting_series is not None
        else int(any(v is not None for v in said))
    )


def _tells_kv(server: Server) -> bool:
    """It says, or has said within the window, how full its cache is."""
    return server.kv_pct is not None or (server.kv is not None and bool(np.isfinite(server.kv).any()))


def server(
    frame: Frame, waiting: Scale, at: Columns, height: int, theme: Theme, marks: Sequence[Mark]
) -> list[Row]:
    said = frame.server
    full = said.kv_pct is not None and said.kv_pct >= KV_FULL_PCT
    kv: list[Span] = [
        ("KV ", "title"),
        (f"{numbers.whole(said.kv_pct)}%".rjust(4), "bad" if full else "server"),
    ]
    running = Field(3, ("run ", "label"), (numbers.whole(said.running), "server"))
    waits = Field(1, ("wait ", "label"), (numbers.whole(said.waiting), "warn" if said.waiting else "dim"))
    wide = at.side >= 36
    preempted = Field(2)
    if said.preemptions_per_s:
        word = "preempt " if wide or height > 1 else "pre "
        preempted = Field(2, (word, "label"), (f"{numbers.rate(said.preemptions_per_s)}/s", "bad"))
    share = None if said.kv_pct is None else said.kv_pct / 100
    nothing = frame.offered * float("nan")
    series = nothing if said.waiting_series is None else said.waiting_series
    if not _tells_kv(said):
        plot = area(series, waiting, at.plot, height, "server_fill", marks=marks, ascii_only=theme.ascii_only)
        side = [chosen([Field(0, ("SERVER", "title")), running, waits, preempted], at.side - 1)]
        return strip(plot.rows(), ticks(waiting, height, numbers.label), side, at, theme)
    first = area(
        nothing if said.kv is None else said.kv,
        PERCENT,
        at.plot,
        1,
        "server_fill",
        marks=marks,
        ascii_only=theme.ascii_only,
    ).rows()
    if height < 2:
        fields = [Field(0, *kv), running, waits, preempted]
        gap = 2 if wide or not preempted.runs else 1
        return named(first, "KV %", [chosen(fields, at.side - 1, gap=gap)], at, theme)
    meter = bar(
        [(share, "bad" if full else "server_fill")], max(at.side - 12, 0), ascii_only=theme.ascii_only
    )
    # Where both rows are too short for all of it, preemptions are told in place of the bar.
    beside = preempted.runs if preempted.runs and not wide else meter
    rows = named(first, "KV %", [[*kv, ("  ", ""), *beside]], at, theme)
    below = area(
        series, waiting, at.plot, height - 1, "server_fill", marks=marks, ascii_only=theme.ascii_only
    ).rows()
    fields = [Field(0, ("QUEUE ", "title"), *running.runs), waits, *([preempted] if wide else [])]
    side = [chosen(fields, at.side - 1)]
    return rows + strip(below, ticks(waiting, height - 1, numbers.label), side, at, theme)
