"""`ttftop sessions`: what was recorded, newest first."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tui.commands.replay import listed
from tui.foreground import start
from tui.foreground.results import print_json
from tui.options import run_options
from tui.options.exit_codes import OK, one_line
from tui.options.parser import Parser
from tui.report.figures import aligned, cells, milliseconds, number

HEAD = ("session", "state", "target", "model", "s", "requests", "TTFT p50 ms", "valid")


def parser() -> Parser:
    parser = Parser("ttftop sessions", "[options]", "List the recorded sessions, newest first.")
    run_options.sessions_dir(parser)
    parser.add_argument("--json", action="store_true", help="one JSON list, all that each session says")
    return parser


class Unreadable(msgspec.Struct, frozen=True):
    """A directory that is no session of ours, or a damaged one."""

    id: str
    directory: str
    state: str
    problem: str


class Listed(msgspec.Struct, frozen=True):
    """What a session says of itself without reading its measurements. None is what it does not say."""

    id: str
    directory: str
    name: str
    started_at: str
    state: str
    """`live`, `ended` or `killed`."""
    end: str | None
    target: str
    model: str
    simulated: bool
    duration_s: float | None
    requests: int | None
    """That were sent."""
    failed: int | None
    ttft_p50_ms: float | None
    valid: bool | None
    notes: list[str]
    imported: bool = False
    """Another tool measured it."""


def run(options: argparse.Namespace) -> int:
    rows = [describe(directory) for directory in listed("sessions", start.root(options))]
    if options.json:
        print_json(msgspec.to_builtins(rows))
    elif rows:
        print(rows_of(rows, shutil.get_terminal_size().columns if sys.stdout.isatty() else None))
    else:
        print(f"no sessions in {one_line(start.root(options))} yet; ttftop demo makes one")
    return OK


def rows_of(rows: Sequence[Listed | Unreadable], width: int | None = None) -> str:
    """The list as text, and below it what is to be known of some.

    `width`: of the terminal, beyond which no line goes; None: nobody's.
    """
    table = [[*HEAD], *map(_cells, rows)]
    lines = (aligned(table, left=4) if width is None else _fitted(table, width)).splitlines()
    for row in rows:
        for note in row.notes if isinstance(row, Listed) else [row.problem]:
            said = f"{one_line(row.id)}: {one_line(note)}"
            lines += [said] if width is None else textwrap.wrap(said, width, subsequent_indent="  ")
    return "\n".join(lines)


def _fitted(table: list[list[str]], width: int) -> str:
    """What names a session stays whole; where it cannot even without model and target, lines are cut."""
    for name in ("model", "target"):
        column = table[0].index(name)
        over = max(map(cells, aligned(table, left=4).splitlines())) - width
        if over > 0:
            kept = max(max(cells(row[column]) for row in table) - over, len(name))
            table = [[*row[:column], _cut(row[column], kept), *row[column + 1 :]] for row in table]
    for name in ("model", "target"):
        column = table[0].index(name)
        if max(map(cells, aligned(table, left=4).splitlines())) > width:
            table = [row[:column] + row[column + 1 :] for row in table]
    left = table[0].index("s")
    return "\n".join(_cut(line, width) for line in aligned(table, left=left).splitlines())


def _cut(text: str, width: int) -> str:
    """At most so many cells of it. `tui.draw.text.fit` does so too, by Rich, which takes long to import."""
    if cells(text) <= width:
        return text
    while text and cells(text) > width - 1:
        text = text[:-1]
    return f"{text}…"


def describe(directory: Path) -> Listed | Unreadable:
    """One row of the list."""
    from sessions.store.directory import is_live
    from sessions.store.manifest import END_REASONS, SessionError, read
    from sessions.summary.stored import StoredSummary, stored_summary

    live_now = is_live(directory)
    try:
        manifest = read(directory)
    except SessionError as error:
        return Unreadable(directory.name, str(directory), "unreadable", str(error))
    state = "live" if live_now else "ended" if manifest.end is not None else "killed"
    summary = stored_summary(manifest) or StoredSummary()
    killed = [END_REASONS["killed"]] if state == "killed" else []
    return Listed(
        id=directory.name,
        directory=str(directory),
        name=manifest.session.name,
        started_at=manifest.session.started_at,
        state=state,
        end=manifest.end.reason if manifest.end is not None else None,
        target=manifest.target,
        model=manifest.model,
        simulated=manifest.simulated,
        imported=manifest.imported is not None,
        duration_s=summary.duration_s,
        requests=summary.requests.sent,
        failed=summary.requests.failed,
        ttft_p50_ms=summary.ttft_from_due_ms.p50,
        valid=summary.valid,
        notes=[*killed, *summary.reasons, *summary.notes],
    )


def _cells(row: Listed | Unreadable) -> list[str]:
    if isinstance(row, Unreadable):
        return [one_line(row.id), row.state, *[""] * (len(HEAD) - 2)]
    valid = {True: "yes", False: "no", None: "-"}[row.valid]
    badges = ["SIMULATED"] * row.simulated + ["IMPORTED"] * row.imported
    return [
        one_line(row.id),
        row.state,
        " ".join(badges) or one_line(row.target)[:32],
        one_line(row.model)[:20] or "-",
        number(row.duration_s, 0),
        number(row.requests, 0) + (f" ({row.failed:,} failed)" if row.failed else ""),
        milliseconds(row.ttft_p50_ms),
        valid,
    ]
