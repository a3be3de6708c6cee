"""The overview of a small terminal: one column without frames, a chart of few rows behind its words."""

from __future__ import annotations

from collections.abc import Sequence

from tui.controls.time_window import drawn_label
from tui.draw import layout, numbers
from tui.draw.layout import Shape
from tui.draw.rows import Field, Row, chosen, fitted, sliced
from tui.panels import events, gpus, machines, server, time_axis
from tui.panels.box import plain
from tui.plots.bars import spark
from tui.plots.scale import PERCENT, Scale, Series
from tui.views.overview_charts import CHART_OF, FILLED, Charted

WORDS = 26
"""Cells of the words before a chart of few rows."""


def plain_body(d: Charted, shape: Shape, whole: int, height: int) -> list[Row]:
    """`height` rows, of a screen of `whole` rows."""
    frame, at, theme, width = d.frame, d.at, d.theme, d.width
    rows = layout.plain_rows(whole, shape)
    out: list[Row] = []
    for name in ("ttft", "itl"):
        out += plain(CHART_OF[name](d, rows[name], at.gutter), width)
    for name in ("rate", "tokens", "in_flight"):
        if rows[name]:
            out += _worded(d, name, rows[name])
    if rows["server"]:
        out += _server_line(d, rows["server"])
    window = drawn_label(d.screen_state.window_s, frame.slots * frame.slot_ns).split()[0].rjust(at.gutter - 1)
    out.append(
        [(window, "dim"), (theme.glyph("corner"), "axis"), *time_axis.ticked(frame, d.screen_state, at.plot)]
    )
    if rows["gpus"]:
        panel = gpus.gpus(frame, width - 1, rows["gpus"] - (len(frame.gpus) > 2), theme)
        out += plain(panel, width) if len(frame.gpus) > 2 else panel.rows
    if rows["machines"]:
        out.append(machines.machines(frame, width))
    out += events.listed(frame, rows["events"], width, theme).rows
    return [*out, *([[]] * (height - len(out)))][:height]


def _worded(d: Charted, name: str, rows: int) -> list[Row]:
    """A chart of few rows behind its words, which stand over its oldest columns."""
    of, series, role, line = FILLED[name]
    plot = d.plotting.filled(series(d.frame), role, d.scales[name], rows, line if rows > 1 else None)
    fields = of(d.frame)
    return [_beside_words(d, _row_of(fields, rows, i), row) for i, row in enumerate(plot)]


def _row_of(fields: Sequence[Field], rows: int, i: int) -> Row:
    """Of a title's fields those for the row `i` of `rows`: all in the first, or the later ones below."""
    own = fields if rows == 1 else fields[:2] if not i else fields[2:] if i == 1 else []
    return chosen(own, WORDS - 2, gap=1)


def _server_line(d: Charted, rows: int) -> list[Row]:
    """The cache with who waits and who was thrown out; with a second row the queue has one of its own."""
    said = d.frame.server
    counts = server.counts(said)
    if not server.tells_kv(said):
        fields = [Field(0, ("SERVER", "title")), *counts]
        return _spark(d, fields, said.waiting_series, d.scales["waiting"], rows)
    full = said.kv_pct is not None and said.kv_pct >= server.KV_FULL_PCT
    kv = Field(-1, ("KV ", "title"), (numbers.whole(said.kv_pct, "%"), "bad" if full else "server"))
    if rows == 1:
        return _spark(d, [kv, *counts], said.kv, PERCENT, 1)
    queue = [Field(0, ("QUEUE", "title")), *counts[:2]]
    above = _spark(d, [kv, *counts[2:]], said.kv, PERCENT, 1)
    return above + _spark(d, queue, said.waiting_series, d.scales["waiting"], rows - 1)


def _spark(d: Charted, fields: Sequence[Field], values: Series | None, scale: Scale, rows: int) -> list[Row]:
    known = d.frame.offered * float("nan") if values is None else values
    size = (d.at.plot, rows)
    plot = spark(known, scale, size, "server_fill", d.upto, ascii_only=d.theme.ascii_only).rows()
    return [
        _beside_words(d, chosen(fields, WORDS - 2, gap=1) if not i else [], row) for i, row in enumerate(plot)
    ]


def _beside_words(d: Charted, words: Row, plot: Row) -> Row:
    """Words over the oldest columns of a chart."""
    return [(" ", ""), *fitted(words, WORDS - 2), (" ", ""), *sliced(plot, WORDS - d.at.gutter, d.at.plot)]
