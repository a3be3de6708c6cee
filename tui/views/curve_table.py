"""The points of a curve as rows, with what another session had under the same load."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sessions.curve.curve import aligned
from sessions.curve.point import Point
from sessions.curve.what_if import Held
from tui.draw import numbers, words
from tui.draw.rows import Row, Span, fitted, width_of
from tui.draw.text import fit, safe
from tui.views.curve_plot import Plotted, mark_of

_WHY_CELLS = 24
"""With less room the words of a verdict are left out."""
_Cell = Callable[[Point, "Held | None"], Span]


def table(shown: Plotted, width: int, height: int, baseline: str) -> list[Row]:
    """The head, and as many of the points as there is room for, with the selected one among them."""
    points = shown.curve.points
    columns = _columns(shown, width, baseline)
    head: Row = [("   ", "")]
    head += [(title.rjust(cells), "label") for title, cells, _ in columns]
    out = [fitted(head, width)]
    room = max(height - 1, 0)
    place = points.index(shown.selected) if shown.selected in points else len(points) - 1
    last = min(max(place + 1 + room // 2, room), len(points))
    growing = shown.curve.growing
    for index in range(max(last - room, 0), last):
        point = points[index]
        held = None if shown.held is None else shown.held[index]
        glyph, role = mark_of(point, growing is point, shown.theme)
        pointer = shown.theme.glyph("play") if point is shown.selected else " "
        row: Row = [(pointer, "key"), (f"{glyph} ", role)]
        for _, cells, of in columns:
            text, role = of(point, held)
            row.append((text.rjust(cells), role))
        if width - width_of(row) >= _WHY_CELLS:
            why = safe(point.why, 80)
            why = why.replace("±", "+-") if shown.theme.ascii_only else why
            row.append(("  " + fit(why, width - width_of(row) - 2), "dim"))
        out.append(fitted(row, width))
    return out[:height]


def _columns(shown: Plotted, width: int, baseline: str) -> list[tuple[str, int, _Cell]]:
    growing, said = shown.curve.growing, dict(shown.curve.said)
    itl = "gap p95" if any(point.itl_is_gap for point in shown.curve.points) else "ITL p95"
    whole = bool(shown.curve.points) and all(point.only_input for point in shown.curve.points)
    first = "E2E" if whole else "TTFT"
    every: list[tuple[int, str, int, _Cell]] = [
        (0, "load", 11, lambda p, h: (_load(p), "strong")),
        (3, "n", 7, lambda p, h: (numbers.count(p.first_tokens), "dim")),
        (2, f"{first} p50", 10, lambda p, h: _latency(p.ttft_p50, p.first_tokens < 11, "p50")),
        (0, "p95", 9, lambda p, h: _latency(p.ttft_p95.value, p.ttft_p95.thin, "p95")),
        (1, itl, 9, lambda p, h: _latency(p.itl_p95.value, p.itl_p95.thin, "p95")),
        (1, "in tok/s" if whole else "tok/s", 9, lambda p, h: (numbers.count(p.output_tps.value), "tokens")),
    ]
    if shown.targets:
        every.append((0, "held", 8, _held(len(shown.targets) > 1)))
        every.append((4, "goodput", 9, _goodput))
    if baseline:
        every.append((0, f"p95 vs {baseline}"[:15], 16, _delta(shown.ghosts, lambda p: p.ttft_p95.value)))
        every.append((4, "tok/s vs", 10, _delta(shown.ghosts, lambda p: p.output_tps.value)))
    every.append((1, "", 15, lambda p, h: _verdict(p, growing is p, said.get(p.stage.stretch.begin_ns, ""))))
    kept = list(every)
    while len(kept) > 2 and sum(cells for _, _, cells, _ in kept) + 3 > width:
        kept.remove(max(kept, key=lambda column: column[0]))
    return [(title, cells, of) for _, title, cells, of in kept]


def _load(point: Point) -> str:
    text = f"{point.stage.load:.3g}"
    return f"{text} at once" if point.stage.closed else f"{text} rps"


def _latency(value: float | None, thin: bool, role: str) -> Span:
    if value is None:
        return numbers.NONE, "thin"
    return ("~" if thin else "") + numbers.ms(value), "thin" if thin else role


def _held(several: bool) -> _Cell:
    def cell(point: Point, held: Held | None) -> Span:
        share = point.attained if held is None else held.share
        if share is None:
            return numbers.NONE, "thin"
        # From sketches it is known target by target: all of them together are held by no more.
        sign = "<" if several and held is None and share else ""
        return f"{sign}{share * 100:.1f}%", "ok" if share >= 0.95 else "warn" if share >= 0.8 else "bad"

    return cell


def _goodput(point: Point, held: Held | None) -> Span:
    return numbers.rate(point.goodput_rps if held is None else held.goodput_rps), ""


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
        return (f"now {said}" if said != "settling" else "now growing"), "point_growing"
    return said, {"steady": "ok", "drifting up": "bad", "drifting down": "warn"}.get(said, "dim")
