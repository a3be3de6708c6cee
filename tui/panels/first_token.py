"""Why the time to first token is what it is: the parts of it stacked, and in words what has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sessions.frame.first_token import (
    NETWORK,
    OWN,
    PREFILL,
    QUEUE,
    REST_OF_SERVER,
    SEND_LAG,
    FirstToken,
    Layer,
)
from sessions.frame.schema import Frame
from tui.draw import numbers
from tui.draw.layout import Columns
from tui.draw.rows import Field, Row, Span, chosen, fitted
from tui.draw.theme import Theme
from tui.panels.held_targets import missed
from tui.panels.strip import strip
from tui.plots.chart import Grid, Mark
from tui.plots.scale import Scale, bounds, ticks
from tui.plots.stack import Layer as Drawn
from tui.plots.stack import stack

_LOOKS = {
    PREFILL: ("ttft_prefill", "█", "#"),
    f"{PREFILL}, {REST_OF_SERVER}": ("ttft_prefill", "█", "#"),
    f"{PREFILL}, {NETWORK}": ("ttft_prefill", "█", "#"),
    OWN: ("ttft_prefill", "█", "#"),
    f"{OWN}, {NETWORK}": ("ttft_prefill", "█", "#"),
    QUEUE: ("ttft_queue", "▓", "="),
    REST_OF_SERVER: ("ttft_server", "▚", "+"),
    NETWORK: ("ttft_network", "▒", ":"),
    SEND_LAG: ("ttft_lag", "░", "."),
}
"""Role, texture, and the letter where there is only ASCII: told apart without colour too."""
READ = 0.98
"""The share of our requests from which on their figures are taken for those of all: a live run's come a tick
late."""
CHANGED_SHARE, CHANGED_MS = 0.15, 10.0
"""A mean that moved by less than both is the same."""


def sentence(said: FirstToken, frame: Frame, width: int, theme: Theme) -> Row:
    """`TTFT rose by 1.05s since 00:10 to a mean of 1.20s: queue +980  prefill +60`."""
    total = said.total
    title: Span = (" WHY TTFT ", "title")
    if total.now_ms is None:
        if said.read_share < READ:
            text = f"our requests are still being read: {said.read_share:.0%}"
        else:
            text = f"no {'request ended' if said.of_ended else 'first token came'} in the last seconds"
        return fitted([title, (text, "dim")], width)
    mean = f"mean of {numbers.length(total.now_ms)}"
    largest = max(said.layers, key=lambda layer: layer.now_ms or 0.0)
    most = f"most of it {largest.name} {numbers.length(largest.now_ms)}"
    if total.first_ms is None or said.first_ns is None:
        return fitted([title, (mean, "strong"), (f"  {most}", "")], width)
    change = total.now_ms - total.first_ms
    since = numbers.clock(said.first_ns - frame.first_ns, hours=False)
    if abs(change) < max(CHANGED_MS, CHANGED_SHARE * total.first_ms):
        return fitted([title, (mean, "strong"), (f" as at {since}", "dim"), (f"   {most}", "")], width)
    rose = change > 0
    # What rose within its target is no breach.
    role = "ok" if not rose else "warn" if "TTFT" in missed(frame) else "strong"
    runs: list[Span] = [
        title,
        (f"{'rose' if rose else 'fell'} by {numbers.length(abs(change))} ", role),
        (f"since {since} to a ", "dim"),
        (mean, "strong"),
    ]
    parts = [
        (layer, layer.now_ms - layer.first_ms)
        for layer in said.layers
        if layer.now_ms is not None and layer.first_ms is not None
    ]
    parts.sort(key=lambda part: -part[1] if rose else part[1])
    told = [
        Field(
            i,
            (f"{layer.name} ", _LOOKS[layer.name][0]),
            (_signed(moved) + _unit(abs(moved)), "strong" if i == 0 else ""),
        )
        for i, (layer, moved) in enumerate(parts)
        if abs(moved) >= max(1.0, 0.02 * abs(change))
    ]
    used = sum(len(text) for text, _ in runs) + 3
    return fitted([*runs, (": ", "dim"), *chosen(told, width - used)], width)


def chart(
    said: FirstToken,
    drawn: Sequence[Layer],
    at: Columns,
    height: int,
    theme: Theme,
    marks: Sequence[Mark],
    seen: Callable[[Grid], Grid],
) -> list[Row]:
    """The stack of what is `drawn`, and beside it what each part is now and by how much it moved, the topmost
    first. `seen` dims what is still to come."""
    sums = np.sum([layer.values for layer in drawn], axis=0)
    low, high, _ = bounds([sums], False, 20.0)
    scale = Scale(low, high)
    textured = theme.colours == "none"
    grid = stack(
        [Drawn(layer.values, *_LOOKS[layer.name]) for layer in drawn],
        scale,
        at.plot,
        height,
        marks=marks,
        ascii_only=theme.ascii_only,
        textured=textured,
    )
    side = _legend(said, at.side - 1, height, theme)
    return strip(seen(grid).rows(), ticks(scale, height, numbers.ms_label), side, at, theme)


_SHORT = {NETWORK: "net, client", REST_OF_SERVER: "server rest", f"{PREFILL}, {NETWORK}": "all else"}
_SHORT |= {f"{PREFILL}, {REST_OF_SERVER}": "prefill, rest", f"{OWN}, {NETWORK}": "all of it"}
"""Where a name has no room."""


def _legend(said: FirstToken, width: int, height: int, theme: Theme) -> list[list[Span]]:
    cell = 8 if width >= 38 else 6
    name = width - 2 * cell
    seconds = _in_seconds([said.total, *said.layers])
    rows: list[list[Span]] = []
    for layer in reversed(said.layers):
        role, texture, letter = _LOOKS[layer.name]
        swatch = letter if theme.ascii_only else texture if theme.colours == "none" else "█"
        words = layer.name if len(layer.name) <= name - 2 else _SHORT.get(layer.name, layer.name)
        rows.append([(f"{swatch} ", role), *_figures(words, layer, name - 2, cell, "", seconds=seconds)])
    # Of more parts than rows the least are left out; the chart shows all.
    room = max(height - 1, 1)
    by_size = sorted(range(len(rows)), key=lambda i: -(said.layers[-1 - i].now_ms or 0.0))
    rows = [rows[i] for i in sorted(by_size[:room])]
    mean = f"TTFT mean, {'s' if seconds else 'ms'}"
    mean = mean if name > len(mean) else "TTFT mean"
    total = _figures(mean, said.total, name, cell, "strong", seconds=seconds)
    out = [total, *rows] if height > 1 else rows
    if height > len(out):
        heading = " " * name + "now".rjust(cell) + ("change" if cell > 6 else "+/-").rjust(cell)
        out.insert(0, [(heading, "label")])
    whose = "requests that ended" if said.of_ended else "first tokens that came"
    lines = [f"means of the last {said.mean_s:.0f} s,", f"of {whose}"]
    if height < len(out) + 2:  # in one row
        lines = [f"means of {said.mean_s:.0f} s, {'as they end' if said.of_ended else 'as they came'}"]
    return [*out, *([(f"  {line}", "dim")] for line in lines)]


def _in_seconds(layers: Sequence[Layer]) -> bool:
    """One unit for all figures of the table, which are to be read against each other."""
    values = [value for layer in layers for value in (layer.first_ms, layer.now_ms) if value is not None]
    return max(values, default=0.0) >= 999.5


def _figures(text: str, layer: Layer, name: int, cell: int, role: str, *, seconds: bool) -> list[Span]:
    moved = None if layer.now_ms is None or layer.first_ms is None else layer.now_ms - layer.first_ms
    change = numbers.NONE if moved is None else f"{'-' if moved < 0 else '+'}{_of(abs(moved), seconds)}"
    now = numbers.NONE if layer.now_ms is None else _of(layer.now_ms, seconds)
    return [
        (text[:name].ljust(name), "label"),
        (now.rjust(cell), role),
        (change.rjust(cell), "dim"),
    ]


def _of(value_ms: float, seconds: bool) -> str:
    """Of milliseconds no tenths: a mean of some requests has none."""
    return numbers.three(value_ms / 1000) if seconds else f"{value_ms:.0f}"


def _signed(value_ms: float) -> str:
    """Of milliseconds no tenths: a mean of some requests has none."""
    text = numbers.ms(abs(value_ms), short=True) if abs(value_ms) >= 999.5 else f"{abs(value_ms):.0f}"
    return f"{'-' if value_ms < 0 else '+'}{text}"


def _unit(value_ms: float | None) -> str:
    """`numbers.ms` writes seconds with their unit, milliseconds without."""
    return "" if value_ms is None or value_ms >= 999.5 else " ms"
