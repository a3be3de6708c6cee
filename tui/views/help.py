"""The help: every key, and how to read the screen, in as many columns as the terminal has room for."""

from __future__ import annotations

from tui.controls.keys import HELP_ROWS
from tui.draw.rows import Row, Span, fitted
from tui.draw.theme import Theme

_READING: tuple[tuple[str, str], ...] = (
    ("TTFT", "time to first token, counted from when the request was due"),
    ("ITL", "time between tokens of a stream (CHUNK GAP: chunks of several)"),
    ("p50 p95 p99", "lines, lowest first; ~, grey: too few samples; <250: 250 at most"),
    ("REQ/S", "offered and sent: where they part, something held back"),
    ("means of 3s", "the figures behind the limit are means of the last 3 s"),
    ("stale", "kept-alive connections found closed: sent again, not an error"),
    ("SATURATED", "CLIENT SATURATED: the figures are this client's own limit"),
)


def help_rows(width: int, height: int, theme: Theme) -> list[Row]:
    entries: list[list[Span]] = []
    for row in HELP_ROWS:
        if row.action == "help":  # in the first row of all
            continue
        shown = row.shown
        if theme.ascii_only:
            for arrow, word in (("↑", "up"), ("↓", "down"), ("←", "left"), ("→", "right")):
                shown = shown.replace(arrow, word)
        where = "" if row.where == "both" else f" ({row.where})"
        entries.append([(f" {shown:>13}  ", "key"), (row.help, ""), (where, "dim")])
    entries += [[(f" {name:>13}  ", "title"), (words, "")] for name, words in _READING]
    head: list[Row] = [
        fitted(
            [(" ttftop", "name"), ("  keys", "strong"), ("   ? this help, any key goes back", "dim")], width
        )
    ]
    room = max(height - 1, 1)
    across = max(min(-(-len(entries) // room), width // 60), 1)
    deep = -(-len(entries) // across)
    cell = width // across
    body: list[Row] = []
    for i in range(min(deep, room)):
        body.append(
            fitted([run for j in range(across) for run in fitted(_at(entries, i + j * deep), cell)], width)
        )
    return (head + body + [fitted([], width)] * height)[:height]


def _at(entries: list[list[Span]], index: int) -> list[Span]:
    return entries[index] if index < len(entries) else []
