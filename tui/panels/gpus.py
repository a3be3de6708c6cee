"""What the GPUs say of themselves, on the same columns as the latencies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sessions.frame.schema import Frame, Gpu
from tui.draw import numbers
from tui.draw.layout import Columns
from tui.draw.rows import Field, Row, Span, chosen, fitted, width_of
from tui.draw.text import fit, safe
from tui.draw.theme import Theme
from tui.panels.strip import named
from tui.plots.bars import area, bar
from tui.plots.chart import Mark
from tui.plots.scale import PERCENT, Scale, Series

CELSIUS = Scale(20.0, 100.0)


def gpus(frame: Frame, at: Columns, height: int, theme: Theme, marks: Sequence[Mark]) -> list[Row]:
    """As rich as `height` allows: four rows a GPU, two, one, or two GPUs to a row."""
    if not frame.gpus:
        width = at.gutter + at.plot + at.side
        note = fit(safe(frame.gpu_note), width - at.gutter)
        return [[("GPU".rjust(at.gutter - 1) + " ", "dim"), (note, "dim")]][:height]
    count = len(frame.gpus)
    each = next((rows for rows in (4, 2, 1) if count * rows <= height), 0)
    if each:
        drawn = [row for gpu in frame.gpus for row in _DRAWN[each](gpu, at, theme, marks)]
    else:
        width = at.gutter + at.plot + at.side
        shown = frame.gpus if (count + 1) // 2 <= height else frame.gpus[: 2 * height - 1]
        halves = [_half(gpu, _columns_so_far(frame), width // 2, theme) for gpu in shown]
        if len(shown) < count:
            halves.append([(f"and {count - len(shown)} more GPUs", "dim")])
        halves += [[]] * (len(halves) % 2)
        drawn = [
            [*fitted(a, width // 2), *fitted(b, width - width // 2)]
            for a, b in zip(halves[::2], halves[1::2], strict=True)
        ]
    return drawn[:height]


def _spark(
    values: Series, scale: Scale, gpu: Gpu, at: Columns, theme: Theme, marks: Sequence[Mark]
) -> list[Row]:
    return area(values, scale, at.plot, 1, _role(gpu), marks=marks, ascii_only=theme.ascii_only).rows()


def _role(gpu: Gpu) -> str:
    return "thin" if dim_reason(gpu)[0] else "gpu_fill"


def _power_scale(gpu: Gpu) -> Scale:
    return Scale(0.0, gpu.power_limit_w if gpu.power_limit_w else 1000.0)


def name_of(gpu: Gpu) -> str:
    label = safe(gpu.label, 24)
    return label if ":" in label else f"GPU{label}"


def _marked(gpu: Gpu, at: Columns, theme: Theme) -> str:
    """With a dot before it where it serves the model and there is a cell to spare."""
    name = name_of(gpu)
    return theme.glyph("dot") + name if gpu.serving and len(name) + 1 < at.gutter else name


def dim_reason(gpu: Gpu) -> Span:
    """Why its figures are greyed: old, or of a GPU that is no part of the load. No words where they count."""
    if gpu.lost:
        return ("lost", "bad")
    if gpu.stale:
        return ("no sample" if gpu.age_s is None else f"{gpu.age_s:.0f}s old", "warn")
    return (gpu.excluded, "dim")


def _toned(gpu: Gpu, runs: list[Span]) -> list[Span]:
    """Old figures, and GPUs that are no part of the load, are greyed; a word says why."""
    why, role = dim_reason(gpu)
    return [(why + " ", role), *thin(runs)] if why else runs


_SLOWED = (("thermal", "HEAT"), ("HW thermal", "HEAT"), ("power brake", "BRAKE"), ("power cap", "PWR"))


def is_throttled(gpu: Gpu) -> bool:
    """Its clocks are held down now, or were for a share of the time that shows."""
    return bool(gpu.throttle) or (gpu.throttled_pct or 0) >= 1


def _throttled(gpu: Gpu) -> Span:
    """`PWR 12%`: what holds the clocks down, and for how much of the time; empty when nothing does."""
    if not is_throttled(gpu):
        return ("", "")
    word = next((word for reason, word in _SLOWED if reason in gpu.throttle), "SLOW")
    share = "" if gpu.throttled_pct is None else f" {gpu.throttled_pct:.0f}%"
    return (word + share, "bad" if word == "HEAT" else "warn")


def _activity(gpu: Gpu) -> list[Field]:
    """What the chip does, where it is read (GPM): the share of busy SMs, and of the memory's bandwidth."""
    return [
        Field(2, (f"SM {gpu.sm_pct:.0f}%", "gpu")) if gpu.sm_pct is not None else Field(9),
        Field(3, (f"DRAM {gpu.dram_pct:.0f}%", "")) if gpu.dram_pct is not None else Field(9),
    ]


