"""The axis all strips share, the list of what happened, and the bar that shows where in the run we are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from textwrap import wrap

from rich.cells import cell_len

from sessions.frame.schema import ChartMark, Frame
from tui.controls.screen_state import ScreenState
from tui.controls.time_window import drawn_label
from tui.draw import numbers, words
from tui.draw.layout import Columns
from tui.draw.rows import Row, Span, fitted, width_of
from tui.draw.text import fit, safe
from tui.draw.theme import Theme
from tui.panels import region
from tui.panels.strip import column_of

_INTERVALS_S = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_LABEL_CELLS = 12
_NARROW = 50
"""In fewer cells an event's words begin nearer, and kinds that they tell themselves are not named."""
_TOLD_BY_WORDS = ("load", "state", "note", "end")
_LABELLED = ("error", "mark", "load", "warning")
"""Kinds that have words beside their line, the weightiest first."""
_WORDS = {"limit": "binds", "warning": "WARNING", "error": "ERROR"}


def axis(frame: Frame, screen_state: ScreenState, at: Columns) -> Row:
    """`ticked` with its corner, and what the charts span, at the side."""
    corner: Span = (screen_state.theme.glyph("corner").rjust(at.gutter), "axis")
    return [
        corner,
        *ticked(frame, screen_state, at.plot),
        *fitted([(" " + span(frame, screen_state), "dim")], at.side),
    ]


def span(frame: Frame, screen_state: ScreenState) -> str:
    """What the charts span, and how they are drawn."""
    hz = f"  {screen_state.ui_hz:g} fps" if screen_state.ui_hz < 10 else ""
    drawn = drawn_label(screen_state.window_s, frame.slots * frame.slot_ns)
    return f"window {drawn}  {'log' if screen_state.log else 'linear'}{hz}"


