"""`ttftop sessions`: what was recorded, newest first; and what is done to single ones."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from loadgen.decoding import ready
from sessions.store.manifest import END_REASONS, SessionError, read
from sessions.summary.digest import asked_load
from sessions.summary.stored import StoredSummary, stored_summary
from tui.commands.replay import listed
from tui.commands.session_actions import ACTIONS, act
from tui.foreground import start
from tui.foreground.results import print_json
from tui.options import run_options
from tui.options.exit_codes import OK, one_line
from tui.options.parser import Parser
from tui.report.figures import aligned, cells, milliseconds, number

HEAD = ("session", "state", "target", "model", "load", "s", "requests", "TTFT p50", "p95, ms", "valid")


def parser() -> Parser:
    actions = "\n".join(f"  {name:<8}{does}" for name, does in ACTIONS.items())
    parser = Parser(
        "ttftop sessions",
        "[ACTION S ...] [options]",
        "List the recorded sessions, newest first; or change one.",
        f"actions:\n{actions}\n",
    )
    parser.add_argument("action", nargs="?", choices=ACTIONS, metavar="ACTION", help=f"{', '.join(ACTIONS)}")
    parser.add_argument("words", nargs="*", metavar="S ...", help="the session, and what the action takes")
    parser.add_argument("--yes", action="store_true", help="rm asks nothing")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="pack: where to (ID.ttftop in this directory)"
    )
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
    ttft_p95_ms: float | None
    load: str
    """What was asked for, in a few words: `8 rps`, `32 at a time`, `plan kaito-vllm`."""
    valid: bool | None
    notes: list[str]
    tags: list[str] = []
    note: str = ""
    imported: bool = False
    """Another tool measured it."""


def run(options: argparse.Namespace) -> int:
    if options.action is not None:
        return act(options)
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
        said = [row.problem] if isinstance(row, Unreadable) else [*row.notes]
        if isinstance(row, Listed) and (row.tags or row.note):
            said.insert(0, "; ".join(filter(None, (", ".join(row.tags), row.note))))
        for note in said:
            line = f"{one_line(row.id)}: {one_line(note)}"
            lines += [line] if width is None else textwrap.wrap(line, width, subsequent_indent="  ")
    return "\n".join(lines)


def _fitted(table: list[list[str]], width: int) -> str:
    """What names a session stays whole, then what it came to; where that cannot be, lines are cut."""
    for name in ("model", "target"):
        column = table[0].index(name)
        over = max(map(cells, aligned(table, left=4).splitlines())) - width
        if over > 0:
            kept = max(max(cells(row[column]) for row in table) - over, len(name))
            table = [[*row[:column], _cut(row[column], kept), *row[column + 1 :]] for row in table]
    for name in ("model", "target", "TTFT p50"):
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

    live_now = is_live(directory)
    try:
        manifest = read(directory)
    except SessionError as error:
        return Unreadable(directory.name, str(directory), "unreadable", str(error))
    state = "live" if live_now else "ended" if manifest.end is not None else "killed"
    summary = (_so_far(directory) if live_now else stored_summary(manifest)) or StoredSummary()
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
        ttft_p95_ms=summary.ttft_from_due_ms.p95,
        load=asked_load(manifest.config),
        valid=summary.valid,
        tags=manifest.config.tags,
        note=manifest.session.note,
        notes=[*killed, *summary.reasons, *summary.notes],
    )


def _so_far(directory: Path) -> StoredSummary | None:
    """Of a run that goes on."""
    from sessions.summary.read import read_summary  # numpy: only a live run needs it here
    from sessions.summary.schema import plain

    with suppress(SessionError):
        summary = msgspec.convert(plain(read_summary(directory)), ready(StoredSummary))
        return msgspec.structs.replace(summary, valid=None, reasons=[], notes=[])
    return None


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
        one_line(row.load)[:24],
        number(row.duration_s, 0),
        number(row.requests, 0) + (f" ({row.failed:,} failed)" if row.failed else ""),
        milliseconds(row.ttft_p50_ms),
        milliseconds(row.ttft_p95_ms),
        valid,
    ]
