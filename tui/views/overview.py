"""The whole screen as rows, from a frame: a pure function, so that the same instant always looks the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sessions.frame.schema import Frame
from tui.controls.screen_state import ScreenState
from tui.draw import layout, numbers
from tui.draw.layout import Columns, Shape
from tui.draw.rows import Row, Span, fitted
from tui.draw.theme import Theme
from tui.panels import footer, gpus, header, latency, machines, server, throughput, time_axis
from tui.panels.strip import marks_of, strip
from tui.plots.bars import area
from tui.plots.chart import Mark
from tui.plots.scale import PERCENT, Scale
from tui.plots.scale import fitted as fitted_scale
from tui.views import machine_details

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
        "tokens": ((frame.input_tokens if frame.only_input else frame.output_tokens,), False, 10.0),
        "in_flight": ((frame.in_flight_series,), False, 5.0),
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
        server=server.server_strips(frame.server),
        machines=machines.says_anything(frame),
        scrub=not (frame.live and screen_state.playhead.following),
    )


class _Drawing(NamedTuple):
    """What a panel is drawn from."""

    frame: Frame
    screen_state: ScreenState
    scales: Scales
    at: Columns
    width: int
    marks: Sequence[Mark]
    labels: Mapping[int, tuple[tuple[str, ...], str]]

    @property
    def theme(self) -> Theme:
        return self.screen_state.theme


def compose(frame: Frame, screen_state: ScreenState, scales: Scales, width: int, height: int) -> list[Row]:
    """Exactly `height` rows of exactly `width` cells."""
    if width < layout.LEAST_WIDTH or height < layout.LEAST_HEIGHT:
        return too_small(width, height)
    if screen_state.details:
        return _detailed(frame, screen_state, width, height)
    rows_of = layout.rows_for(height, shape_of(frame, screen_state))
    at, theme = layout.columns_for(width), screen_state.theme
    marks = marks_of(frame, at.plot)
    drawing = _Drawing(
        frame, screen_state, scales, at, width, marks, time_axis.mark_labels(frame, at.plot, theme)
    )
    gaps = [name for name in layout.GAPS if rows_of[name]][: rows_of["gaps"]]
    out: list[Row] = []
    for name in layout.ORDER:
        if rows := rows_of[name]:
            out += _gap(drawing) if name in gaps else []
            out += _PANELS[name](drawing, rows)
    out += time_axis.events(frame, rows_of["events"], width, theme)
    if rows_of["scrub"]:
        out.append(time_axis.scrub(frame, screen_state, width))
    out.append(footer.bottom(screen_state, width, live=frame.live))
    return [fitted(row, width) for row in out]


def _gap(d: _Drawing) -> list[Row]:
    """A row with nothing but the marks that cross it."""
    none = np.full(0, np.nan)
    gap = area(none, PERCENT, d.at.plot, 1, "", marks=d.marks, ascii_only=d.theme.ascii_only)
    return strip(gap.rows(), {}, [], d.at, d.theme)


def _ttft(d: _Drawing, rows: int) -> list[Row]:
    return latency.latency(
        "TTFT ms",
        d.frame.ttft,
        d.frame.ttft_recent,
        d.frame.ttft_run,
        d.frame.recent_s,
        d.scales["ttft"],
        d.at,
        rows,
        d.theme,
        marks=d.marks,
        labels=d.labels,
        more=[*_send_lag(d.frame, d.at), *_failed_later(d.frame, d.at)],
        server=d.frame.server.ttft,
    )


def _itl(d: _Drawing, rows: int) -> list[Row]:
    name_cells = latency.table_cells(d.at.side)[0]
    title = next(text for text in ("CHUNK GAP ms", "CHUNK GAP", "GAP ms") if len(text) <= name_cells)
    return latency.latency(
        title if d.frame.itl_is_chunk_gap else "ITL ms",
        d.frame.itl,
        d.frame.itl_recent,
        d.frame.itl_run,
        d.frame.recent_s,
        d.scales["itl"],
        d.at,
        rows,
        d.theme,
        marks=d.marks,
        more=_per_chunk(d.frame, d.at),
        server=d.frame.server.itl,
    )


_PANELS: dict[str, Callable[[_Drawing, int], list[Row]]] = {
    "header": lambda d, rows: [header.header(d.frame, d.screen_state, d.width)],
    "load": lambda d, rows: [header.load(d.frame, d.screen_state, d.width)],
    "limit": lambda d, rows: [header.limit(d.frame, d.screen_state, d.width)],
    "ttft": _ttft,
    "itl": _itl,
    "rate": lambda d, rows: throughput.rate(d.frame, d.scales["rate"], d.at, rows, d.theme, d.marks),
    "tokens": lambda d, rows: throughput.tokens(d.frame, d.scales["tokens"], d.at, rows, d.theme, d.marks),
    "in_flight": lambda d, rows: throughput.in_flight(
        d.frame, d.scales["in_flight"], d.at, rows, d.theme, d.marks
    ),
    "server": lambda d, rows: server.server(d.frame, d.scales["waiting"], d.at, rows, d.theme, d.marks),
    "gpus": lambda d, rows: gpus.gpus(d.frame, d.at, rows, d.theme, d.marks),
    "axis": lambda d, rows: [time_axis.axis(d.frame, d.screen_state, d.at)],
    "machines": lambda d, rows: [machines.machines(d.frame, d.width)],
}
"""How each panel of `layout.ORDER` is drawn in its rows."""


def _detailed(frame: Frame, screen_state: ScreenState, width: int, height: int) -> list[Row]:
    above = [
        header.header(frame, screen_state, width),
        header.load(frame, screen_state, width),
        header.limit(frame, screen_state, width),
    ]
    below = [footer.bottom(screen_state, width, live=frame.live)]
    if shape_of(frame, screen_state).scrub:
        below.insert(0, time_axis.scrub(frame, screen_state, width))
    room = height - len(above) - len(below)
    said = machine_details.detail(frame, width, room, screen_state.theme)
    left = room - len(said)
    happened = time_axis.events(frame, left - 1, width, screen_state.theme, whole=True) if left > 1 else []
    rows = [*above, *said, *([[]] if left else []), *happened, *below]
    return [fitted(row, width) for row in rows]


def _failed_later(frame: Frame, at: Columns) -> list[list[Span]]:
    """Of a run that is over: how many of its first tokens are of requests that failed. They are not in the
    exact figures of a summary."""
    count = frame.ttft_run.count - frame.succeeded
    if frame.state not in ("ended", "killed") or count <= 0:
        return []
    name, cell = latency.table_cells(at.side)
    return [[("failed".ljust(name), "label"), (f"{numbers.count(count)} of run".rjust(3 * cell), "dim")]]


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
