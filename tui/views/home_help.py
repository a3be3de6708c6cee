"""The help of the home screen as text. Pure."""

from __future__ import annotations

from tui.draw.rows import Row, fitted

KEYS = (
    ("enter", "a session: its replay, or its live screen; a server: a form"),
    ("up down k j", "the line before, the next"),
    ("/", "only lines that have all the words typed; esc: all again"),
    ("b", "what the next session is held against, on its curve; again: not"),
    ("s", "sorted by time, by TTFT p95, by model"),
    ("u", "a form for a server that you know by its URL"),
    ("d", "the demo: a simulated server under load; risks nothing"),
    ("r", "ask every server again (new ones are found without it)"),
    ("q", "leave"),
)
WORDS = (
    ("held missed", "of a run with targets; undecided: it had too few requests"),
    ("valid", "its figures may be relied on; not valid: why, stands beside"),
    ("live", "it goes on; killed: it died before it was summed up"),
    ("unreadable", "no session of this version, or a damaged one"),
    ("TTFT p95", "of the time to first token, from due"),
    ("SIMULATED", "no real server; IMPORTED: another tool measured it"),
)


def help_rows(width: int, height: int) -> list[Row]:
    """Exactly `height` rows."""
    head: Row = [(" ttftop", "name"), ("  home", "strong"), ("   any key closes", "dim")]
    rows: list[Row] = [
        head,
        [],
        *[[(f" {key:>12}  ", "key"), (said, "")] for key, said in KEYS],
        [],
        *[[(f" {word:>12}  ", "title"), (said, "")] for word, said in WORDS],
    ]
    return [fitted(row, width) for row in (rows + [[]] * height)[:height]]
