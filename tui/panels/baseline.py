"""What another session is held against this one with: the row that names it, and changes as text."""

from __future__ import annotations

from collections.abc import Mapping

from sessions.frame.baseline import Against, Delta
from sessions.frame.schema import Stat
from tui.draw import numbers
from tui.draw.layout import Columns
from tui.draw.rows import Field, Row, Span, chosen, fitted, width_of
from tui.draw.text import safe
from tui.draw.theme import Theme
from tui.plots.ghost import GLYPHS

ROLES: Mapping[str, str] = {"worse": "warn", "equal": "dim", "better": "ok"}
_TITLES_FROM = 88
"""Cells of a chart from which on its title has its changes itself, beside its target."""
_WORDS_FROM = 100
Deltas = Mapping[str, "Delta | None"]


def in_titles(at: Columns) -> bool:
    """Titles of the charts of an overview have room for changes."""
    return at.gutter + at.plot >= _TITLES_FROM


def change(delta: Delta | None) -> Span:
    """`+12%`; of what is not known `-`."""
    if delta is None:
        return numbers.NONE, "thin"
    if delta.change >= 9.995:
        return f"x{numbers.three(1 + delta.change) if delta.change < 998 else '999+'}", ROLES[delta.sense]
    return f"{100 * delta.change:+.0f}%", ROLES[delta.sense]


def points(delta: Delta | None) -> Span:
    """`-3 pts`."""
    if delta is None:
        return numbers.NONE, "thin"
    return f"{delta.change:+.0f} pts", ROLES[delta.sense]


def baseline_row(against: Against | None, theme: Theme, width: int, *, narrow: bool) -> list[Row]:
    """One row, or none where there is no baseline: whose the ghost lines are, what they are aligned by, and
    the changes that stand beside no other figure. `narrow`: titles have no room for theirs."""
    if against is None:
        return []
    name = safe(against.name, min(max(width // 6, 14), 40))
    head: list[Span] = [(f" {GLYPHS[theme.ascii_only]} ", "ghost"), (name, "strong")]
    if not against.ready:
        return [fitted([*head, (": reading the baseline ...", "dim")], width)]
    frame = against.frame
    out: list[Field] = []
    if narrow:
        itl = "chunk_gap" if frame.itl_is_chunk_gap else "itl"
        if frame.e2e_recent is not None:
            out.append(Field(2, ("E2E ", "label"), *_three(against.latencies("e2e", frame.e2e_recent))))
        else:
            out.append(Field(2, ("TTFT ", "label"), *_three(against.latencies("ttft", frame.ttft_recent))))
            name = "GAP " if frame.itl_is_chunk_gap else "ITL "
            out.append(Field(3, (name, "label"), *_three(against.latencies(itl, frame.itl_recent))))
    out.append(Field(4, ("tok/s ", "label"), change(against.output_tps)))
    if frame.attained is not None:
        out.append(Field(5, ("in target ", "label"), points(against.attained)))
    if width >= _WORDS_FROM:
        out.append(Field(6, ("B", "key"), (" by time" if against.by == "load" else " by load", "dim")))
    whole = [Field(0, *head), Field(1, (_aligned(against, short=False), "dim")), *out]
    if sum(width_of(field.runs) + 2 for field in whole) > width + 2:
        whole[1] = Field(1, (_aligned(against, short=True), "dim"))
    return [fitted(chosen(whole, width, gap=2), width)]


def _aligned(against: Against, *, short: bool) -> str:
    """What it is aligned by, or why nothing is compared."""
    if against.by == "time":
        if against.span is None:
            return "by time: over" if short else "by time since load began: it was over by then"
        return "by time" if short else "by time since load began"
    if against.several:
        return "by load: several" if short else "by load: this run had several, B compares by time"
    load = against.load
    if load is None:
        return "by load: none on"
    said = f"{load.load:.3g} " + ("at once" if load.closed else "rps")
    point = against.point
    if point is None:
        return f"{said}: none" if short else f"by load: it never had {said}"
    if short:
        return said
    how = "steady" if point.is_steady else "a ramp" if point.stage.ramp else "not steady"
    return f"by load: {said}, {how} there"


def _three(deltas: Deltas) -> list[Span]:
    out: list[Span] = []
    for i, delta in enumerate(deltas.values()):
        text, role = change(delta)
        out.append((" " * bool(i) + text, role))
    return out


def of_stat(against: Against | None, metric: str, stat: Stat) -> Deltas | None:
    """None where there is nothing to hold it against."""
    return None if against is None or not against.ready else against.latencies(metric, stat)
