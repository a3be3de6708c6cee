"""All that is known of GPUs, server and hosts at one instant, in words: what the charts have no room for."""

from __future__ import annotations

from collections.abc import Sequence

from sessions.frame.gpu_trouble import is_throttled
from sessions.frame.gpus import RECENT_NS
from sessions.frame.schema import Frame, Gpu, Server, Stat
from tui.draw import numbers
from tui.draw.numbers import sign
from tui.draw.rows import Field, Row, chosen, fitted, width_of
from tui.draw.text import safe
from tui.draw.theme import Theme
from tui.panels import gpu_meters
from tui.panels.machines import host_fields

_ROWS_A_GPU = 3
_TITLE, _GAP = 8, 3
"""Cells of a row's title, and between its fields."""


def detail(frame: Frame, width: int, height: int, theme: Theme) -> list[Row]:
    """At most `height` rows: server and hosts first, being few; then GPUs, in as many rows as they take or,
    where that is too much, in three each, or two; the last row counts those that are left out."""
    head = [*_server(frame.server, RECENT_NS / 1e9, width), *_hosts(frame, width)]
    if frame.poll_ms is not None:
        head.append(
            _row(
                "POLL",
                [_field(0, "the last look at all GPUs took", numbers.three(frame.poll_ms), "ms")],
                width,
            )
        )
    room = height - len(head)
    rows = [row for gpu in frame.gpus for row in gpu_rows(gpu, width, theme)]
    shown = len(frame.gpus)
    if len(rows) > room:
        each = _ROWS_A_GPU if shown * _ROWS_A_GPU <= room else 2
        shown = shown if shown * each <= room else max((room - 1) // each, 0)
        rows = [row for gpu in frame.gpus[:shown] for row in _gpu(gpu, width, theme, each)]
    if shown < len(frame.gpus):
        rows.append(fitted([(f" and {len(frame.gpus) - shown} more GPUs", "dim")], width))
    if not frame.gpus:
        rows.append(_row("GPU", [Field(0, (safe(frame.gpu_note, 300) or "none was found", "dim"))], width))
    return [*head, *rows][:height]


def _field(rank: int, name: str, value: str, unit: str = "", role: str = "") -> Field:
    """Nothing where the value is not known."""
    if value == numbers.NONE:
        return Field(9)
    return Field(rank, (f"{name} ", "label"), (value, role), (f" {unit}" if unit else "", "label"))


def _row(title: str, fields: list[Field], width: int) -> Row:
    name = f" {title} ".ljust(_TITLE)
    return fitted([(name, "title"), *chosen(fields, width - len(name) - 1, gap=_GAP)], width)


def _server(server: Server, recent_s: float, width: int) -> list[Row]:
    preempted = numbers.rate(server.preemptions_per_s)
    fields = [
        _field(0, "running", numbers.whole(server.running)),
        _field(0, "waiting", numbers.whole(server.waiting), role="warn" if server.waiting else ""),
        _field(0, "KV", numbers.whole(server.kv_pct), "%"),
        _field(1, "prefix hit", numbers.whole(server.prefix_hit_pct), "%"),
        _field(1, "preemptions", preempted, "/s", "bad" if server.preemptions_per_s else ""),
    ]
    if not any(field.runs for field in fields):
        return [_row("SERVER", [Field(0, ("says nothing of itself", "dim"))], width)]
    own = [_own("TTFT", server.ttft, 0), _own("ITL", server.itl, 1)]
    if any(field.runs for field in own):
        own.append(Field(2, (f"its own, last {recent_s:g} s, ms", "dim")))
    return _wrapped("SERVER", [fields, own], width)


def _own(name: str, stat: Stat | None, rank: int) -> Field:
    if stat is None:
        return Field(9)
    figures = "  ".join(
        f"{quantile} {'' if value is None else sign(stat, quantile)}{numbers.ms(value)}"
        for quantile, value in (("p50", stat.p50_ms), ("p95", stat.p95_ms), ("p99", stat.p99_ms))
    )
    return Field(rank, (f"{name} ", "label"), (figures, ""))


def _hosts(frame: Frame, width: int) -> list[Row]:
    return [
        row
        for host in frame.hosts
        for row in _wrapped(
            "HOST",
            [[Field(0, (safe(host.host, 24) or "here", "strong")), *host_fields(host, 1, "CPU")]],
            width,
        )
    ]


def gpu_rows(gpu: Gpu, width: int, theme: Theme) -> list[Row]:
    """All that is known of one, in as many rows as it takes."""
    return _wrapped(gpu_meters.name_of(gpu), [*_fields(gpu, theme), _processes(gpu)], width)


def _wrapped(title: str, groups: Sequence[Sequence[Field]], width: int) -> list[Row]:
    """Each group begins a row of its own, and goes on in a next one where a field has no room."""
    lines: list[list[Field]] = []
    for group in groups:
        line: list[Field] = []
        for field in (field for field in group if field.runs):
            needed = sum(width_of(part.runs) for part in [*line, field]) + _GAP * len(line)
            if line and needed > width - _TITLE - 1:
                lines.append(line)
                line = []
            line.append(field)
        if line:
            lines.append(line)
    return [_row("" if i else title, line, width) for i, line in enumerate(lines)]


def _gpu(gpu: Gpu, width: int, theme: Theme, rows: int) -> list[Row]:
    """In three rows or two, without what has no room there."""
    name, (what, does, held) = gpu_meters.name_of(gpu), _fields(gpu, theme)
    if rows == _ROWS_A_GPU:
        return [_row(name, what, width), _row("", does, width), _row("", held, width)]
    return [_row(name, [*does[:6], *what[3:5]], width), _row("", [*held, *does[6:]], width)]


def process_rows(gpu: Gpu, width: int) -> list[Row]:
    """Who computes there; none where nobody does, or nobody tells."""
    return _wrapped("", [_processes(gpu)], width)


def _processes(gpu: Gpu) -> list[Field]:
    if not gpu.processes:
        return []
    said = []
    for name, pid, used in gpu.processes:
        amount = "" if used is None else f" {numbers.gib(used)} GiB"
        said.append(Field(3, (f"{safe(name, 40) or 'process'}{amount}", ""), (f" pid {pid}", "dim")))
    return [Field(3, ("computing there:", "label")), *said]


def _fields(gpu: Gpu, theme: Theme) -> tuple[list[Field], list[Field], list[Field]]:
    """What it is and for whom, what it does, and what holds it back."""
    why = gpu_meters.dim_reason(gpu)
    what = [
        Field(0, (safe(gpu.name, 40) or "GPU", "strong")),
        Field(1, (f"MIG {safe(gpu.mig, 16)}" if gpu.mig else "", "")),
        Field(2, ("unified memory" if gpu.unified_memory else "", "dim")),
        Field(0, (f"{theme.glyph('dot')} serves the model" if gpu.serving else "", "ok")),
        Field(0, why),
        Field(3, (f"sample {gpu.age_s:.1f} s old" if gpu.age_s is not None and not gpu.stale else "", "dim")),
    ]
    share = "" if gpu.throttled_pct is None else f" {gpu.throttled_pct:.0f}% of the time"
    slowed = ", ".join(gpu.throttle) + share if is_throttled(gpu) else numbers.NONE
    memory = f"{numbers.gib(gpu.memory_used_bytes)}/{numbers.gib(gpu.memory_total_bytes)}"
    does = [
        _field(0, "util", numbers.whole(gpu.util_pct), "%"),
        _field(1, "SM", numbers.whole(gpu.sm_pct), "%"),
        _field(2, "tensor", numbers.whole(gpu.tensor_pct), "%"),
        _field(1, "DRAM", numbers.whole(gpu.dram_pct), "%"),
        _field(0, "mem", memory, "GiB"),
        _field(4, "reserved", numbers.gib(gpu.memory_reserved_bytes), "GiB"),
        _field(0, "power", f"{numbers.whole(gpu.power_w)}/{numbers.whole(gpu.power_limit_w)}", "W"),
        _field(3, "NVLink", _gb_per_s(gpu.nvlink_bytes_per_s), "GB/s"),
        _field(3, "PCIe", _gb_per_s(gpu.pcie_bytes_per_s), "GB/s"),
    ]
    clock = numbers.whole(gpu.sm_clock_mhz)
    most = "" if gpu.sm_clock_max_mhz is None else f"/{gpu.sm_clock_max_mhz:.0f}"
    held = [
        _field(0, "held back by", slowed, role="warn"),
        _field(0, "temp", numbers.whole(gpu.temperature_c), theme.glyph("degree")),
        _field(1, "memory", numbers.whole(gpu.memory_temperature_c), theme.glyph("degree")),
        _field(1, "SM clock", clock if clock == numbers.NONE else clock + most, "MHz"),
        _field(2, "memory clock", numbers.whole(gpu.memory_clock_mhz), "MHz"),
    ]
    if why[0]:
        does, held = _greyed(does), _greyed(held)
    return what, does, held


def _gb_per_s(rate: float | None) -> str:
    return numbers.NONE if rate is None else numbers.three(rate / 1e9)


def _greyed(fields: list[Field]) -> list[Field]:
    """Figures of a GPU that is old, lost or no part of the load; a word above says why."""
    return [Field(field.rank, *gpu_meters.thin(field.runs)) for field in fields]
