"""One request opened: its phases and chunks over its own time, and what GPUs and server did meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from loadgen.errors import describe
from loadgen.records import Request
from sessions.frame.schema import Frame, Series
from sessions.frame.waterfall import Gap, Phase, Waterfall, waterfall
from sessions.store.request_line import Sought
from tui.draw import numbers
from tui.draw.rows import Field, Row, chosen, fitted, spread, width_of
from tui.draw.text import fit, safe
from tui.draw.theme import Theme
from tui.panels import time_axis
from tui.plots.bars import area
from tui.plots.scale import PERCENT, Scale, ceil_125
from tui.views.request_rows import clock
from tui.views.view import Drawing

_GUTTER, _SIDE = 16, 13
_PHASE_OF = {"sent": "phase_wait", "headers": "phase_first", "first token": "phase_first"}
_GAP_CELLS = 38


def rows(sought: Sought, drawing: Drawing) -> list[Row]:
    """At most `drawing.height` rows."""
    width, height, frame = drawing.width, drawing.height, drawing.frame
    looked = drawing.source.request(sought)
    if looked.request is None:
        why = "its line is not in the session's files" if looked.over else "looking for it in the files"
        head: Row = [(" REQUEST ", "title"), (f"{sought.index}", "strong"), (f"  {why}", "dim")]
        return [fitted(head, width)]
    request = looked.request
    plot = max(width - _GUTTER - _SIDE, 1)
    found = waterfall(request, drawing.source.timeline, frame.at_ns, plot)
    out = _head(request, found, drawing)
    out.append(_axis(found, plot, drawing.theme))
    out += [_phase(phase, found, plot, drawing.theme) for phase in found.phases]
    strips = _strips(found)
    rows_of = _rows_of(height - len(out), strips, found)
    before = "request"
    for strip in strips:
        of = "meanwhile" if strip.name not in ("chunks", "gaps") else "tokens"
        if rows_of["blank"] and of != before:
            out.append([])
        before = of
        out += strip.rows(rows_of[strip.name if of == "tokens" else of], plot, drawing.theme)
    if rows_of["blank"] and rows_of["longest"]:
        out.append([])
    out += _gaps(found.longest, found, drawing, rows_of["longest"])
    out += _events(drawing, found, rows_of["events"])
    return [fitted(row, width) for row in out[:height]]


# Who gets the next rows, and up to how many, until none is left.
_GROWTH = (
    *(
        ("chunks", 1),
        ("gaps", 1),
        ("meanwhile", 1),
        ("longest", 1),
        ("gaps", 2),
        ("longest", 2),
        ("blank", 1),
    ),
    *(
        ("gaps", 4),
        ("longest", 4),
        ("events", 2),
        ("meanwhile", 2),
        ("chunks", 2),
        ("longest", 6),
        ("gaps", 6),
    ),
    *(("events", 4), ("meanwhile", 3), ("gaps", 10), ("chunks", 3), ("events", 6), ("meanwhile", 5)),
    *(("gaps", 16), ("chunks", 5), ("events", 20)),
)


def _rows_of(left: int, strips: Sequence[_Strip], found: Waterfall) -> dict[str, int]:
    """Rows of each of what stands below the phases."""
    names = [strip.name for strip in strips]
    others = sum(name not in ("chunks", "gaps") for name in names)
    cost = {"chunks": int("chunks" in names), "gaps": int("gaps" in names), "meanwhile": others}
    cost |= {"longest": int(bool(found.longest)), "events": 1, "blank": 3}
    rows = dict.fromkeys(cost, 0)
    for name, upto in _GROWTH:
        while cost[name] and rows[name] < upto and left >= cost[name]:
            rows[name] += 1
            left -= cost[name]
    return rows


def _head(request: Request, found: Waterfall, drawing: Drawing) -> list[Row]:
    width, frame, manifest = drawing.width, drawing.frame, drawing.source.manifest
    who = [f"worker {request.worker}"]
    if request.conversation is not None:
        who.append(f"conversation {request.conversation} turn {(request.turn or 0) + 1}")
    if request.tags:
        who.append("tags " + safe(" ".join(request.tags), 40))
    if manifest is not None and (endpoint := manifest.server.get("endpoint")):
        who.append(safe(str(endpoint), 30))
    if request.stale_retries:
        who.append(f"sent again {request.stale_retries}x")
    if request.connect_ns is not None:
        who.append(f"connected in {numbers.length(request.connect_ns / 1e6)}")
    first: Row = [(" REQUEST ", "title"), (f"{request.index}  ", "strong")]
    if not found.over:
        first.append(("in flight  ", "ok"))
    elif request.error is not None:
        first.append((safe(request.error.kind, 40) + "  ", "bad"))
    else:
        first.append((f"ok {safe(request.finish_reason or '', 20)}".rstrip() + "  ", "ok"))
    if request.status is not None and found.over:
        first.append((f"HTTP {request.status}  ", "dim"))
    first.append(((" | " if drawing.theme.ascii_only else " · ").join(who), "dim"))
    hint: Row = [("  enter", "key"), (" goes there  ", "dim"), ("esc", "key"), (" closes ", "dim")]
    fits = width_of(first) + width_of(hint) <= width
    out = [
        spread(first, hint if fits else [], width),
        fitted(chosen(_figures(request, found, frame), width), width),
    ]
    if request.error is not None and found.over:
        said = safe(request.error.message, 400) or describe(request.error.kind)
        out.append(fitted([(" " + fit(said, width - 1), "bad")], width))
    return out


def _figures(request: Request, found: Waterfall, frame: Frame) -> list[Field]:
    """The lowest ranks stay longest."""
    ttft_ns = _since(request.due_ns, request.first_token_ns, frame.at_ns)
    from_sent_ns = _since(request.sent_ns, request.first_token_ns, frame.at_ns)
    out = [
        Field(0, (f" due {clock(request.due_ns - frame.first_ns)}", "")),
        Field(1, ("TTFT ", "label"), (_ms(ttft_ns), "strong")),
        Field(7, (f"({_ms(from_sent_ns)} from sent)", "dim")),
    ]
    if found.longest:
        gaps_us = request.gaps_us[: found.gaps]
        out.append(Field(3, ("max gap ", "label"), (numbers.length(found.longest[0].ms), "strong")))
        out.append(Field(6, ("mean ", "label"), (numbers.length(sum(gaps_us) / len(gaps_us) / 1e3), "")))
    if not found.over:
        return out
    over_ns = request.end_ns if request.last_token_ns is None else request.last_token_ns
    if request.error is None:
        out.append(Field(2, ("E2E ", "label"), (_ms(over_ns - request.due_ns), "strong")))
    out.append(Field(5, ("in ", "label"), (numbers.count(request.input_tokens), "")))
    if request.cached_tokens is not None:
        out.append(Field(8, (f"({numbers.count(request.cached_tokens)} cached)", "dim")))
    out.append(Field(4, ("out ", "label"), (numbers.count(request.output_tokens), "")))
    if request.token_source != "usage":
        out.append(Field(9, (f"(counted by {safe(request.token_source, 14)})", "dim")))
    return out


def _since(from_ns: int | None, to_ns: int | None, at_ns: int) -> int | None:
    return None if from_ns is None or to_ns is None or to_ns > at_ns else to_ns - from_ns


def _ms(ns: int | None) -> str:
    return numbers.length(None if ns is None else ns / 1e6)


def _axis(found: Waterfall, plot: int, theme: Theme) -> Row:
    """Time since due, at round distances."""
    cells = [theme.glyph("floor")] * plot
    span_s = found.slot_ns * plot / 1e9
    step_s = ceil_125(max(span_s * 12 / plot, 1e-9)) if plot > 12 else span_s
    for i in range(plot):
        column = round(i * step_s * 1e9 / found.slot_ns)
        text = theme.glyph("axis_tick") + numbers.ms_label(round(i * step_s * 1e3, 6))
        if column + len(text) > plot:
            break
        cells[column : column + len(text)] = list(text)
    return [("since due".rjust(_GUTTER - 1) + " ", "label"), ("".join(cells), "axis")]


def _phase(phase: Phase, found: Waterfall, plot: int, theme: Theme) -> Row:
    begin, end = found.column(phase.from_ns), found.column(max(phase.to_ns - 1, phase.from_ns))
    role = _PHASE_OF.get(phase.name, "phase_tokens")
    bar: Row = [(" " * begin, ""), (theme.glyph(role) * (end - begin + 1), role)]
    if not phase.reached:
        glyph = "failed" if found.over else "goes_on"
        bar[1] = (bar[1][0][:-1] + theme.glyph(glyph), "bad" if found.over else role)
    took_ms = (phase.to_ns - phase.from_ns) / 1e6
    took = f" {numbers.length(took_ms) if phase.reached else numbers.ms(took_ms)}"
    name = f"to {phase.name}" if phase.name != "answer" else phase.name
    took += "" if phase.reached else " failed" if found.over else " so far"
    return [
        (name.rjust(_GUTTER - 1) + " ", "label"),
        *fitted(bar, plot),
        (took, "" if phase.reached else "bad"),
    ]


class _Strip(NamedTuple):
    """Something over the request's time."""

    name: str
    label: str
    values: Series
    scale: Scale
    said: str
    role: str

    def rows(self, height: int, plot: int, theme: Theme) -> list[Row]:
        cells = area(self.values, self.scale, plot, height, self.role, ascii_only=theme.ascii_only).rows()
        out: list[Row] = []
        for i, row in enumerate(cells):
            label, side = (self.label, f" {self.said}") if i == 0 else ("", "")
            out.append([(label.rjust(_GUTTER - 1) + " ", "label"), *fitted(row, plot), (side, "dim")])
        return out


