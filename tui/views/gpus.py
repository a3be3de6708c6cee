"""View 4: every GPU's figures on the axis of the latencies; one of them in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from textwrap import wrap

import numpy as np

from sessions.frame.gpu_series import GpuHistory
from sessions.frame.gpu_trouble import Trouble, troubles
from sessions.frame.schema import Frame, Gpu
from tui.draw import numbers
from tui.draw.rows import Field, Row, Span, chosen, fitted
from tui.draw.text import fit_tail, safe
from tui.panels import gpu_meters, time_axis
from tui.panels.gpu_charts import CHARTS
from tui.panels.gpu_multiples import figure, left_out, multiples, needs, numbers_of, so_far
from tui.views.machine_details import gpu_rows, process_rows
from tui.views.view import Drawing, Pressed

FIGURES = ("util", "memory", "power", "temperature", "clocks", "links")
"""In the order in which `v` shows them; of the links NVLink where it is read, else PCIe."""
SORTS = ("index", "trouble")
_YOUNG_NS = 3_000_000_000
"""Before that the first look at the GPUs may be still to come."""
MOST_ROWS = 6
"""Of one GPU among several."""
_WORDS = {
    Trouble.LOST: ("LOST", "bad"),
    Trouble.HOT: ("HOT", "bad"),
    Trouble.THROTTLED: ("THROTTLED", "warn"),
    Trouble.STALE: ("STALE", "warn"),
    Trouble.IDLE: ("IDLE?", "warn"),
}
_SAID = {
    Trouble.LOST: "lost",
    Trouble.HOT: "hot",
    Trouble.THROTTLED: "throttled",
    Trouble.STALE: "without a new sample",
    Trouble.IDLE: "idle beside busy ones",
}


@dataclass(frozen=True)
class Gpus:
    figure: str = "util"
    sort: str = "index"
    cursor: int = 0
    """Number among the frame's GPUs of the one that the cursor is on; of one that is not there: the first."""
    opened: bool = False

    def rows(self, drawing: Drawing) -> list[Row]:
        frame = drawing.frame
        if not frame.gpus:
            return _none(drawing)
        order = self._order(drawing)
        if self.opened or len(frame.gpus) == 1:
            return self._in_full(drawing, order)
        return self._list(drawing, order)

    def pressed(self, action: str, drawing: Drawing) -> Pressed:
        order = self._order(drawing)
        gpus = drawing.frame.gpus
        if action == "escape":
            return Pressed(replace(self, opened=False))
        if not order:
            return Pressed(self)
        place = self._place(order)
        page = max(drawing.height // 2, 1)
        steps = {"row_next": 1, "row_previous": -1, "page_next": page, "page_previous": -page}
        if action in steps:
            to = min(max(place + steps[action], 0), len(order) - 1)
            return Pressed(replace(self, cursor=order[to]))
        if action == "open" and len(gpus) > 1:
            return Pressed(replace(self, opened=True, cursor=order[place]))
        if action == "turn":
            return Pressed(replace(self, figure=_after(FIGURES, self.figure)))
        if action == "sort":
            sort = _after(SORTS, self.sort)
            return Pressed(replace(self, sort=sort, cursor=order[place]), notice=f"GPUs by {sort}")
        return Pressed(self)

    def _order(self, drawing: Drawing) -> list[int]:
        """Numbers of the frame's GPUs as they are shown."""
        found = range(len(drawing.frame.gpus))
        if self.sort == "index":
            return list(found)
        worst = troubles(drawing.frame.gpus)
        return sorted(found, key=lambda number: (-worst[number], number))

    def _place(self, order: Sequence[int]) -> int:
        return order.index(self.cursor) if self.cursor in order else 0

    def _in_full(self, drawing: Drawing, order: Sequence[int]) -> list[Row]:
        frame, theme, width = drawing.frame, drawing.theme, drawing.width
        place = self._place(order)
        number = order[place]
        gpu = frame.gpus[number]
        given = _history(drawing).series(number, needs(tuple(CHARTS)))
        # What the charts say is said again only where there is room for all.
        below = gpu_rows(gpu, width, theme)[1:] if drawing.height >= 45 else process_rows(gpu, width)
        missing = left_out(gpu, given)
        if missing:
            below.append(fitted([("        ", ""), (f"not read here: {missing}", "dim")], width))
        below = below[: max((drawing.height - 16) // 3, 0)]
        room = drawing.height - 2 - len(below)
        head: list[Span] = [(f" {gpu_meters.name_of(gpu)} ", "title")]
        if len(order) > 1:
            head.append((f"{place + 1} of {len(order)}  ", "dim"))
        head += [*_trouble(gpu, troubles(frame.gpus)[number]), (safe(gpu.name, 40), "strong")]
        if gpu.serving:
            head += [("  ", ""), (f"{theme.glyph('dot')} serves the model", "ok")]
        charts = multiples(gpu, given, drawing.at, room, theme, drawing.marks, upto=_upto(drawing))
        if not charts:
            charts = [fitted([("  no sample of it in this window", "dim")], width)]
        axis = time_axis.axis(frame, drawing.screen_state, drawing.at)
        return [fitted(head, width), *charts, axis, *below][: drawing.height]

    def _list(self, drawing: Drawing, order: Sequence[int]) -> list[Row]:
        frame, width, theme = drawing.frame, drawing.width, drawing.theme
        place = self._place(order)
        worst = troubles(frame.gpus)
        detail = 3 if drawing.height >= 28 and len(order) <= (drawing.height - 6) else 0
        room = drawing.height - 2 - detail
        by_host = self.sort == "index" and any(":" in gpu.label for gpu in frame.gpus)
        hosts = len({_host(gpu) for gpu in frame.gpus}) if by_host else 0
        each = min(max((room - hosts) // len(order), 1), MOST_ROWS)
        first, last = _page(order, [_host(frame.gpus[n]) for n in order], place, room, each, by_host=by_host)
        out = [self._head(drawing, order, worst, first, last)]
        history = _history(drawing)
        host = None
        for at in range(first, last):
            gpu = frame.gpus[order[at]]
            if by_host and _host(gpu) != host:
                host = _host(gpu)
                role = f" {safe(gpu.role, 16)}" if gpu.role else ""
                out.append(fitted([(f" {safe(host, 60)}", "strong"), (role, "gpu")], width))
            out += self._one(
                drawing, history, order[at], each, worst[order[at]], cursor=at == place, by_host=by_host
            )
        out.append(time_axis.axis(frame, drawing.screen_state, drawing.at))
        left = drawing.height - len(out)
        if left >= detail > 0:
            out += gpu_rows(frame.gpus[order[place]], width, theme)[:left]
        return out[: drawing.height]

    def _head(
        self, drawing: Drawing, order: Sequence[int], worst: Sequence[Trouble], first: int, last: int
    ) -> Row:
        gpus = drawing.frame.gpus
        shown = f" {first + 1}-{last} of {len(order)}" if last - first < len(order) else f" {len(order)} GPUs"
        utils = [gpu.util_pct for gpu in gpus if gpu.util_pct is not None and not gpu.excluded]
        spread = ""
        if utils:
            spread = f"util mean {np.mean(utils):.0f}%  {min(utils):.0f}-{max(utils):.0f}%"
        fields = [
            Field(0, (f" {self.figure.upper()}", "title"), (f"{shown} by {self.sort}", "dim")),
            Field(2, (spread, "")),
        ]
        if watts := [gpu.power_w for gpu in gpus if gpu.power_w is not None]:
            fields.append(Field(3, (f"{sum(watts):.0f} W together", "")))
        for trouble in sorted(_SAID, reverse=True):
            count = sum(found is trouble for found in worst)
            if count:
                fields.append(Field(1, (f"{count} {_SAID[trouble]}", _WORDS[trouble][1])))
        return fitted(chosen(fields, drawing.width, gap=3), drawing.width)

    def _one(
        self,
        drawing: Drawing,
        history: GpuHistory,
        number: int,
        rows: int,
        trouble: Trouble,
        *,
        cursor: bool,
        by_host: bool,
    ) -> list[Row]:
        gpu, at, theme = drawing.frame.gpus[number], drawing.at, drawing.theme
        names = ("NVLink", "PCIe") if self.figure == "links" else (self.figure,)
        given = history.series(number, needs(names))
        name = next(
            (n for n in names if any(np.isfinite(given[s]).any() for s in CHARTS[n].series)), names[-1]
        )
        flag, upto = _trouble(gpu, trouble), _upto(drawing)
        room = max(at.side - 1 - sum(len(text) for text, _ in flag), 0)
        shown = numbers_of(name, gpu, so_far(given, upto), room, theme, "" if name == self.figure else name)
        others = [_others(gpu, self.figure, at.side - 1)]
        if rows > 2 and at.side > 30:
            others = gpu_meters.beside(gpu, self.figure, at.side - 2, theme)
        beside = [[*flag, *shown[0]], *others, *shown[1:]]
        drawn = figure(name, gpu, given, at, rows, theme, drawing.marks, beside=beside, upto=upto)
        label = gpu_meters.name_of(replace(gpu, label=gpu.label.rpartition(":")[2]) if by_host else gpu)
        room = at.gutter - 2
        label = label if len(label) <= room else label.removeprefix("GPU")
        text = fit_tail(label, room).ljust(room)
        pointer = theme.glyph("play") if cursor else " "
        drawn[0] = [
            (pointer, "key"),
            (text, "strong" if cursor else "label"),
            (theme.glyph("wall"), "axis"),
            *drawn[0][1:],
        ]
        return drawn


def _upto(drawing: Drawing) -> int | None:
    return None if drawing.later is None else drawing.upto


def _history(drawing: Drawing) -> GpuHistory:
    timeline, frame = drawing.source.timeline, drawing.frame if drawing.later is None else drawing.later
    return drawing.over_time("gpus", lambda later: GpuHistory(timeline, later), GpuHistory(timeline, frame))


def _others(gpu: Gpu, figure_shown: str, width: int) -> list[Span]:
    """What else is known at this instant, for a second row."""
    said = [
        ("util", numbers.whole(gpu.util_pct, "%")),
        ("memory", f"{numbers.gib(gpu.memory_used_bytes)}G"),
        ("power", numbers.whole(gpu.power_w, "W")),
        ("temperature", numbers.whole(gpu.temperature_c, "C")),
        ("clocks", numbers.whole(gpu.sm_clock_mhz, "MHz")),
    ]
    fields = [
        Field(rank, (text, "dim"))
        for rank, (name, text) in enumerate(said)
        if name != figure_shown and not text.startswith(numbers.NONE)
    ]
    return chosen(fields, width)


def _trouble(gpu: Gpu, trouble: Trouble) -> list[Span]:
    """A word, and a blank after it; nothing where all is well."""
    if trouble is Trouble.NONE:
        return [(f"{gpu.excluded} ", "dim")] if gpu.excluded else []
    word, role = _WORDS[trouble]
    if trouble is Trouble.STALE:
        word = gpu_meters.dim_reason(gpu)[0]
    elif trouble in (Trouble.THROTTLED, Trouble.HOT) and gpu.throttled_pct is not None:
        word = f"{word} {gpu.throttled_pct:.0f}%"
    return [(f"{word} ", role)]


def _host(gpu: Gpu) -> str:
    return gpu.label.rpartition(":")[0]


def _page(
    order: Sequence[int], hosts: Sequence[str], place: int, room: int, each: int, *, by_host: bool
) -> tuple[int, int]:
    """The GPUs of the page that holds the cursor: whole pages, so that what stands does not move."""
    first = used = 0
    host: str | None = None
    for at in range(len(order)):
        heading = int(by_host and hosts[at] != host)
        if used + heading + each > room and at > first:
            if place < at:
                return first, at
            first, used, heading = at, 0, int(by_host)
        host = hosts[at]
        used += heading + each
    return first, len(order)


def _after(names: Sequence[str], name: str) -> str:
    return names[(names.index(name) + 1) % len(names)]


def idle_keys(frame: Frame) -> tuple[str, ...]:
    """Those of the view that do nothing now: one GPU is shown in full, and is no list."""
    return () if len(frame.gpus) > 1 else ("row_next", "page_next", "open", "sort", "turn")


def _nothing_read(frame: Frame) -> str:
    young = frame.at_ns - frame.first_ns < _YOUNG_NS or not frame.first_ns
    return "nothing has been read of a GPU yet" if young else "no GPU was found"


def _none(drawing: Drawing) -> list[Row]:
    rows: list[Row] = [[(" GPUS ", "title"), ("none to show", "dim")]]
    why = safe(drawing.frame.gpu_note, 300) or _nothing_read(drawing.frame)
    lines = wrap(why, max(drawing.width - 3, 1), break_on_hyphens=False)
    rows += [*([(f"  {line}", "")] for line in lines), []]
    for words, option in (
        ("GPUs of another machine, by ssh", "--telemetry ssh://user@host"),
        ("a dcgm-exporter", "--telemetry http://host:9400/metrics"),
        ("several together", "--telemetry auto ssh://node2 ssh://node3"),
        ("what is read, and what it takes", "docs/guide/telemetry.md"),
    ):
        if drawing.width >= 80:
            rows.append([(f"  {words:<33}", "dim"), (option, "key")])
        else:
            rows += [[(f"  {words}", "dim")], [(f"    {option}", "key")]]
    return [fitted(row, drawing.width) for row in rows][: drawing.height]
