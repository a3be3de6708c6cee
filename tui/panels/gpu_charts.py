"""One figure of a GPU over time as a chart: what is drawn, and how its scale is named.

Series are named as `sessions.frame.gpu_series.FIGURES`; those of a chart that were never read are all NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sessions.frame.gpu_trouble import HOT_C, THROTTLED_PCT
from sessions.frame.schema import Gpu
from tui.draw import numbers
from tui.plots.bars import area
from tui.plots.chart import BLANK, Grid, Line, Mark, columns
from tui.plots.scale import PERCENT, Scale, Series, bounds, row_at
from tui.plots.stack import Layer, crossed, stack, tinted

CELSIUS = Scale(20.0, 100.0)
Given = Mapping[str, Series]


class Canvas(NamedTuple):
    width: int
    height: int
    marks: Sequence[Mark]
    ascii_only: bool
    role: str
    """Of areas."""
    textured: bool = False
    """There are no colours."""


class Drawn(NamedTuple):
    grid: Grid
    labels: Mapping[int, str]
    """By row, what stands in the gutter."""


class GpuChart(NamedTuple):
    series: tuple[str, ...]
    draw: Callable[[Gpu, Given, Canvas], Drawn]
    most_rows: int
    """Beyond which it shows no more."""


def _area(values: Series, scale: Scale, on: Canvas, line: Line | None = None) -> Grid:
    return area(
        values, scale, on.width, on.height, on.role, marks=on.marks, line=line, ascii_only=on.ascii_only
    )


def _stack(layers: Sequence[Layer], scale: Scale, on: Canvas) -> Grid:
    return stack(
        layers,
        scale,
        on.width,
        on.height,
        marks=on.marks,
        ascii_only=on.ascii_only,
        textured=on.textured,
    )


def _at(scale: Scale, height: int, named: Sequence[tuple[float | None, str]]) -> dict[int, str]:
    """Rows in which values lie, the first of them first; one in the way of another is left out."""
    out: dict[int, str] = {}
    for value, text in named if height > 1 else ():
        if value is not None:
            out.setdefault(row_at(scale, value, height), text)
    return out


def _level(value: float | None, like: Series) -> Series:
    """A line at one height, where anything was read."""
    return np.where(np.isfinite(like), np.nan if value is None else value, np.nan)


def _activity(gpu: Gpu, given: Given, on: Canvas) -> Drawn:
    """SM activity as an area, where it is read; utilisation, the share of time with any kernel, as a line
    above it, and DRAM activity across it."""
    util, sm, dram = given["util_pct"], given["sm_active_pct"], given["dram_active_pct"]
    active = bool(np.isfinite(sm).any())
    if on.height < 2:
        return Drawn(_area(sm if active else util, PERCENT, on), {})
    labels = _at(PERCENT, on.height, [(100.0, "100%"), (0.0, "0")])
    grid = _area(sm if active else util, PERCENT, on, Line(util, "gpu", "u") if active else None)
    if np.isfinite(dram).any() and on.height > 3:
        grid = crossed(grid, Line(dram, "server", "d"), PERCENT, ascii_only=on.ascii_only)
    return Drawn(grid, labels)


def _memory(gpu: Gpu, given: Given, on: Canvas) -> Drawn:
    total = gpu.memory_total_bytes
    used, reserved = given["memory_used_bytes"], given["memory_reserved_bytes"]
    kept = np.where(np.isfinite(used), np.nan_to_num(reserved), np.nan)
    most = float(np.nanmax(used + kept, initial=1.0))
    scale = Scale(0.0, float(total) if total else most)
    layers = [Layer(used, on.role), Layer(kept, "reserved", "▒", "=")]
    grid = _stack(layers, scale, on)
    top = f"{numbers.gib(scale.high).removesuffix('.0')}G"
    return Drawn(grid, _at(scale, on.height, [(scale.high, top), (0.0, "0")]))


def _power(gpu: Gpu, given: Given, on: Canvas) -> Drawn:
    power = given["power_w"]
    limit = np.where(
        np.isfinite(given["power_limit_w"]), given["power_limit_w"], _level(gpu.power_limit_w, power)
    )
    most = float(np.nanmax(np.fmax(power, limit), initial=100.0))
    scale = Scale(0.0, most * (1.1 if on.height > 2 else 1.0))
    grid = _area(power, scale, on, Line(limit, "gpu_limit", "-"))
    if gpu.power_limit_w:
        grid = tinted(grid, power >= 0.97 * limit, "warn")
    top = gpu.power_limit_w or most
    return Drawn(grid, _at(scale, on.height, [(top, f"{top:.0f}W"), (0.0, "0")]))


def _temperature(gpu: Gpu, given: Given, on: Canvas) -> Drawn:
    heat = given["temperature_c"]
    line = Line(_level(HOT_C, heat), "gpu_limit", "-") if on.height > 2 else None
    grid = tinted(_area(heat, CELSIUS, on, line), heat >= HOT_C, "bad")
    named = [(HOT_C, f"{HOT_C:.0f}C"), (20.0, "20C"), (100.0, "100C")]
    return Drawn(grid, _at(CELSIUS, on.height, named))


def _clocks(gpu: Gpu, given: Given, on: Canvas) -> Drawn:
    clock, most = given["sm_clock_mhz"], gpu.sm_clock_max_mhz
    highest = most or float(np.nanmax(clock, initial=1.0))
    scale = Scale(0.0, highest * (1.1 if on.height > 2 else 1.0))
    line = Line(_level(most, clock), "gpu_limit", "-") if most else None
    grid = tinted(_area(clock, scale, on, line), throttled(given) >= THROTTLED_PCT, "warn")
    return Drawn(
        grid,
        _at(scale, on.height, [(highest, _hertz(highest)), (0.0, "0")]) if on.height > 1 else {},
    )


def _hertz(mhz: float) -> str:
    """`2GHz`, or `1.4G` where that has no room."""
    text = f"{round(mhz, -2) / 1000:g}"
    return f"{text}GHz" if len(text) == 1 else f"{text}G"


CAUSES = (
    ("thermal_throttled_pct", "H", "bad"),
    ("power_throttled_pct", "P", "warn"),
    ("brake_throttled_pct", "B", "warn"),
)
"""Series of the causes of throttling, the letter and the role of each."""


def throttled(given: Given) -> Series:
    """Share of the time in which anything held the clocks down, the most of the causes, percent."""
    shares = np.stack([given[name] for name, _, _ in CAUSES])
    most: Series = np.where(np.isfinite(shares), shares, -np.inf).max(axis=0)
    return np.where(np.isfinite(most), most, np.nan)


def _throttle(gpu: Gpu, given: Given, on: Canvas) -> Drawn:
    """A row with the letter of what held the clocks down most, a low dot where nothing did."""
    shares = np.stack([columns(given[name], on.width) for name, _, _ in CAUSES])
    known = np.isfinite(shares).any(axis=0)
    worst = np.where(np.isfinite(shares), shares, -1.0).argmax(axis=0)
    held = known & (np.nan_to_num(shares).max(axis=0) >= THROTTLED_PCT)
    letters = np.array([ord(letter) for _, letter, _ in CAUSES], dtype=np.uint32)
    none = ord("." if on.ascii_only else "·")
    codes = np.where(held, letters[worst], np.where(known, none, BLANK)).astype(np.uint32)
    roles = np.where(held, worst + 2, np.where(known, 1, 0)).astype(np.uint8)
    names = ("", "grid", *(role for _, _, role in CAUSES))
    return Drawn(Grid(codes[None, :], roles[None, :], names), {})


def _links(way: str) -> Callable[[Gpu, Given, Canvas], Drawn]:
    """What came in, and what went out on top of it."""

    def draw(gpu: Gpu, given: Given, on: Canvas) -> Drawn:
        received, sent = (given[f"{way}_{end}_bytes_per_s"] / 1e9 for end in ("rx", "tx"))
        read = np.isfinite(received) | np.isfinite(sent)
        received, sent = (np.where(read, np.nan_to_num(values), np.nan) for values in (received, sent))
        _, high, _ = bounds([received + sent], False, 0.1)
        scale = Scale(0.0, high)
        layers = [Layer(received, on.role), Layer(sent, "server_fill", "▒", "=")]
        return Drawn(_stack(layers, scale, on), _at(scale, on.height, [(high, f"{high:g}G"), (0.0, "0")]))

    return draw


CHARTS: Mapping[str, GpuChart] = {
    "util": GpuChart(("util_pct", "sm_active_pct", "tensor_active_pct", "dram_active_pct"), _activity, 12),
    "memory": GpuChart(("memory_used_bytes", "memory_reserved_bytes"), _memory, 6),
    "power": GpuChart(("power_w", "power_limit_w"), _power, 8),
    "temperature": GpuChart(("temperature_c", "memory_temperature_c"), _temperature, 6),
    "clocks": GpuChart(("sm_clock_mhz", "memory_clock_mhz", *(name for name, _, _ in CAUSES)), _clocks, 6),
    "throttling": GpuChart(tuple(name for name, _, _ in CAUSES), _throttle, 1),
    "NVLink": GpuChart(("nvlink_rx_bytes_per_s", "nvlink_tx_bytes_per_s"), _links("nvlink"), 6),
    "PCIe": GpuChart(("pcie_rx_bytes_per_s", "pcie_tx_bytes_per_s"), _links("pcie"), 6),
}
"""In the order in which they stand on the screen."""
