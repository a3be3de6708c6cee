"""The points of a curve as rows, with what another session had under the same load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sessions.curve.curve import aligned
from sessions.curve.point import Point
from sessions.curve.what_if import Held
from tui.draw import numbers, words
from tui.draw.rows import Row, Span, cells_of, fitted, width_of
from tui.draw.text import fit, safe
from tui.views.curve_marks import mark_of, step_of
from tui.views.curve_plot import Plotted

_WHY_CELLS = 24
"""With less room the words of a verdict are left out."""
_FEW = 59
"""So many that all hold say that 95 % do, in 95 of 100 cases (0.95^59 < 0.05); fewer cannot."""
_Cell = Callable[[Point, "Held | None"], Span]


class _Column(NamedTuple):
    rank: int
    """The highest is the first to go where there is no room."""
    title: str
    of: _Cell
    words: bool = False
    """To be read from the left."""


def table(shown: Plotted, width: int, height: int, baseline: str) -> list[Row]:
    """The head, and as many of the points as there is room for, with the selected one among them. No column
    is wider than what stands in it, so that the words of the verdict have the rest."""
    points = shown.curve.points
    room = max(height - 1, 0)
    place = points.index(shown.selected) if shown.selected in points else len(points) - 1
    last = min(max(place + 1 + room // 2, room), len(points))
    first = max(last - room, 0)
    helds = [None] * len(points) if shown.held is None else shown.held
    listed = list(zip(points[first:last], helds[first:last], strict=True))
    columns = _columns(shown, baseline)
    cells = {column: [column.of(point, held) for point, held in listed] for column in columns}
    wide = {
        column: max(map(cells_of, [column.title, *(text for text, _ in cells[column])])) + 2
        for column in columns
    }
    while len(columns) > 2 and sum(wide[column] for column in columns) + 3 > width:
        columns.remove(max(columns, key=lambda column: column.rank))
    head = [("   ", ""), *((_set(column.title, wide[column], column), "label") for column in columns)]
    out = [fitted(head, width)]
    growing, verdicts = shown.curve.growing, dict(shown.curve.said)
    for index, (point, _) in enumerate(listed):
        mark, role = mark_of(point, growing is point, shown.theme, step_of(point, verdicts))
        left, right = "[]" if point is shown.selected else "  "
        row: Row = [(left, "strong"), (mark, role), (right, "strong")]
        for column in columns:
            text, role = cells[column][index]
            row.append((_set(text, wide[column], column), role))
        if width - width_of(row) >= _WHY_CELLS:
            row.append(("  " + _cut(_why(point, shown), width - width_of(row) - 2, shown), "dim"))
        out.append(fitted(row, width))
    return out[:height]


def about(shown: Plotted, width: int, height: int) -> list[Row]:
    """The point under the cursor in words, in one or two rows: what its figures are of, and why it is called
    what it is."""
    point = shown.selected
    if point is None:
        return [fitted([], width)] * height
    part = "steady window" if point.is_steady else "measured"
    of: list[Span] = [(f" {_load(point)} ", "strong")]
    if point.to_ns > point.from_ns:
        due = "" if point.stage.ramp else f" of {point.due:,}"
        of.append((f" {part}: {point.first_tokens:,}{due} requests ", "label"))
    why = _why(point, shown)
    if height == 1:
        return [fitted([*of, (" " + _cut(why, width - width_of(of) - 1, shown), "dim")], width)]
    return [fitted(of, width), fitted([("  " + _cut(why, width - 3, shown), "dim")], width)]


def _why(point: Point, shown: Plotted) -> str:
    why = safe(point.why, 120)
    return why.replace("±", "+-") if shown.theme.ascii_only else why


def _cut(text: str, cells: int, shown: Plotted) -> str:
    return fit(text, cells).replace("…", shown.theme.glyph("goes_on"))


def _set(text: str, cells: int, column: _Column) -> str:
    return "  " + text.ljust(cells - 2) if column.words else text.rjust(cells)


def _columns(shown: Plotted, baseline: str) -> list[_Column]:
    growing, said = shown.curve.growing, dict(shown.curve.said)
    itl = "gap p95" if any(point.itl_is_gap for point in shown.curve.points) else "ITL p95"
    whole = bool(shown.curve.points) and all(point.only_input for point in shown.curve.points)
    first = "E2E" if whole else "TTFT"
    ascii_only = shown.theme.ascii_only
    every = [
        _Column(0, "load", lambda p, h: (_load(p), "strong")),
        _Column(5, "n of due", lambda p, h: (_counted(p), "dim")),
        _Column(2, f"{first} p50", lambda p, h: _latency(p.ttft_p50, p.first_tokens < 11, "p50")),
        _Column(0, "p95", lambda p, h: _latency(p.ttft_p95.value, p.ttft_p95.thin, "p95")),
        _Column(1, itl, lambda p, h: _latency(p.itl_p95.value, p.itl_p95.thin, "p95")),
        _Column(
            3, "in tok/s" if whole else "tok/s", lambda p, h: (numbers.count(p.output_tps.value), "tokens")
        ),
    ]
    if shown.targets:
        every.append(_Column(0, "held", _held(len(shown.targets) > 1, ascii_only)))
        every.append(_Column(4, "good req/s", _goodput))
    if baseline:
        name = baseline if len(baseline) <= 8 else "base"  # the charts name it whole
        every.append(_Column(0, f"p95 vs {name}", _delta(shown.ghosts, lambda p: p.ttft_p95.value)))
        every.append(_Column(4, "tok/s vs", _delta(shown.ghosts, lambda p: p.output_tps.value)))
    words_of: _Cell = lambda p, h: _verdict(p, growing is p, step_of(p, said))  # noqa: E731
    return [*every, _Column(1, "", words_of, words=True)]


def _counted(point: Point) -> str:
    # First tokens of a piece of a ramp may be of what was due in the one before it.
    of = "" if point.stage.ramp else f" of {numbers.count(point.due)}"
    return numbers.count(point.first_tokens) + of


def _load(point: Point) -> str:
    text = f"{point.stage.load:.3g}"
    return f"{text} at once" if point.stage.closed else f"{text} rps"


def _latency(value: float | None, thin: bool, role: str) -> Span:
    if value is None:
        return numbers.NONE, "thin"
    return ("~" if thin else "") + numbers.ms(value), "thin" if thin else role


def _held(several: bool, ascii_only: bool) -> _Cell:
    def cell(point: Point, held: Held | None) -> Span:
        by_sketches = point.attained
        if held is None and by_sketches is not None and by_sketches.of == "tokens":
            return f"{by_sketches.share * 100:.1f}% tok", ""
        share = held.share if held is not None else None if by_sketches is None else by_sketches.share
        if share is None:
            return numbers.NONE, "thin"
        # From sketches it is known target by target: all of them together are held by no more.
        sign = ("<=" if ascii_only else "≤") if several and held is None and 0 < share < 1 else ""
        if _is_thin(point, held):
            return f"~{sign}{share * 100:.1f}%", "thin"
        # An upper bound may be a miss, and is never a pass.
        passed = "" if sign else "ok"
        return f"{sign}{share * 100:.1f}%", passed if share >= 0.95 else "warn" if share >= 0.8 else "bad"

    return cell


def _goodput(point: Point, held: Held | None) -> Span:
    rate = point.goodput_rps if held is None else held.goodput_rps
    thin = rate is not None and _is_thin(point, held)
    return ("~" if thin else "") + numbers.rate(rate), "thin" if thin else ""


def _is_thin(point: Point, held: Held | None) -> bool:
    return (point.first_tokens if held is None else held.of) < _FEW


def _delta(ghosts: Sequence[Point], of: Callable[[Point], float | None]) -> _Cell:
    def cell(point: Point, held: Held | None) -> Span:
        other = aligned(ghosts, point.stage.load, point.stage.closed)
        mine, theirs = of(point), None if other is None else of(other)
        if mine is None or not theirs:
            return numbers.NONE, "thin"
        return f"{(mine / theirs - 1) * 100:+.0f}%", "ghost"

    return cell


_STEPS = {"pass": ("passed", "ok"), "fail": ("failed", "bad"), "undecided": ("undecided", "dim")}


def _verdict(point: Point, growing: bool, step: str) -> Span:
    if step in _STEPS:
        return _STEPS[step]
    said = words.verdict(point.verdict)
    if growing:
        return f"on: {said}", "point_growing"
    return said, {"steady": "ok", "drifting up": "bad", "drifting down": "warn"}.get(said, "dim")
