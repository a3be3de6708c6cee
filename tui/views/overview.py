"""The whole screen as rows, from a frame: a pure function, so that the same instant always looks the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from sessions.frame.baseline import Against
from sessions.frame.schema import Frame
from tui.controls.screen_state import ScreenState
from tui.draw import layout
from tui.draw.layout import CHARTS, Shape
from tui.draw.rows import Field, Row, fitted
from tui.panels import events, footer, gpus, header, machines, server, time_axis
from tui.panels.box import Panel, stacked
from tui.panels.gpu_groups import are_told_apart, groups
from tui.plots.scale import Scale, Series
from tui.plots.scale import fitted as fitted_scale
from tui.views import machine_details
from tui.views.overview_charts import CHART_OF, Charted
from tui.views.overview_plain import plain_body

Scales = Mapping[str, Scale]
NOUGHT_MS = 0.002
"""Gaps up to this are none: the chunks came in one read. Sketches put all of up to 1 us into one bucket."""
Beside = Callable[[int, int], Sequence[Panel]]
"""A small form of another view, for the place that a large terminal has below the GPUs: in so many cells, and
in so many rows with the titles. None at all where there is nothing to show yet."""


def too_small(frame: Frame, screen_state: ScreenState, width: int, height: int) -> list[Row]:
    """That it is, and how the run stands all the same."""
    text = f"{width}x{height} is too small: ttftop needs {layout.LEAST_WIDTH}x{layout.LEAST_HEIGHT}"
    said = [fitted([(text, "")], width), fitted(header.header(frame, screen_state, width), width)]
    return [*said, *([fitted([], width)] * (height - 2))][:height]


def scales_for(
    frame: Frame,
    screen_state: ScreenState,
    previous: Scales,
    *,
    later: Frame | None = None,
    ghosts: Mapping[str, Series | None] = MappingProxyType({}),
) -> dict[str, Scale]:
    """The scale of every chart, grown from the ones drawn last; with `later`, that of the end of the run. The
    lines of a baseline, `ghosts` by chart, are on it as well."""
    at_ns, log = frame.at_ns, screen_state.log
    frame = frame if later is None else later

    itl = ("itl", "chunk_gap" if frame.itl_is_chunk_gap else "itl", "tpot")
    first, of_first = (frame.ttft, ("ttft",)) if frame.e2e is None else (frame.e2e, ("e2e",))
    least_ms = 1000.0 if log else 1.0
    # The percentiles, and the targets where there are some: they are to be seen in any case.
    wanted: dict[str, tuple[tuple[Series, ...], bool, float, Sequence[str]]] = {
        "ttft": ((first.p50, first.p95, first.p99), log, least_ms, of_first),
        "itl": ((frame.itl.p50, frame.itl.p95, frame.itl.p99), log, least_ms / 10 if log else 1.0, itl),
        "rate": ((frame.offered, frame.achieved), False, 1.0, ()),
        "tokens": ((frame.input_tokens if frame.only_input else frame.output_tokens,), False, 10.0, ()),
        "in_flight": ((frame.in_flight_series,), False, 5.0, ()),
        "waiting": (
            () if frame.server.waiting_series is None else (frame.server.waiting_series,),
            False,
            5.0,
            (),
        ),
    }
    return {
        name: fitted_scale(
            previous.get(name),
            (*series, *(ghost for ghost in (ghosts.get(name),) if ghost is not None)),
            at_ns,
            log=is_log,
            least_high=least,
            nought=NOUGHT_MS,
            kept=[target.limit_ms for metric in targets for target in frame.targets.get(metric, ())],
        )
        for name, (series, is_log, least, targets) in wanted.items()
    }


def shape_of(frame: Frame, screen_state: ScreenState, later: Frame | None = None) -> Shape:
    """Of a replay that of its end, so that nothing moves on the way there."""
    scrub = not (frame.live and screen_state.playhead.following)
    frame = frame if later is None else later
    found = groups(frame.gpus)
    return Shape(
        gpus=len(frame.gpus),
        gpu_groups=tuple(len(group.gpus) for group in found) if are_told_apart(found) else (),
        gpu_note=len(frame.gpu_note),
        server=server.server_strips(frame.server),
        machines=machines.says_anything(frame),
        scrub=scrub,
    )


def compose(
    frame: Frame,
    screen_state: ScreenState,
    scales: Scales,
    width: int,
    height: int,
    *,
    later: Frame | None = None,
    beside: Beside | None = None,
    against: Against | None = None,
) -> list[Row]:
    """Exactly `height` rows of exactly `width` cells.

    `later` is, in a replay, the frame of the end on the same columns: what lies after the playhead, dimmed.
    """
    if width < layout.LEAST_WIDTH or height < layout.LEAST_HEIGHT:
        return too_small(frame, screen_state, width, height)
    if screen_state.details:
        return _detailed(frame, screen_state, width, height)
    drawing = Charted(frame, screen_state, scales, layout.overview_columns(width), width, later, against)
    head = [
        header.header(frame, screen_state, width),
        header.load(frame, screen_state, width, charts=True),
        header.limit(frame, screen_state, width),
    ]
    foot = [footer.bottom(screen_state, width, live=frame.live)]
    if shape_of(frame, screen_state).scrub:
        foot.insert(0, time_axis.scrub(frame, screen_state, width))
    room = height - len(head) - len(foot)
    body = (
        _framed(drawing, room, beside)
        if drawing.at.side
        else plain_body(drawing, shape_of(frame, screen_state, later), height, room)
    )
    return [fitted(row, width) for row in (*head, *body, *foot)]


# -- with frames, in two columns


def _framed(d: Charted, height: int, beside: Beside | None) -> list[Row]:
    at, theme = d.at, d.theme
    rows = layout.chart_rows(height)
    charts = [CHART_OF[name](d, rows[name], at.gutter - 1) for name in CHARTS if rows[name]]
    floor: Row = [
        (theme.glyph("floor") * (at.gutter - 1), "axis"),
        *time_axis.ticked(d.frame, d.screen_state, at.plot),
    ]
    left = stacked(charts, at.gutter + at.plot + 1, floor, theme)
    wide = at.side - 1
    span = time_axis.span(d.frame, d.screen_state)
    said: Row = [(f"{theme.glyph('floor')} ", "frame"), (span, "dim"), (" ", "")]
    fill = theme.glyph("floor") * max(wide - 2 - sum(len(text) for text, _ in said), 0)
    right = stacked(_beside(d, height, wide - 2, beside), wide, [*said, (fill, "frame")], theme)
    return [[*one, *other] for one, other in zip(left, right, strict=True)]


def _beside(d: Charted, height: int, inner: int, beside: Beside | None) -> list[Panel]:
    frame, theme = d.frame, d.theme
    rows = layout.beside_rows(height, shape_of(frame, d.screen_state, d.later), gpus.across(inner))
    out = []
    if rows["server"]:
        panel = server.server(frame, d.scales["waiting"], d.upto, inner, rows["server"], theme)
        out.append(Panel(panel.title, _padded(panel.rows, rows["server"]), panel.aside))
    if rows["gpus"]:
        panel = gpus.gpus(frame, inner, rows["gpus"], theme)
        out.append(Panel(panel.title, _padded(panel.rows, rows["gpus"]), panel.aside))
    if rows["machines"]:
        out.append(Panel([Field(0, ("HOST", "title")), *machines.host(frame)]))
    more, height_left = rows["more"], rows["events"]
    panels = beside(inner, more + 1) if more and beside is not None else ()
    out += panels
    if more and not panels:
        height_left += more + 1
    happened = events.listed(frame, height_left, inner, theme)
    return [*out, Panel([Field(0, ("EVENTS", "title")), happened.count], happened.rows)]


def _padded(rows: Sequence[Row], height: int) -> list[Row]:
    return [*rows, *([[]] * (height - len(rows)))][:height]


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
    happened = events.whole(frame, left - 1, width, screen_state.theme) if left > 1 else []
    rows = [*above, *said, *([[]] if left else []), *happened, *below]
    return [fitted(row, width) for row in rows]
