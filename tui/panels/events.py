"""What happened, beside the charts: the weightiest of it where there is not room for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sessions.frame.schema import ChartMark, Frame
from tui.draw.rows import Field, Row, fitted
from tui.draw.theme import Theme
from tui.panels import time_axis

_FOUND_NS = 5_000_000_000
"""So long after the load began sources are still found, and said to be."""
_BINDS_SHARE = 3
"""What bound has one of so many rows where other things happened that would fill them: it comes and goes."""
_SHOWN = ("load", "mark", "state", "warning", "error", "limit", "end")
"""Where there is one row."""
_STAGE_ENDS = (("load", "step over"), ("load", "stage over"), ("state", "draining"))


@dataclass(frozen=True)
class Listed:
    rows: list[Row]
    count: Field
    """How many happened, and how many of them are listed."""


def listed(frame: Frame, height: int, width: int, theme: Theme) -> Listed:
    """`height` rows, the newest last: a row each, with all the words where there are rows to spare.
    What was noted of sources as the load began has only rows that nothing else needs."""
    found, happened = _parted(frame, height)
    kept = _weightiest(happened, height)
    said = time_axis.all_events(kept, frame, height, width, theme)
    spare = height - sum(map(len, said))
    if spare > 0 and len(kept) == len(happened):
        before = found[-spare:]
        said = [*time_axis.all_events(before, frame, spare, width, theme), *said]
        kept = [*before, *kept]
    rows = [row for lines in said for row in lines]
    every = len(found) + len(happened)
    count = f"{every:,}" if len(kept) == every else f"{len(kept)} of {every:,}"
    return Listed(_filled(rows, height, width), Field(1, (count, "dim")) if every else Field(9))


def whole(frame: Frame, height: int, width: int, theme: Theme) -> list[Row]:
    """The last `height` rows of all that happened; the newest have all their words first."""
    said = time_axis.all_events(frame.marks, frame, height, width, theme, whole=True)
    return _filled([row for lines in said for row in lines], height, width)


def _filled(rows: list[Row], height: int, width: int) -> list[Row]:
    if not rows and height:
        rows = [fitted([("  no events yet", "dim")], width)]
    return [*rows, *[fitted([], width)] * (height - len(rows))]


def _parted(frame: Frame, height: int) -> tuple[list[ChartMark], list[ChartMark]]:
    """What was noted of sources as the load began, and the rest, without what stands elsewhere on the screen:
    why there is no GPU beside the charts, that a stage is over and drains in the row of the plan. A person's
    own mark stands nowhere else, whatever its words."""
    told = "" if frame.gpus else frame.gpu_note
    marks = [mark for mark in frame.marks if mark.kind == "mark" or not told or mark.label != told]
    if frame.plan is not None:
        marks = [mark for mark in marks if not _ends_a_stage(mark)]
    if height == 1:
        marks = [mark for mark in marks if mark.kind in _SHOWN]
    begun_ns = frame.first_ns + _FOUND_NS
    is_found = [mark.kind == "note" and mark.t_ns <= begun_ns for mark in marks]
    found = [mark for mark, one in zip(marks, is_found, strict=True) if one]
    return found, [mark for mark, one in zip(marks, is_found, strict=True) if not one]


def _ends_a_stage(mark: ChartMark) -> bool:
    return (mark.kind, mark.label) in _STAGE_ENDS


def _weightiest(marks: Sequence[ChartMark], height: int) -> list[ChartMark]:
    """The newest, `height` of them at most, by time; of what bound only some."""
    others = sum(mark.kind != "limit" for mark in marks)
    binds_left = max(height - others, height // _BINDS_SHARE)
    others_left = height - min(binds_left, len(marks) - others)
    kept: list[ChartMark] = []
    for mark in reversed(marks):
        if mark.kind == "limit":
            if binds_left > 0:
                kept.append(mark)
            binds_left -= 1
        else:
            if others_left > 0:
                kept.append(mark)
            others_left -= 1
        if binds_left <= 0 and others_left <= 0:
            break
    return kept[::-1]
