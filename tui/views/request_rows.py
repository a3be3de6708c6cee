"""Requests as rows of a table: figures, how each ended, and a bar on a scale common to all that are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sessions import metrics
from sessions.frame.request_list import Page
from sessions.frame.schema import Frame
from sessions.timeline.requests import NONE, RequestColumns
from tui.draw import numbers
from tui.draw.rows import Row, Span, fitted
from tui.draw.text import fit, safe
from tui.draw.theme import Theme
from tui.plots.phases import phase_bar
from tui.plots.scale import ceil_125
from tui.views.view import Drawing

_LEAST_BAR = 12
_ROUND = (1, 1.5, 2, 3, 4, 5, 6, 8)
"""First digits of the time that a bar's width stands for."""


class _Shown(NamedTuple):
    """One request, as far as it is known at the playhead. Times in ns, None where there is none."""

    row: dict[str, int]
    at_ns: int
    first_ns: int
    """When load began."""
    tpot_ns: float
    known: RequestColumns

    def get(self, name: str) -> int | None:
        """An instant after the playhead is none yet."""
        value = self.row[name]
        return None if value == NONE or (name.endswith("_ns") and value > self.at_ns) else value

    @property
    def ended(self) -> bool:
        return self.row["end_ns"] <= self.at_ns

    def since_due(self, name: str) -> int | None:
        value = self.get(name)
        return None if value is None else value - self.row["due_ns"]


def clock(ns: int) -> str:
    """Session time to the hundredth: `01:23.45`."""
    return f"{numbers.clock(ns, hours=False)}.{abs(ns) // 10_000_000 % 100:02d}"


def _ms(ns: float | None) -> str:
    return numbers.ms(None if ns is None or ns != ns else ns / 1e6)


def _at_the_end(name: str) -> Callable[[_Shown], str]:
    """A figure that is known once the request has ended."""

    def text(shown: _Shown) -> str:
        value = shown.row[name]
        return numbers.count(None if value == NONE or not shown.ended else value)

    return text


def _e2e(shown: _Shown) -> int | None:
    """Of one that failed, or is in flight, for how long it was on its way."""
    if not shown.ended:
        return shown.at_ns - shown.row["due_ns"]
    last = shown.since_due("last_token_ns") if shown.row["error"] == NONE else None
    return shown.row["end_ns"] - shown.row["due_ns"] if last is None else last


def _turn(shown: _Shown) -> str:
    turn = shown.row["turn"]
    return numbers.NONE if turn == NONE else str(turn + 1)


class _Column(NamedTuple):
    head: str
    cells: int
    least_width: int
    """Of the screen."""
    text: Callable[[_Shown], str]
    order: str = ""
    """As `request_list.ORDERS` calls the order by it."""


_COLUMNS = (
    _Column("due", 9, 0, lambda shown: clock(shown.row["due_ns"] - shown.first_ns), "time"),
    _Column("TTFT", 6, 0, lambda shown: _ms(shown.since_due("first_token_ns")), "TTFT"),
    _Column("TPOT", 5, 70, lambda shown: _ms(shown.tpot_ns if shown.ended else None)),
    _Column("max gap", 7, 0, lambda shown: _ms(_gap(shown)), "longest gap"),
    _Column("E2E", 6, 0, lambda shown: _ms(_e2e(shown)), "E2E"),
    _Column("in", 5, 100, _at_the_end("input_tokens")),
    _Column("cached", 6, 110, _at_the_end("cached_tokens")),
    _Column("out", 5, 0, _at_the_end("output_tokens"), "tokens"),
    _Column("turn", 4, 140, _turn),
    _Column("worker", 6, 140, lambda shown: str(shown.row["worker"])),
    _Column("number", 7, 160, lambda shown: str(shown.row["index"])),
)


def _gap(shown: _Shown) -> int | None:
    gap_us = shown.row["longest_gap_us"]
    return None if gap_us == NONE or not shown.ended else gap_us * 1000


def table(
    page: Page, frame: Frame, drawing: Drawing, order: str, cursor: int, known: RequestColumns
) -> list[Row]:
    """The head of the table, and a row for each request of the page; `cursor` is one of them."""
    width, theme = drawing.width, drawing.theme
    columns = [column for column in _COLUMNS if width >= column.least_width]
    kinds = [len(kind) for kind in known.error_kinds if kind != "unfinished"]
    result = min(max(9, *kinds, 9), 15 if width < 100 else 20)
    tags = 14 if width >= 180 and any(known.tags) else 0
    bar = max(width - 2 - sum(column.cells + 1 for column in columns) - result - 1 - tags, 0)
    bar = bar if bar >= _LEAST_BAR else 0
    names = page.rows.dtype.names or ()
    tpot = metrics.tpot(page.rows).tolist() if len(page.rows) else []
    shown = [
        _Shown(dict(zip(names, cells, strict=True)), frame.at_ns, frame.first_ns, tpot_ns, known)
        for cells, tpot_ns in zip(page.rows.tolist(), tpot, strict=True)
    ]
    longest_ns = max((_length(one) for one in shown), default=0)
    scale = ceil_125(max(longest_ns / 1e9, 1e-3), _ROUND)
    head: Row = [("  ", "")]
    for column in columns:
        is_order = column.order == order
        head.append((column.head.rjust(column.cells) + " ", "strong" if is_order else "label"))
    head.append(("ended as".ljust(result + 1), "label"))
    head += [("tags".ljust(tags), "label")] if tags else []
    head += [*_scale(scale, bar, theme)] if bar else []
    rows = [fitted(head, width)]
    for i, one in enumerate(shown):
        here = i == cursor
        cells: Row = [(f"{theme.glyph('play')} " if here else "  ", "key")]
        text = "".join(column.text(one).rjust(column.cells)[: column.cells] + " " for column in columns)
        cells.append((text, "strong" if here else ""))
        said, role = _result(one)
        cells.append((fit(said, result) + " ", role))
        if tags:
            cells.append((fit(safe(" ".join(_tags(one)), 40), tags - 1) + " ", "dim"))
        if bar:
            cells += _bar(one, scale, bar, theme)
        rows.append(fitted(cells, width))
    return rows


def _tags(shown: _Shown) -> tuple[str, ...]:
    place = shown.row["tags"]
    return shown.known.tags[place] if 0 <= place < len(shown.known.tags) else ()


def _result(shown: _Shown) -> Span:
    place = shown.row["error"]
    if not shown.ended:
        return "in flight", "ok"
    if place == NONE:
        return "ok", "dim"
    kind = shown.known.error_kinds[place]
    return ("cut off", "warn") if kind == "unfinished" else (safe(kind, 40), "bad")


def _length(shown: _Shown) -> int:
    return min(shown.row["end_ns"], shown.at_ns) - shown.row["due_ns"]


def _bar(shown: _Shown, scale_s: float, width: int, theme: Theme) -> Row:
    end_ns = _length(shown)
    first, sent = shown.since_due("first_token_ns"), shown.since_due("sent_ns")
    ends = (
        end_ns if sent is None else sent,
        None if sent is None else end_ns if first is None else first,
        None if first is None else end_ns,
    )
    after = "" if shown.ended and shown.row["error"] == NONE else "failed" if shown.ended else "goes_on"
    return phase_bar(ends, scale_s * 1e9, width, theme, after)


def _scale(scale_s: float, width: int, theme: Theme) -> Row:
    """`0 ... 10s`, the end at the bar's last cell."""
    label = numbers.ms_label(scale_s * 1e3)
    line = theme.glyph("floor") * max(width - 1 - len(label), 0)
    return [(fit("0" + line + label, width), "axis")]