def _strips(found: Waterfall) -> list[_Strip]:
    out: list[_Strip] = []
    if (most := float(found.chunks.max())) > 0:
        came = np.where(found.chunks > 0, found.chunks, np.nan)  # where none came nothing stands
        out.append(_Strip("chunks", "chunks", came, Scale(0.0, most), f"most {most:.0f}", "phase_tokens"))
    if found.longest:
        longest_ms = found.longest[0].ms
        scale = Scale(0.0, max(longest_ms, 0.1))
        out.append(_Strip("gaps", "gaps ms", found.gap_ms, scale, f"max {numbers.ms(longest_ms)}", "p95"))
    if found.util is not None and found.util_most is not None:
        name, said = "GPU util %", _range(found.util)
        if found.gpus > 1:
            name = f"{found.gpus} GPUs util %"
            said = f"{np.nanmean(found.util):.0f} max {np.nanmax(found.util_most):.0f}"
        out.append(_Strip("util", name, found.util, PERCENT, said, "gpu_fill"))
    if found.kv is not None:
        out.append(_Strip("kv", "KV cache %", found.kv, PERCENT, _range(found.kv), "server_fill"))
    for name, values in (("waiting", found.waiting), ("running", found.running)):
        if values is not None:
            scale = Scale(0.0, ceil_125(max(float(np.nanmax(values)), 1.0)))
            out.append(_Strip(name, name, values, scale, _range(values), "server_fill"))
    return out


