"""View 5: what the server says of itself over time, and why the time to first token rose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from textwrap import wrap

import numpy as np

from sessions.frame.by_target import targets_now
from sessions.frame.first_token import FirstToken, first_token
from sessions.frame.schema import Frame, Series
from sessions.frame.server_series import ServerSeries, server_note, server_series
from tui.draw import numbers
from tui.draw.rows import Field, Row, chosen, fitted
from tui.draw.shares import dealt
from tui.draw.text import safe
from tui.panels import first_token as why
from tui.panels import targets, time_axis, token_gaps
from tui.panels.server import KV_FULL_PCT
from tui.panels.strip import strip
from tui.plots.bars import area
from tui.plots.chart import Grid, Line
from tui.plots.scale import PERCENT, Scale, bounds, ticks
from tui.plots.stack import Layer, stack, tinted
from tui.views.view import Drawing, Pressed

_WEIGHTS = {
    "why": 7.0,
    "requests": 2.5,
    "kv": 1.5,
    "output": 1.5,
    "preempt": 1.0,
    "prefix": 1.0,
    "input": 1.2,
}
"""Those that say most first, and with more rows."""
_MOST = {"preempt": 3, "prefix": 4, "kv": 6, "output": 6, "input": 4, "requests": 9}
_ORDER = ("why", "requests", "kv", "preempt", "prefix", "output", "input")
_NAMES = {
    "requests": "running and waiting",
    "kv": "KV cache",
    "preempt": "preemptions",
    "prefix": "prefix cache hits",
    "output": "tokens out",
    "input": "tokens in",
}


@dataclass(frozen=True)
class Server:
    def rows(self, drawing: Drawing) -> list[Row]:
        frame, width = drawing.frame, drawing.width
        told = server_series(drawing.source.timeline, frame)
        below = _targets(drawing)
        if told is None:
            return (_none(drawing)[: drawing.height - len(below)] + below)[: drawing.height]
        said = None
        if not frame.only_input:
            said = _first_token(drawing, frame)
        timeline = drawing.source.timeline
        drawn = drawing.over_time("server", lambda frame: server_series(timeline, frame), told)
        drawn = replace(drawn, input_tps_now=told.input_tps_now, output_tps_now=told.output_tps_now)
        there = [name for name in _ORDER[1:] if _is_told(name, drawn)]
        notes = _notes(drawing, said, [name for name in _ORDER[1:] if name not in there])
        notes = notes[: max(min(len(notes), (drawing.height - len(below) - 12) // 4), 0)]
        head = _head(drawing, said, told)
        room = drawing.height - len(head) - 1 - len(notes) - len(below)
        weights = {
            name: weight
            for name, weight in _WEIGHTS.items()
            if name in there or (name == "why" and said is not None)
        }
        rows = dealt(room, weights, _MOST)
        out = head
        for name in _ORDER:
            if not rows.get(name):
                continue
            if name == "why":
                if said is not None:
                    layers, theme = _over_time(drawing, said).layers, drawing.theme
                    at, marks = drawing.at, drawing.marks
                    out += why.chart(said, layers, at, rows[name], theme, marks, drawing.seen)
            else:
                out += _STRIPS[name](drawing, drawn, rows[name])
        out.append(time_axis.axis(frame, drawing.screen_state, drawing.at))
        out += [fitted([("  ", ""), (text, "dim")], width) for text in notes]
        out += below
        return out[: drawing.height]

    def pressed(self, action: str, drawing: Drawing) -> Pressed:
        return Pressed(self)


def _first_token(drawing: Drawing, frame: Frame) -> FirstToken | None:
    return first_token(drawing.source.timeline, frame, lambda: drawing.source.requests)


def _over_time(drawing: Drawing, said: FirstToken) -> FirstToken:
    """Anew while requests are still being read."""
    name = f"first token {said.read_share}"
    return drawing.over_time(name, lambda frame: _first_token(drawing, frame), said)


def _targets(drawing: Drawing) -> list[Row]:
    """Of several, a table that takes a third of the view at the most."""
    now = targets_now(drawing.source.timeline, drawing.source.manifest, drawing.frame)
    return targets.table(now, drawing.frame, drawing.width, drawing.height // 3, drawing.theme)


def _head(drawing: Drawing, said: FirstToken | None, told: ServerSeries) -> list[Row]:
    """Why the latency is what it is whose target is missed; where none is, that of the first token."""
    frame, width = drawing.frame, drawing.width
    if name := token_gaps.explained(frame):
        return [token_gaps.sentence(name, told, frame, width)]
    if said is not None:
        return [why.sentence(said, frame, width, drawing.theme)]
    text = "answers have no tokens: no time to the first" if frame.only_input else "no first token yet"
    return [fitted([(" WHY TTFT ", "title"), (text, "dim")], width)]


def _notes(drawing: Drawing, said: FirstToken | None, missing: list[str]) -> list[str]:
    """What must be known of these figures, the weightiest first."""
    notes = []
    if said is not None and said.read_share < why.READ:
        notes.append(f"our requests are still being read: {said.read_share:.0%}")
    if said is not None and said.others:
        notes.append("the server counts more requests than ours: its figures are of others, too")
    if said is not None and said.untold:
        notes.append(said.untold)
    if missing:
        notes.append(f"not told by this server: {', '.join(_NAMES[name] for name in missing)}")
    return notes


def _is_told(name: str, told: ServerSeries) -> bool:
    return any(bool(np.isfinite(values).any()) for values in _SERIES[name](told))


_SERIES: dict[str, Callable[[ServerSeries], tuple[Series, ...]]] = {
    "requests": lambda told: (told.running, told.waiting),
    "kv": lambda told: (told.kv_pct,),
    "preempt": lambda told: (told.preemptions_per_s,),
    "prefix": lambda told: (told.prefix_hit_pct,),
    "output": lambda told: (told.output_tps,),
    "input": lambda told: (told.input_tps,),
}


def _requests(drawing: Drawing, told: ServerSeries, height: int) -> list[Row]:
    """Running, and what waits on top of it."""
    server, theme = drawing.frame.server, drawing.theme
    running = np.where(np.isfinite(told.waiting), np.nan_to_num(told.running), told.running)
    waiting = np.where(np.isfinite(told.running), np.nan_to_num(told.waiting), told.waiting)
    _, high, _ = bounds([running + waiting], False, 5.0)
    layers = [Layer(running, "in_flight_fill"), Layer(waiting, "ttft_queue", "▓", "=")]
    scale = Scale(0.0, high)
    textured = theme.colours == "none"
    grid = stack(
        layers,
        scale,
        drawing.at.plot,
        height,
        marks=drawing.marks,
        ascii_only=theme.ascii_only,
        textured=textured,
    )
    first, second = ("#", "=") if theme.ascii_only else ("█", "▓" if textured else "█")
    fields = [
        Field(0, ("REQUESTS" if drawing.at.side >= 36 else "REQ", "title")),
        Field(0, (f"{first} ", "in_flight_fill"), ("run ", "label"), (numbers.whole(server.running), "")),
        Field(
            0,
            (f"{second} ", "ttft_queue"),
            ("wait ", "label"),
            (numbers.whole(server.waiting), "warn" if server.waiting else "dim"),
        ),
    ]
    return strip(
        drawing.seen(grid).rows(),
        ticks(scale, height, numbers.label),
        [chosen(fields, drawing.at.side - 1)],
        drawing.at,
        theme,
    )


def _kv(drawing: Drawing, told: ServerSeries, height: int) -> list[Row]:
    kv = drawing.frame.server.kv_pct
    full = kv is not None and kv >= KV_FULL_PCT
    said = [
        Field(0, ("KV CACHE ", "title"), (numbers.whole(kv, "%"), "bad" if full else "server")),
        Field(1, ("full" if full else "", "bad")),
    ]
    grid = area(
        told.kv_pct,
        PERCENT,
        drawing.at.plot,
        height,
        "server_fill",
        marks=drawing.marks,
        ascii_only=drawing.theme.ascii_only,
    )
    # Only the top: it comes and goes from column to column while answers end and begin.
    grid = tinted(grid, told.kv_pct >= KV_FULL_PCT, "bad", rows=1)
    return _strip(drawing, grid, PERCENT, height, said)


def _preempt(drawing: Drawing, told: ServerSeries, height: int) -> list[Row]:
    now = drawing.frame.server.preemptions_per_s
    said = [Field(0, ("PREEMPTIONS ", "title"), (numbers.rate(now, "/s"), "bad" if now else "dim"))]
    return _filled(drawing, told.preemptions_per_s, height, "ttft_lag", said, 1.0)


def _prefix(drawing: Drawing, told: ServerSeries, height: int) -> list[Row]:
    now = drawing.frame.server.prefix_hit_pct
    said = [Field(0, ("PREFIX HITS ", "title"), (numbers.whole(now, "%"), ""))]
    grid = area(
        told.prefix_hit_pct,
        PERCENT,
        drawing.at.plot,
        height,
        "gpu_fill",
        marks=drawing.marks,
        ascii_only=drawing.theme.ascii_only,
    )
    return _strip(drawing, grid, PERCENT, height, said)


def _tokens(out: bool) -> Callable[[Drawing, ServerSeries, int], list[Row]]:
    """The server's count as an area; ours as a line, where it runs above."""

    def rows(drawing: Drawing, told: ServerSeries, height: int) -> list[Row]:
        frame, theme = drawing.frame, drawing.theme
        theirs = told.output_tps if out else told.input_tps
        shown = frame if drawing.later is None else drawing.later
        ours = shown.output_tokens if out else shown.input_tokens
        now = told.output_tps_now if out else told.input_tps_now
        mine = frame.output_tps if out else frame.input_tps
        wide = drawing.at.side >= 36
        way = "OUT" if out else "IN"
        said = [
            Field(0, (f"TOKENS/S {way}" if wide else f"TOK/S {way} {numbers.count(now)}", "title")),
            Field(0, ("server ", "label"), (numbers.count(now), "tokens")) if wide else Field(9),
            Field(1, ("ours ", "label"), (numbers.count(mine), "offered")),
        ]
        _, high, _ = bounds([theirs, ours], False, 10.0)
        scale = Scale(0.0, high)
        line = Line(ours, "offered", "o")
        grid = area(
            theirs,
            scale,
            drawing.at.plot,
            height,
            "tokens_fill",
            marks=drawing.marks,
            line=line if height > 1 else None,
            ascii_only=theme.ascii_only,
        )
        return _strip(drawing, grid, scale, height, said)

    return rows


