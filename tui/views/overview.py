"""The whole screen as rows, from a frame: a pure function, so that the same instant always looks the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from sessions.frame.schema import Frame
from tui.controls.screen_state import ScreenState
from tui.draw import layout, numbers
from tui.draw.layout import Columns, Shape
from tui.draw.rows import Row, Span, fitted
from tui.panels import footer as bottom
from tui.panels import gpus as machines
from tui.panels import header, latency
from tui.panels import host as node
from tui.panels import throughput as flow
from tui.panels import time_axis as time
from tui.panels.strip import marks_of, strip
from tui.plots.bars import area
from tui.plots.scale import Scale
from tui.plots.scale import fitted as fitted_scale
from tui.views import machine_details as detail

Scales = Mapping[str, Scale]
NOUGHT_MS = 0.002
"""Gaps up to this are none: the chunks came in one read. Sketches put all of up to 1 us into one bucket."""


def too_small(width: int, height: int) -> list[Row]:
    text = f"{width}x{height} is too small: ttftop needs {layout.LEAST_WIDTH}x{layout.LEAST_HEIGHT}"
    return [fitted([(text, "")], width), *([fitted([], width)] * (height - 1))][:height]


def scales_for(frame: Frame, screen_state: ScreenState, previous: Scales) -> dict[str, Scale]:
    """The scale of every chart, grown from the ones drawn last."""
    at_ns, log = frame.at_ns, screen_state.log
    wanted = {
        "ttft": ((frame.ttft.p50, frame.ttft.p95, frame.ttft.p99), log, 1000.0 if log else 1.0),
        "itl": ((frame.itl.p50, frame.itl.p95, frame.itl.p99), log, 100.0 if log else 1.0),
        "rate": ((frame.offered, frame.achieved), False, 1.0),
        "tokens": ((frame.output_tokens,), False, 10.0),
        "flight": ((frame.in_flight_series,), False, 5.0),
        "waiting": (
            () if frame.server.waiting_series is None else (frame.server.waiting_series,),
            False,
            5.0,
        ),
    }
    return {
        name: fitted_scale(previous.get(name), series, at_ns, log=is_log, least_high=least, nought=NOUGHT_MS)
        for name, (series, is_log, least) in wanted.items()
    }


def shape_of(frame: Frame, screen_state: ScreenState) -> Shape:
    return Shape(
        gpus=len(frame.gpus),
        gpu_note=bool(frame.gpu_note),
        server=machines.server_strips(frame.server),
        node=node.says_anything(frame),
        scrub=not (frame.live and screen_state.playhead.following),
    )


def compose(frame: Frame, screen_state: ScreenState, scales: Scales, width: int, height: int) -> list[Row]:
    """Exactly `height` rows of exactly `width` cells."""
    if width < layout.LEAST_WIDTH or height < layout.LEAST_HEIGHT:
        return too_small(width, height)
    if screen_state.details:
        return _detailed(frame, screen_state, width, height)
    rows_of = layout.rows_for(height, shape_of(frame, screen_state))
    at, theme = layout.columns_for(width), screen_state.theme
    marks = marks_of(frame, at.plot, theme)
    labels = time.mark_labels(frame, at.plot)
    flows: dict[str, Callable[..., list[Row]]] = {
        "rate": flow.rate,
        "tokens": flow.tokens,
        "flight": flow.in_flight,
    }
    gaps = [name for name in layout.GAPS if rows_of[name]][: rows_of["gaps"]]
    none = np.full(0, np.nan)
    out: list[Row] = []
    for name in layout.ORDER:
        rows = rows_of[name]
        if not rows:
            continue
        if name in gaps:
            gap = area(none, machines.PERCENT, at.plot, 1, "", marks=marks, ascii_only=theme.ascii_only)
            out += strip(gap.rows(), {}, [], at, theme)
        if name == "header":
            out.append(header.header(frame, screen_state, width))
        elif name == "load":
            out.append(header.load(frame, screen_state, width))
        elif name == "limit":
            out.append(header.limit(frame, width))
        elif name == "ttft":
            out += latency.latency(
                "TTFT ms",
                frame.ttft,
                frame.ttft_recent,
                frame.ttft_run,
                frame.recent_s,
                scales["ttft"],
                at,
                rows,
                theme,
                marks=marks,
                labels=labels,
                more=_send_lag(frame, at),
                server=frame.server.ttft,
            )
        elif name == "itl":
            name_cells = latency.table_cells(at.side)[0]
            title = next(text for text in ("CHUNK GAP ms", "CHUNK GAP", "GAP ms") if len(text) <= name_cells)
            out += latency.latency(
                title if frame.itl_is_chunk_gap else "ITL ms",
                frame.itl,
                frame.itl_recent,
                frame.itl_run,
                frame.recent_s,
                scales["itl"],
                at,
                rows,
                theme,
                marks=marks,
                more=_per_chunk(frame, at),
                server=frame.server.itl,
            )
        elif name in flows:
            out += flows[name](frame, scales[name], at, rows, theme, marks)
        elif name == "server":
            out += machines.server(frame, scales["waiting"], at, rows, theme, marks)
        elif name == "gpus":
            out += machines.gpus(frame, at, rows, theme, marks)
        elif name == "node":
            out.append(node.node(frame, width))
        elif name == "axis":
            out.append(time.axis(frame, screen_state, at))
    out += time.events(frame, rows_of["events"], width, theme)
    if rows_of["scrub"]:
        out.append(time.scrub(frame, screen_state, width))
    out.append(bottom.bottom(screen_state, width, live=frame.live))
    return [fitted(row, width) for row in out]


def _detailed(frame: Frame, screen_state: ScreenState, width: int, height: int) -> list[Row]:
    above = [
        header.header(frame, screen_state, width),
        header.load(frame, screen_state, width),
        header.limit(frame, width),
    ]
    below = [bottom.bottom(screen_state, width, live=frame.live)]
    if shape_of(frame, screen_state).scrub:
        below.insert(0, time.scrub(frame, screen_state, width))
    room = height - len(above) - len(below)
    said = detail.detail(frame, width, room, screen_state.theme)
    left = room - len(said)
    happened = time.events(frame, left - 1, width, screen_state.theme, whole=True) if left > 1 else []
    rows = [*above, *said, *([[]] if left else []), *happened, *below]
    return [fitted(row, width) for row in rows]


def _send_lag(frame: Frame, at: Columns) -> list[list[Span]]:
    stat = frame.send_lag_recent
    name, cell = latency.table_cells(at.side)
    figures = (stat.p50_ms, stat.p95_ms, stat.p99_ms)
    return [[("send lag".ljust(name), "label"), *((numbers.ms(v).rjust(cell), "dim") for v in figures)]]


def _per_chunk(frame: Frame, at: Columns) -> list[list[Span]]:
    if frame.tokens_per_chunk is None:
        return []
    name, cell = latency.table_cells(at.side)
    return [[("tok/chunk".ljust(name), "label"), (f"{frame.tokens_per_chunk:.2f}".rjust(3 * cell), "dim")]]
