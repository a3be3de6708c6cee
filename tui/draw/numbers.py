"""Numbers for people: short, of steady width, with `-` for what is not known."""

from __future__ import annotations

import math

from sessions.frame.schema import Stat

NONE = "-"


def three(value: float) -> str:
    """Three digits: `0.42`, `9.87`, `98.7`, `987`."""
    if abs(value) < 9.995:
        return f"{value:.2f}"
    if abs(value) < 99.95:
        return f"{value:.1f}"
    return f"{value:.0f}"


def ms(value: float | None, *, short: bool = False) -> str:
    """A latency given in ms: `0.42`, `98.7`, `987`, and from a second on `1.20s`; `short`: `1.2s`, `75s`."""
    if value is None or not math.isfinite(value):
        return NONE
    if value < 999.5:
        return three(value)
    seconds = value / 1000
    if short:
        return f"{seconds:.1f}s" if seconds < 9.95 else f"{seconds:.0f}s"
    return f"{three(seconds)}s"


def length(value: float | None) -> str:
    """The same with its unit: `98.7 ms`, `1.20s`; where it stands alone."""
    text = ms(value)
    return text if text == NONE or text.endswith("s") else f"{text} ms"


def ms_label(value: float) -> str:
    """For an axis: `500ms`, `2s`, `.5ms`, `50us`."""
    if not value:
        return "0"
    if value >= 1000:
        return f"{value / 1000:g}s"
    return f"{value:g}ms".removeprefix("0") if value >= 0.1 else f"{value * 1000:g}us"


def rate(value: float | None, unit: str = "") -> str:
    """Per second: `0.05`, `0.5`, `12.0`, `640`, `1.2k`."""
    if value is None or not math.isfinite(value):
        return NONE
    if 0.0 < value < 0.095:  # a tenth would be twice as much, or nothing
        return f"{value:.1g}{unit}"
    return (f"{value:.1f}" if value < 99.95 else count(value)) + unit


def count(value: float | None) -> str:
    """`2214`, `18.4k`, `1.25M`."""
    if value is None or not math.isfinite(value):
        return NONE
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{three(value / (1e3 if letter == 'k' else size))}{letter}"
    return f"{value:.0f}"


def label(value: float) -> str:
    """For an axis: `0`, `50`, `2k`."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def whole(value: float | None, unit: str = "") -> str:
    """`98`, with a unit `98%`; what is not known has none."""
    return f"{value:.0f}{unit}" if value is not None and math.isfinite(value) else NONE


def gib(value: float | None) -> str:
    """Bytes as GiB: `74.1`."""
    if value is None or not math.isfinite(value):
        return NONE
    size = value / 2**30
    return f"{size:.1f}" if size < 999.5 else f"{size:.0f}"


def clock(ns: int, *, hours: bool = True) -> str:
    """Session time: `00:03:12`, or `03:12` without hours where there are none."""
    seconds = abs(ns) // 1_000_000_000
    sign = "-" if ns < 0 and seconds else ""
    h, m, s = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{sign}{h:02d}:{m:02d}:{s:02d}" if hours or h else f"{sign}{m:02d}:{s:02d}"


def about(seconds: float) -> str:
    """A time that is estimated, no finer than it is known."""
    minutes = seconds / 60
    if minutes < 1.5:
        return "about a minute"
    if minutes < 90:
        return f"about {round(minutes) if minutes < 20 else 5 * round(minutes / 5)} min"
    return f"about {minutes / 60:.1f} h"


def sign(stat: Stat, quantile: str) -> str:
    """What stands before a figure that is no more than a bound, or rests on few samples."""
    return "<=" if quantile in stat.bounds else "~" if quantile in stat.thin else ""