def _range(values: Series) -> str:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return (
        numbers.count(high) if round(low) == round(high) else f"{numbers.count(low)} to {numbers.count(high)}"
    )


def _gaps(longest: Sequence[Gap], found: Waterfall, drawing: Drawing, most: int) -> list[Row]:
    """The longest ones, in as many columns as there is room for."""
    if not most:
        return []
    across = max((drawing.width - _GUTTER) // _GAP_CELLS, 1)
    out: list[Row] = []
    for i in range(0, min(len(longest), most * across), across):
        row: Row = [(("longest gaps ms" if not i else "").rjust(_GUTTER - 1) + " ", "label")]
        for gap in longest[i : i + across]:
            since = f"+{numbers.ms((gap.at_ns - found.start_ns) / 1e6)}"
            said = f"{clock(gap.at_ns - drawing.frame.first_ns)} {since:>7} chunk {gap.chunk}"
            row += [(f"{numbers.ms(gap.ms):>6} ", "strong"), (fit(said, _GAP_CELLS - 7), "dim")]
        out.append(row)
    return out


def _events(drawing: Drawing, found: Waterfall, most: int) -> list[Row]:
    """What happened meanwhile, the newest that there is room for."""
    until_ns = found.start_ns + found.slot_ns * found.slots
    marks = [mark for mark in drawing.frame.marks if found.start_ns <= mark.t_ns <= until_ns]
    return [
        row
        for mark in marks[-most:]
        if most > 0
        for row in time_axis.event(mark, drawing.frame, drawing.width, drawing.theme)
    ]
