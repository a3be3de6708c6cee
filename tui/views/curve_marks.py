"""The symbols of a curve: one for each kind of point, the same in plot, table and legend."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from sessions.curve.curve import Curve
from sessions.curve.point import RAMP, Point
from tui.draw.rows import Field, Row, chosen, fitted
from tui.draw.text import safe
from tui.draw.theme import Theme

_STEADY = ("●", "*"), "point", "steady"
_PILES_UP = ("◢", "/"), "point_late", "drifting up"
_HOLLOW = ("○", "o"), "point_thin", "too short, not steady"
_RAMP = ("+", "+"), "point_thin", "ramp"
_NOW = ("◆", "@"), "point_growing", "on now"
_STEPS = {
    "pass": (("✓", "P"), "ok", "step passed"),
    "fail": (("✗", "F"), "bad", "failed"),
    "undecided": (("?", "?"), "point_thin", "undecided"),
}
"""Of a step of a search that is over, by its verdict: its own requests gave that, however short it was.

None is one of events (▲) or of what stopped (■), and ✗ says here too that a target was missed; another
session has `ghost`.
"""
NEXT = 2.05
"""So many times a load the next one may be, as of a sweep that doubles, for a line to join them undashed."""
_Kind = tuple[tuple[str, str], str, str]


def is_hollow(point: Point) -> bool:
    """It says little: not steady, and not piling up either."""
    return point.verdict not in ("steady", "drifting_up", "drifting_down")


def mark_of(point: Point, growing: bool, theme: Theme, step: str = "") -> tuple[str, str]:
    """Glyph and role of a point; `step`: the verdict on it as a step of a search that is over, else empty."""
    glyphs, role, _ = _kind(point, growing, step)
    return glyph(theme, glyphs), role


def glyph(theme: Theme, of: tuple[str, str]) -> str:
    return of[theme.ascii_only]


def legend(curve: Curve, baseline: str, theme: Theme, width: int) -> Row:
    """The symbols that its points have, and what each says. `baseline`: the name of another session that is
    shown; empty where there is none."""
    points, growing, verdicts = curve.points, curve.growing, dict(curve.said)
    there = {_kind(point, growing is point, step_of(point, verdicts)) for point in points}
    fields = [
        Field(rank, (" " + glyph(theme, glyphs), role), (f" {words} ", "dim"))
        for rank, (glyphs, role, words) in enumerate(
            (_PILES_UP, _STEADY, *_STEPS.values(), _HOLLOW, _RAMP, _NOW)
        )
        if (glyphs, role, words) in there
    ]
    if baseline:
        fields.append(Field(0, (" " + theme.glyph("ghost"), "ghost"), (f" {safe(baseline, 20)} ", "dim")))
    if len(points) > 1:
        fields.append(Field(6, (" [ ]", "strong"), (" the row below ", "dim")))
    steady = sorted({point.stage.load for point in points if point.is_steady})
    if any(b > NEXT * a for a, b in pairwise(steady)):
        fields.append(Field(7, (" dashed:", "curve"), (" nothing was measured between ", "dim")))
    return fitted(chosen(fields, width), width)


def step_of(point: Point, verdicts: Mapping[int, str]) -> str:
    """Its verdict as a step of a search, by when steps began; empty where it is none, or not judged yet."""
    return verdicts.get(point.stage.stretch.begin_ns, "")


def _kind(point: Point, growing: bool, step: str) -> _Kind:
    if step in _STEPS:
        return _STEPS[step]
    if growing:
        return _NOW
    if point.verdict == RAMP:
        return _RAMP
    if point.verdict == "drifting_up":
        return _PILES_UP
    return _HOLLOW if is_hollow(point) else _STEADY
