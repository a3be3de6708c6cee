"""`ttftop sessions`: what was recorded, newest first."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tui.foreground import start
from tui.options import run_options
from tui.options.exit_codes import OK, one_line
from tui.options.parser import Parser
from tui.report.figures import aligned, milliseconds, number

HEAD = ("session", "state", "target", "model", "s", "requests", "TTFT p50 ms", "valid")


def parser() -> Parser:
    parser = Parser("ttftop sessions", "[options]", "List the recorded sessions, newest first.")
    run_options.sessions_dir(parser)
    parser.add_argument("--json", action="store_true", help="one JSON list, all that each session says")
    return parser


def run(options: argparse.Namespace) -> int:
    from sessions.store.directory import listing

    root = start.root(options)
    rows = [describe(directory) for directory in listing(root)]
    if options.json:
        print(json.dumps(rows, indent=2))
    elif rows:
        print(aligned([HEAD, *map(_cells, rows)], left=4))
        for row in rows:
            for note in row.get("notes", ()):
                print(f"{one_line(row['id'])}: {one_line(note)}")
    else:
        print(f"no sessions in {one_line(root)} yet; ttftop demo makes one")
    return OK


def describe(directory: Path) -> dict[str, Any]:
    """What a session says of itself without reading its measurements; `problem` when it cannot be read."""
    from sessions.store.directory import is_live
    from sessions.store.manifest import END_REASONS, SessionError, read

    row: dict[str, Any] = {"id": directory.name, "directory": str(directory)}
    live_now = is_live(directory)
    try:
        manifest = read(directory)
    except SessionError as error:
        return {**row, "state": "unreadable", "problem": str(error)}
    result = manifest.result or {}
    state = "live" if live_now else "ended" if manifest.end is not None else "killed"
    return {
        **row,
        "name": manifest.session.name,
        "started_at": manifest.session.started_at,
        "state": state,
        "end": manifest.end.reason if manifest.end is not None else None,
        "target": manifest.target,
        "model": manifest.model,
        "simulated": manifest.simulated,
        "duration_s": result.get("duration_s"),
        "requests": result.get("requests", {}).get("sent"),
        "failed": result.get("requests", {}).get("failed"),
        "ttft_p50_ms": result.get("ttft_from_due_ms", {}).get("p50"),
        "valid": result.get("valid"),
        "notes": [
            *([END_REASONS["killed"]] if state == "killed" else []),
            *(result.get("reasons") or []),
            *(result.get("notes") or []),
        ],
    }


def _cells(row: dict[str, Any]) -> list[str]:
    if "problem" in row:
        return [one_line(row["id"]), row["state"], one_line(row["problem"])[:60], *[""] * (len(HEAD) - 3)]
    valid = {True: "yes", False: "no", None: "-"}[row["valid"]]
    return [
        one_line(row["id"]),
        row["state"],
        "SIMULATED" if row["simulated"] else one_line(row["target"])[:32],
        one_line(row["model"])[:20] or "-",
        number(row["duration_s"], 0),
        number(row["requests"], 0) + (f" ({row['failed']:,} failed)" if row["failed"] else ""),
        milliseconds(row["ttft_p50_ms"]),
        valid,
    ]