def ticked(frame: Frame, screen_state: ScreenState, width: int) -> Row:
    """Time since the load began, at whole multiples, so that a label moves with the data. Heavy where it is
    that of the window that is measured, and with the ends of a region."""
    theme = screen_state.theme
    cells = [theme.glyph("floor")] * width
    measured = _measured(frame, width)
    cells[measured] = [theme.glyph("measured")] * len(cells[measured])
    interval_s = next(
        (s for s in _INTERVALS_S if s * 1_000_000_000 >= _LABEL_CELLS * frame.slot_ns), _INTERVALS_S[-1]
    )
    interval_ns = interval_s * 1_000_000_000
    start_ns = frame.start_ns + (frame.slots - width) * frame.slot_ns - frame.first_ns
    t_ns = max(-(-start_ns // interval_ns), 0) * interval_ns
    labels: list[slice] = []
    while frame.slot_ns > 0 and (column := (t_ns - start_ns) // frame.slot_ns) < width:
        text = theme.glyph("axis_tick") + numbers.clock(t_ns, hours=False)
        if column + len(text) <= width:
            labels.append(slice(column, column + len(text)))
            cells[labels[-1]] = list(text)
        t_ns += interval_ns
    roles = ["axis"] * width
    if frame.window is not None:
        roles[measured] = [_WINDOW_ROLES.get(frame.window.verdict, "axis")] * len(roles[measured])
    for label in labels:  # in one colour each, wherever the window begins
        roles[label] = ["axis"] * len(roles[label])
    region.bracket(cells, roles, frame, screen_state)
    runs = groupby(zip(cells, roles, strict=True), key=lambda cell: cell[1])
    return [("".join(text for text, _ in run), role) for role, run in runs]


_WINDOW_ROLES = {"steady": "ok", "drifting_up": "warn", "drifting_down": "warn"}


def _measured(frame: Frame, width: int) -> slice:
    """The columns whose whole time is that of the window that is measured."""
    if frame.window is None or frame.slot_ns <= 0:
        return slice(0, 0)
    start_ns = frame.start_ns + (frame.slots - width) * frame.slot_ns
    first = -(-(frame.window.from_ns - start_ns) // frame.slot_ns)
    last = (frame.window.to_ns - start_ns) // frame.slot_ns
    begin = min(max(first, 0), width)
    return slice(begin, max(min(last, width), begin))


def mark_labels(frame: Frame, width: int, theme: Theme) -> dict[int, tuple[tuple[str, ...], str]]:
    """What stands beside the vertical lines, by column, longest form first; the weightiest first.

    Of several at one place there is the weightiest, and of equals the newest: the words of a warning never
    take the place of a change of load, and are an event below in any case.
    """
    out: dict[int, tuple[tuple[str, ...], str]] = {}
    labelled = [mark for mark in frame.marks if mark.label and mark.kind in _LABELLED]
    for mark in sorted(labelled, key=lambda mark: _LABELLED.index(mark.kind)):
        column = column_of(mark, frame, width)
        if column is not None and (out.get(column + 1, ("", ""))[1] in ("", f"mark_{mark.kind}")):
            label = _label(mark, theme, 32)
            short = words.load_after(label) if mark.kind == "load" else label
            out[column + 1] = ((label, short, short.split(" ", 1)[0]), f"mark_{mark.kind}")
    return {column: text for column, text in out.items() if column < width}


def all_events(
    marks: Sequence[ChartMark], frame: Frame, height: int, width: int, theme: Theme, *, whole: bool = False
) -> list[list[Row]]:
    """The rows of each of the last marks, `height` of them at most: a row each, with all the words
    where there are rows to spare; with `whole` the newest have theirs first, older ones what is left."""
    out: list[list[Row]] = []
    left, spare = height, height if whole else max(height - len(marks), 0)
    for mark in reversed(marks):
        if not left:
            break
        said = event(mark, frame, width, theme, whole=True) if spare else []
        # Where there is no room for all its words, their beginning tells more than their end.
        if not said or len(said) - 1 > spare or len(said) > left:
            said = event(mark, frame, width, theme)
        left -= len(said)
        spare -= len(said) - 1
        out.append(said)
    return out[::-1]


def event(mark: ChartMark, frame: Frame, width: int, theme: Theme, *, whole: bool = False) -> list[Row]:
    """When, what kind and what; one row, or with `whole` as many as its words take."""
    when = numbers.clock(mark.t_ns - frame.first_ns, hours=False)
    word = _WORDS.get(mark.kind, mark.kind)
    label = _label(mark, theme, 300) or "-"
    role = "" if mark.kind != "error" else "bad"
    glyph, of_kind = theme.glyph("mark"), f"mark_{mark.kind}"
    first: Row = [(f" {when:>7} ", "dim"), (f"{glyph} {word:<7} ", of_kind)]
    if width < _NARROW:
        named = "" if mark.kind in _TOLD_BY_WORDS else f"{word} "
        first = [(f" {when:>5} ", "dim"), (f"{glyph} {named}", of_kind)]
    before = width_of(first)
    room = width - before
    characters = max(room if cell_len(label) == len(label) else room // 2, 1)  # one may take two cells
    lines = (_wrapped(label, characters) if whole else ()) or (label,)
    out = [[*first, (fit(lines[0], room), role)]]
    out += [[(" " * before, ""), (line, role)] for line in lines[1:]]
    return [fitted(row, width) for row in out]


@lru_cache(512)
def _wrapped(label: str, characters: int) -> tuple[str, ...]:
    """The same events are drawn in every frame."""
    return tuple(wrap(label, characters))


def _label(mark: ChartMark, theme: Theme, limit: int) -> str:
    label = safe(mark.label, limit)
    if mark.kind == "load":
        return words.load_change(label, ascii_only=theme.ascii_only)
    return words.limit_event(label) if mark.kind == "limit" else label


def scrub(frame: Frame, screen_state: ScreenState, width: int) -> Row:
    """The whole run as a bar: played part, head, marks."""
    theme = screen_state.theme
    whole_ns = max(screen_state.end_ns(frame.last_ns) - frame.first_ns, 1)
    goes_on = "" if screen_state.settled_ns is None else "+"
    begin, end = "00:00 ", f" {numbers.clock(whole_ns, hours=False)}{goes_on}"
    room = max(width - len(begin) - len(end) - 2, 1)

    def place(t_ns: int) -> int:
        return min(max((t_ns - frame.first_ns) * room // whole_ns, 0), room - 1)

    head = place(frame.at_ns)
    cells: list[Span] = [
        (theme.glyph("done" if i < head else "rest"), "p50" if i < head else "axis") for i in range(room)
    ]
    for mark in frame.marks:
        if mark.kind in ("load", "mark", "error", "warning"):
            cells[place(mark.t_ns)] = (theme.glyph("mark"), f"mark_{mark.kind}")
    cells[head] = (theme.glyph("head"), "strong")
    row: Row = [(" " + begin, "dim")]
    for text, role in cells:
        if row[-1][1] == role:
            row[-1] = (row[-1][0] + text, role)
        else:
            row.append((text, role))
    return fitted([*row, (end, "dim")], width)