def _used(gpu: Gpu, *, unit: str) -> str:
    """`74.1/79.6G`."""
    return f"{numbers.gib(gpu.memory_used_bytes)}/{numbers.gib(gpu.memory_total_bytes)}{unit}"


def _short(gpu: Gpu, theme: Theme, room: int) -> list[Span]:
    """Utilisation, memory, power, heat and clock in one row, as many of them as `room` has cells for."""
    clock: Span = (f"{numbers.whole(gpu.sm_clock_mhz)} MHz", "dim")
    why, _ = dim_reason(gpu)
    runs = chosen(
        [
            Field(0, (f"{numbers.whole(gpu.util_pct)}%".rjust(4), "gpu")),
            *_activity(gpu)[: 2 if room >= 36 else 0],
            Field(1, (_used(gpu, unit="G").rjust(10 if room >= 26 else 6), "")),
            Field(2, (f"{numbers.whole(gpu.power_w)}W".rjust(5), "")),
            Field(3, (f"{numbers.whole(gpu.temperature_c)}{theme.glyph('degree')}", "")),
            Field(2, _throttled(gpu)),
            Field(4, clock),
        ],
        room - (len(why) + 1 if why else 0),
        gap=1,
    )
    return _toned(gpu, runs)


def _columns_so_far(frame: Frame) -> int:
    """Those after the one that holds the playhead are still to come: a chart fills from the left."""
    open_column = max(frame.at_ns - 1 - frame.start_ns, 0) // max(frame.slot_ns, 1)
    return int(min(open_column + 1, frame.slots))


def _half(gpu: Gpu, columns: int, width: int, theme: Theme) -> list[Span]:
    """A few cells are its last seconds, of the first `columns` of the axis."""
    figures = _short(gpu, theme, 26)
    label = fit(name_of(gpu), 6)
    room = max(width - 6 - width_of(figures) - 2, 0)
    spark = area(gpu.util[:columns], PERCENT, room, 1, _role(gpu), ascii_only=theme.ascii_only).rows()
    return [(label, "label"), *(spark[0] if spark else []), (" ", ""), *figures]


def _one(gpu: Gpu, at: Columns, theme: Theme, marks: Sequence[Mark]) -> list[Row]:
    side = _short(gpu, theme, at.side - 1)
    return named(_spark(gpu.util, PERCENT, gpu, at, theme, marks), _marked(gpu, at, theme), [side], at, theme)


def _two(gpu: Gpu, at: Columns, theme: Theme, marks: Sequence[Mark]) -> list[Row]:
    wide = at.side >= 36
    why, _ = dim_reason(gpu)
    room = at.side - 1 - (len(why) + 1 if why else 0)
    activity = _activity(gpu)
    util: list[Span] = [("util ", "label"), (f"{numbers.whole(gpu.util_pct)}%".rjust(4), "gpu")]
    # Where SM activity is read, utilisation says little beside it.
    fields = [Field(0 if gpu.sm_pct is None else 5, *util), *activity]
    memory = _used(gpu, unit=" GiB" if wide else "G")
    said = chosen(fields, room - len(memory) - (5 if gpu.sm_pct is None else 2), gap=2 if wide else 1)
    label: list[Span] = [("  mem ", "label")] if gpu.sm_pct is None else [("  ", "")]
    above = _toned(gpu, [*said, *label, (memory, "")])
    power = f"{numbers.whole(gpu.power_w)}/{numbers.whole(gpu.power_limit_w)}"
    below = chosen(
        [
            Field(0, (f"{power} W".rjust(9), "gpu")),
            Field(2, (f"{numbers.whole(gpu.temperature_c)}{theme.glyph('degree')}", "")),
            Field(1, _throttled(gpu)),
            Field(3, (f"{numbers.whole(gpu.sm_clock_mhz)}{' ' if wide else ''}MHz", "dim")),
            *_traffic(gpu),
        ],
        at.side - 1,
        gap=2 if wide else 1,
    )
    if why:
        below = thin(below)
    rows = named(
        _spark(gpu.util, PERCENT, gpu, at, theme, marks), _marked(gpu, at, theme), [above], at, theme
    )
    return rows + named(
        _spark(gpu.power, _power_scale(gpu), gpu, at, theme, marks), "power", [below], at, theme
    )


