"""One GPU in full: utilisation, memory, power, heat, each as a meter, in figures and over time.

What nears a limit turns warm, within the meter and over time: power its cap, heat the point of slowing down,
memory its end. Utilisation has none: a GPU that is busy is no trouble.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sessions.frame.gpu_trouble import HOT_C
from sessions.frame.schema import Gpu
from sessions.timeline.gpu_names import gpu_name
from tui.draw import numbers
from tui.draw.rows import Field, Row, Span, chosen, fitted, width_of
from tui.draw.text import safe
from tui.draw.theme import Theme
from tui.plots.bars import bar, spark, squeezed
from tui.plots.scale import PERCENT, Scale, Series
from tui.plots.stack import tinted

CELSIUS = Scale(20.0, 100.0)


class Grades(NamedTuple):
    """From which value on it is warm, and hot."""

    warm: float
    hot: float


NONE = Grades(float("inf"), float("inf"))
MEMORY = Grades(95.0, 98.0)
"""Percent: a server takes nine tenths of it by itself."""
HEAT = Grades(HOT_C - 8.0, HOT_C)


def power_grades(limit_w: float | None) -> Grades:
    return Grades(0.9 * limit_w, 0.97 * limit_w) if limit_w else NONE


def at_limit(gpu: Gpu) -> tuple[float | None, Grades]:
    return gpu.power_w, power_grades(gpu.power_limit_w)


def near(value: float | None, grades: Grades, usual: str = "") -> str:
    """The role of a figure."""
    if value is None or value < grades.warm:
        return usual
    return "meter_hot" if value >= grades.hot else "meter_warm"


def name_of(gpu: Gpu) -> str:
    return gpu_name(safe(gpu.label, 24))


def dim_reason(gpu: Gpu) -> Span:
    """Why its figures are greyed: old, or of a GPU that is no part of the load. No words where they count."""
    if gpu.lost:
        return ("lost", "bad")
    if gpu.stale:
        return ("no sample" if gpu.age_s is None else f"{gpu.age_s:.0f}s old", "warn")
    return (gpu.excluded, "dim")


def thin(runs: list[Span]) -> list[Span]:
    """Greyed."""
    return [(text, "thin") for text, _ in runs]


def spark_row(values: Series, scale: Scale, width: int, role: str, upto: int, theme: Theme) -> Row:
    return spark(values, scale, (width, 1), role, upto, ascii_only=theme.ascii_only).rows()[0]


def used(gpu: Gpu, *, unit: str) -> str:
    """`74.1/79.6G`."""
    return f"{numbers.gib(gpu.memory_used_bytes)}/{numbers.gib(gpu.memory_total_bytes)}{unit}"


def role_of(gpu: Gpu, word: Span) -> str:
    if dim_reason(gpu)[0]:
        return "thin"
    return word[1] if word[0] and word[1] in ("bad", "warn") else "gpu_fill"


def meters(gpu: Gpu, word: Span, upto: int, width: int, height: int, theme: Theme) -> list[Row]:
    """In four rows, or in eight, where what was stands below in the whole width."""
    role, grey = role_of(gpu, word), bool(dim_reason(gpu)[0])
    tall = height >= 8
    total = gpu.memory_total_bytes or 0
    text_cells = 15 if width < 40 else 22 if width < 60 else 26
    meter = max(width - 7 - text_cells - 1 if tall else (width - 7 - text_cells) // 2, 0)
    course = max(width - 8 if tall else width - 7 - text_cells - meter - 1, 0)
    plain = role == "gpu_fill"

    def rows(
        name: str,
        said: list[Span],
        value: float | None,
        whole: float,
        of: Series,
        on: Scale,
        grades: Grades,
    ) -> list[Row]:
        fields = [Field(i, run) for i, run in enumerate(said)]
        words = fitted(chosen(fields, text_cells, gap=0), text_cells)
        share = None if value is None or not whole else value / whole
        parts = _graded(share, grades, whole) if plain else [(share, role)]
        solid = len(parts)
        if name == "mem" and (reserved := gpu.memory_reserved_bytes) is not None and total:
            parts.append((reserved / total, "reserved"))
        fill = "thin" if grey else "gpu_fill"
        line = spark(of, on, (course, 1), fill, len(of), ascii_only=theme.ascii_only)
        if not grey and grades is not NONE:
            # In one colour: what goes to and fro about its limit would be a barcode in two.
            line = tinted(line, squeezed(of, course) >= grades.warm, "meter_warm")
        if upto < len(of):
            line = line.dimmed_from(-(-upto * course // len(of)))
        bars = bar(parts, meter, solid=solid, ascii_only=theme.ascii_only)
        own: Row = [(f" {name:<6}", "label"), *bars, (" ", ""), *(thin(words) if grey else words)]
        return [own, [(" " * 7, ""), *line.rows()[0]]] if tall else [[*own, *line.rows()[0]]]

    busy: list[Span] = [(numbers.whole(gpu.util_pct, "%").rjust(5), "gpu")]
    for label, value in (("SM", gpu.sm_pct), ("DRAM", gpu.dram_pct), ("tensor", gpu.tensor_pct)):
        if value is not None:
            busy.append((f" {label} {value:.0f}%", ""))
    limit = gpu.power_limit_w
    memory_pct = (
        100.0 * gpu.memory_used_bytes / total if gpu.memory_used_bytes is not None and total else None
    )
    memory = _of(numbers.gib(gpu.memory_used_bytes), numbers.gib(gpu.memory_total_bytes), " GiB")
    watts = _of(numbers.whole(gpu.power_w), numbers.whole(limit), " W")
    heat_now = numbers.whole(gpu.temperature_c)
    degrees = heat_now.rjust(5) + theme.glyph("degree") * (heat_now != numbers.NONE)
    clock: Span = (f" {numbers.whole(gpu.sm_clock_mhz, ' MHz')}", "dim")
    name = "util" if len(safe(gpu.label, 24)) > 3 else name_of(gpu)
    power, heat = power_grades(limit), gpu.temperature_c
    warmth: list[Span] = [(degrees, near(heat, HEAT, "strong")), clock]
    memory[0] = (memory[0][0], near(memory_pct, MEMORY, "strong"))
    watts[0] = (watts[0][0], near(gpu.power_w, power, "strong"))
    out = [
        *rows(name, busy, gpu.util_pct, 100.0, gpu.util, PERCENT, NONE),
        *rows("mem", memory, memory_pct, 100.0, gpu.memory_pct, PERCENT, MEMORY),
        *rows("power", watts, gpu.power_w, limit or 0.0, gpu.power, Scale(0.0, limit or 1000.0), power),
        *rows(
            "temp",
            warmth,
            heat,
            100.0,
            gpu.temperature,
            CELSIUS,
            HEAT,
        ),
    ]
    if word[0]:
        last = len(out) - 1 - tall
        out[last] = [*fitted(out[last], width - width_of([word]) - 2), (" ", ""), word]
    return out


def beside(gpu: Gpu, chart: str, width: int, theme: Theme) -> list[list[Span]]:
    """Two rows beside a chart of one figure of a GPU among others: a meter of its memory, and of its power
    with its heat; where the chart is of one of them, of how busy it is. For a `width` of 30 cells or more."""
    total, limit = gpu.memory_total_bytes, gpu.power_limit_w
    memory_pct = (
        100.0 * gpu.memory_used_bytes / total if gpu.memory_used_bytes is not None and total else None
    )
    power, degree = power_grades(limit), theme.glyph("degree")
    warmth = (f" {numbers.whole(gpu.temperature_c, degree)}", near(gpu.temperature_c, HEAT, "dim"))
    watts = _of(numbers.whole(gpu.power_w), numbers.whole(limit), " W")
    watts[0] = (watts[0][0], near(gpu.power_w, power))
    memory = _of(numbers.gib(gpu.memory_used_bytes), numbers.gib(total), " GiB")
    memory[0] = (memory[0][0], near(memory_pct, MEMORY))
    known = {
        "util": (gpu.util_pct, 100.0, NONE, [(numbers.whole(gpu.util_pct, "%").rjust(6), "")]),
        "memory": (memory_pct, 100.0, MEMORY, memory),
        "power": (gpu.power_w, limit or 0.0, power, [*watts, warmth]),
    }
    shown = [name for name in ("memory", "power", "util") if name != chart][:2]
    grey, cells = bool(dim_reason(gpu)[0]), width - 6 - 18
    rows = []
    for name in shown:
        value, whole, grades, said = known[name]
        share = None if value is None or not whole else value / whole
        parts = [(share, "thin")] if grey else _graded(share, grades, whole)
        meter = bar(parts, cells, solid=len(parts), ascii_only=theme.ascii_only)
        words = chosen([Field(i, run) for i, run in enumerate(said)], 17, gap=0)
        rows.append(
            [
                (f"{name.removesuffix('ory'):<6}", "label"),
                *meter,
                (" ", ""),
                *(thin(words) if grey else words),
            ]
        )
    return rows


def _of(value: str, whole: str, unit: str) -> list[Span]:
    """`71.6/80.0 GiB`, what it is before what there is."""
    return [(value.rjust(5), "strong"), (f"/{whole}{unit}", "dim")]


def _graded(share: float | None, grades: Grades, whole: float) -> list[tuple[float | None, str]]:
    """The parts of a meter: what lies beyond each grade is in its colour."""
    if share is None:
        return [(None, "gpu_fill")]
    warm, hot = grades.warm / whole, grades.hot / whole
    parts: Sequence[tuple[float, str]] = (
        (min(share, warm), "gpu_fill"),
        (min(share, hot) - warm, "meter_warm"),
        (share - hot, "meter_hot"),
    )
    return [(part, role) for part, role in parts if part > 0] or [(0.0, "gpu_fill")]
