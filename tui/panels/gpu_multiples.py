"""The small multiples of one GPU: each figure's chart on the shared columns, and its numbers beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sessions.frame.gpu_series import newest
from sessions.frame.gpu_trouble import HOT_C
from sessions.frame.schema import Gpu
from tui.draw import numbers
from tui.draw.layout import Columns
from tui.draw.rows import Field, Row, Span, chosen
from tui.draw.shares import dealt
from tui.draw.theme import Theme
from tui.panels import gpu_meters
from tui.panels.gpu_charts import CAUSES, CHARTS, Canvas, Given, throttled
from tui.panels.strip import strip
from tui.plots.chart import Mark

_WEIGHTS: Mapping[str, float] = {
    "util": 4.0, "power": 3.0, "memory": 2.0, "clocks": 2.0, "temperature": 2.0, "throttling": 1.0,
    "NVLink": 1.5, "PCIe": 1.5,
}  # fmt: skip
"""Rows go to those first that say most of a load, and more of them."""


def multiples(
    gpu: Gpu,
    given: Given,
    at: Columns,
    height: int,
    theme: Theme,
    marks: Sequence[Mark],
    *,
    upto: int | None = None,
) -> list[Row]:
    """Every figure that was ever read within the window or is known now; at most `height` rows. From the
    column `upto` on, `given` is still to come: dimmed, and in no number."""
    names = [name for name in CHARTS if _is_read(name, gpu, given)]
    most = {name: CHARTS[name].most_rows for name in names}
    if "util" in names and not any(
        np.isfinite(given[series]).any() for series in ("sm_active_pct", "dram_active_pct")
    ):
        most["util"] //= 2  # share of time with any kernel, which says little by itself
    if height > sum(most.values()):  # a screen of many rows: all of them higher alike
        most = {name: rows * height // sum(most.values()) for name, rows in most.items()}
    rows = dealt(height, {name: weight for name, weight in _WEIGHTS.items() if name in names}, most)
    out: list[Row] = []
    for name in names:
        if rows[name]:
            out += figure(name, gpu, given, at, rows[name], theme, marks, title=name, upto=upto)
    return out


def left_out(gpu: Gpu, given: Given) -> str:
    """What is not read of it, in words; empty where everything is."""
    words = [name for name in CHARTS if not _is_read(name, gpu, given)]
    for word, names in (("SM activity", "sm_active_pct"), ("DRAM activity", "dram_active_pct")):
        if not np.isfinite(given[names]).any():
            words.append(word)
    return ", ".join(words)


def figure(
    name: str,
    gpu: Gpu,
    given: Given,
    at: Columns,
    height: int,
    theme: Theme,
    marks: Sequence[Mark],
    *,
    title: str = "",
    beside: Sequence[Sequence[Span]] | None = None,
    upto: int | None = None,
) -> list[Row]:
    """One chart in `height` rows. `beside` are its numbers, else those of the figure; a few rows among others
    of the same scale have no labels."""
    role = "thin" if gpu_meters.dim_reason(gpu)[0] else "gpu_fill"
    on = Canvas(at.plot, height, marks, theme.ascii_only, role, theme.colours == "none")
    drawn = CHARTS[name].draw(gpu, given, on)
    grid = drawn.grid if upto is None else drawn.grid.dimmed_from(upto)
    side = numbers_of(name, gpu, so_far(given, upto), at.side - 1, theme, title) if beside is None else beside
    labels = drawn.labels if beside is None or height > 3 else {}
    return strip(grid.rows(), labels, side, at, theme)


def so_far(given: Given, upto: int | None) -> Given:
    return given if upto is None else {name: values[:upto] for name, values in given.items()}


def needs(names: Sequence[str]) -> tuple[str, ...]:
    """Series of some charts, each once."""
    return tuple(dict.fromkeys(series for name in names for series in CHARTS[name].series))


def _is_read(name: str, gpu: Gpu, given: Given) -> bool:
    return any(bool(np.isfinite(given[series]).any()) for series in CHARTS[name].series)


def numbers_of(
    name: str, gpu: Gpu, given: Given, width: int, theme: Theme, title: str = ""
) -> list[list[Span]]:
    """A row with the title and what is so now, then one of what else is known."""
    head: list[Span] = [(title.upper() if title.islower() else title, "title")] if title else []
    first, *more = _NUMBERS[name](gpu, given, theme)
    return [
        chosen([Field(-1, *head), *first], width),
        *(chosen(fields, width) for fields in more if any(field.runs for field in fields)),
    ]


def _field(rank: int, name: str, value: str, unit: str = "", role: str = "") -> Field:
    if value == numbers.NONE:
        return Field(9)
    label = f"{name} " if name else ""
    return Field(rank, (label, "label"), (value, role), (unit, "label"))


Fields = list[list[Field]]


def _util(gpu: Gpu, given: Given, theme: Theme) -> Fields:
    return [
        [
            _field(0, "", numbers.whole(gpu.util_pct), "%", "gpu" if gpu.sm_pct is not None else "gpu_fill"),
            _field(1, "SM", numbers.whole(gpu.sm_pct), "%", "gpu_fill"),
            _field(2, "DRAM", numbers.whole(gpu.dram_pct), "%", "server"),
        ],
        [_field(0, "tensor", numbers.whole(gpu.tensor_pct), "%")],
    ]


def _memory(gpu: Gpu, given: Given, theme: Theme) -> Fields:
    used = gpu.memory_used_bytes
    share = 100.0 * used / gpu.memory_total_bytes if used is not None and gpu.memory_total_bytes else None
    return [
        [
            _field(0, "", f"{numbers.gib(used)}/{numbers.gib(gpu.memory_total_bytes)}", " GiB"),
            _field(1, "", numbers.whole(share), "%"),
        ],
        [
            _field(0, "reserved", numbers.gib(gpu.memory_reserved_bytes), " GiB", "reserved"),
            Field(1, ("unified memory" if gpu.unified_memory else "", "dim")),
        ],
    ]


def _power(gpu: Gpu, given: Given, theme: Theme) -> Fields:
    full = (
        gpu.power_w is not None and bool(gpu.power_limit_w) and gpu.power_w >= 0.97 * (gpu.power_limit_w or 0)
    )
    return [
        [
            _field(0, "", numbers.whole(gpu.power_w), " W", "warn" if full else ""),
            _field(1, "limit", numbers.whole(gpu.power_limit_w), " W", "gpu_limit"),
            Field(2, ("warm: at 97 % of it", "dim")),
        ]
    ]


def _temperature(gpu: Gpu, given: Given, theme: Theme) -> Fields:
    degree = theme.glyph("degree")
    hot = gpu.temperature_c is not None and gpu.temperature_c >= HOT_C
    return [
        [
            _field(0, "", numbers.whole(gpu.temperature_c), degree, "bad" if hot else ""),
            Field(1, ("hot" if hot else "", "bad")),
            _field(2, "memory", numbers.whole(gpu.memory_temperature_c), degree),
        ]
    ]


def _clocks(gpu: Gpu, given: Given, theme: Theme) -> Fields:
    return [
        [
            _field(0, "SM", numbers.whole(gpu.sm_clock_mhz), " MHz"),
            _field(1, "of", numbers.whole(gpu.sm_clock_max_mhz), "", "gpu_limit"),
        ],
        [_field(0, "memory", numbers.whole(gpu.memory_clock_mhz), " MHz")],
    ]


def _throttling(gpu: Gpu, given: Given, theme: Theme) -> Fields:
    """What holds the clocks down now, else for how much of the window something did."""
    if gpu.throttle:
        role = "bad" if any("thermal" in reason for reason in gpu.throttle) else "warn"
        share = "" if gpu.throttled_pct is None else f" {gpu.throttled_pct:.0f}%"
        return [[Field(0, (", ".join(gpu.throttle) + share, role))]]
    shares = throttled(given)
    known = shares[np.isfinite(shares)]
    if not len(known):
        return [[Field(0, (numbers.NONE, "dim"))]]
    mean = float(known.mean())
    said = [
        f"{word} {float(np.nanmean(given[name])):.0f}%"
        for (name, _, _), word in zip(CAUSES, ("heat H", "power P", "brake B"), strict=True)
        if np.isfinite(given[name]).any() and float(np.nanmean(given[name])) >= 0.5
    ]
    text = "none" if mean < 0.5 else "now none; window " + ", ".join(said)
    return [[Field(0, (text, "dim" if mean < 0.5 else ""))]]


def _traffic(way: str) -> Callable[[Gpu, Given, Theme], Fields]:
    def fields(gpu: Gpu, given: Given, theme: Theme) -> Fields:
        received, sent = (newest(given[f"{way}_{end}_bytes_per_s"]) for end in ("rx", "tx"))
        return [
            [
                _field(0, "in", _gb(received), "", "gpu_fill"),
                _field(1, "out", _gb(sent), "", "server_fill"),
                _field(2, "", "GB/s", "", "label"),
            ]
        ]

    return fields


def _gb(rate: float | None) -> str:
    return numbers.NONE if rate is None else numbers.three(rate / 1e9)


_NUMBERS: Mapping[str, Callable[[Gpu, Given, Theme], Fields]] = {
    "util": _util,
    "memory": _memory,
    "power": _power,
    "temperature": _temperature,
    "clocks": _clocks,
    "throttling": _throttling,
    "NVLink": _traffic("nvlink"),
    "PCIe": _traffic("pcie"),
}