def _filled(
    drawing: Drawing, values: Series, height: int, role: str, said: list[Field], least: float
) -> list[Row]:
    _, high, _ = bounds([values], False, least)
    scale = Scale(0.0, high)
    grid = area(
        values,
        scale,
        drawing.at.plot,
        height,
        role,
        marks=drawing.marks,
        ascii_only=drawing.theme.ascii_only,
    )
    return _strip(drawing, tinted(grid, values == 0, "grid"), scale, height, said)


def _strip(drawing: Drawing, plot: Grid, scale: Scale, height: int, said: list[Field]) -> list[Row]:
    labels = ticks(scale, height, numbers.label) if height > 1 else {}
    side = [chosen(said, drawing.at.side - 1)]
    return strip(drawing.seen(plot).rows(), labels, side, drawing.at, drawing.theme)


_STRIPS: dict[str, Callable[[Drawing, ServerSeries, int], list[Row]]] = {
    "requests": _requests,
    "kv": _kv,
    "preempt": _preempt,
    "prefix": _prefix,
    "output": _tokens(True),
    "input": _tokens(False),
}


def _none(drawing: Drawing) -> list[Row]:
    frame = drawing.frame
    why_not = server_note(drawing.source.timeline, drawing.source.manifest, frame.at_ns)
    text = safe(why_not, 300) or "the server has said nothing of itself yet"
    lines = wrap(text, max(drawing.width - 3, 1), break_on_hyphens=False)
    rows: list[Row] = [[(" SERVER ", "title"), ("no figures of its own", "dim")]]
    rows += [*([(f"  {line}", "")] for line in lines), []]
    rows += [
        [("  ", ""), (words, "dim"), (option, "key")]
        for words, option in (
            ("vLLM, TGI: ", "/metrics is on by itself"),
            ("SGLang:    ", "--enable-metrics"),
            ("llama.cpp: ", "--metrics"),
            ("elsewhere: ", "ttftop run ... --telemetry auto http://host:8000/metrics"),
        )
    ]
    return [fitted(row, drawing.width) for row in rows][: drawing.height]