def _traffic(gpu: Gpu) -> list[Field]:
    return [
        Field(5, (f"{name} {numbers.count(rate / 1e9 if rate < 1e10 else rate // 1e9)} GB/s", "dim"))
        if rate
        else Field(9)
        for name, rate in (("NVLink", gpu.nvlink_bytes_per_s), ("PCIe", gpu.pcie_bytes_per_s))
    ]


def _four(gpu: Gpu, at: Columns, theme: Theme, marks: Sequence[Mark]) -> list[Row]:
    room = max(at.side - 25, 0)
    role, why = _role(gpu), dim_reason(gpu)
    grey = bool(why[0])
    total = gpu.memory_total_bytes or 0

    def share(part: float | None, whole: float | None) -> float | None:
        return part / whole if part is not None and whole else None

    def metered(name: str, text: str, parts: list[tuple[float | None, str]]) -> list[Span]:
        runs: list[Span] = [(name.ljust(6), "label"), (fit(text, 16), "thin" if grey else "")]
        return [*runs, (" ", ""), *bar(parts, room, ascii_only=theme.ascii_only)]

    reserved = share(gpu.memory_reserved_bytes, total)
    memory = [(share(gpu.memory_used_bytes, total), role)]
    if reserved is not None:
        memory.append((reserved, "reserved"))
    util = share(gpu.util_pct, 100.0)
    power = f"{numbers.whole(gpu.power_w)}/{numbers.whole(gpu.power_limit_w)} W"
    busy: list[Span] = metered("util", f"{numbers.whole(gpu.util_pct)}%", [(util, role)])
    if gpu.sm_pct is not None:
        tensor: Span = ("" if gpu.tensor_pct is None else f"tensor {gpu.tensor_pct:.0f}%", "")
        shares = [
            Field(0, (f"{numbers.whole(gpu.util_pct)}%".rjust(4), "")),
            *_activity(gpu),
            Field(4, tensor),
        ]
        shown = chosen(shares, at.side - 7)
        busy = [("util".ljust(6), "label"), *(thin(shown) if grey else shown)]
    memory_c = "" if gpu.memory_temperature_c is None else f"mem {gpu.memory_temperature_c:.0f}"
    degrees = f"{numbers.whole(gpu.temperature_c)}{theme.glyph('degree')}"
    last = chosen(
        [
            Field(0, why),
            Field(1, (degrees, "thin" if grey else "")),
            Field(5, (memory_c, "dim")),
            Field(1, _throttled(gpu)) if not grey else Field(9),
            Field(2, (f"SM {numbers.whole(gpu.sm_clock_mhz)} MHz", "dim")),
            Field(3, (f"mem {numbers.whole(gpu.memory_clock_mhz)} MHz", "dim")),
            *_traffic(gpu),
        ],
        at.side - 7,
    )
    sides: list[list[Span]] = [
        busy,
        metered("mem", _used(gpu, unit=" GiB"), memory),
        metered("power", power, [(share(gpu.power_w, gpu.power_limit_w), role)]),
        [("temp".ljust(6), "label"), *last],
    ]
    scales = (PERCENT, PERCENT, _power_scale(gpu), CELSIUS)
    series = (gpu.util, gpu.memory_pct, gpu.power, gpu.temperature)
    rows: list[Row] = []
    for i, name in enumerate(
        (_marked(gpu, at, theme), "memory" if at.gutter > 7 else "mem", "power", "temp")
    ):
        rows += named(_spark(series[i], scales[i], gpu, at, theme, marks), name, [sides[i]], at, theme)
    return rows


def thin(runs: list[Span]) -> list[Span]:
    """Greyed."""
    return [(text, "thin") for text, _ in runs]


_DRAWN: dict[int, Callable[[Gpu, Columns, Theme, Sequence[Mark]], list[Row]]] = {1: _one, 2: _two, 4: _four}
