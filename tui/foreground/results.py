"""What a run came to, for programs: JSON on stdout, JUnit XML in a file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.options.exit_codes import NOT_VALID, one_line, tell

if TYPE_CHECKING:
    from sessions.summary.schema import Summary


def print_json(made: Any) -> None:
    """One value, on stdout."""
    print(json.dumps(made, indent=2, allow_nan=False))


def told_to_ci(summary: Summary, options: argparse.Namespace, code: int) -> int:
    """The exit code of a run that would have ended with `code`: what `--fail-if-undecided` makes of it, once
    the file of `--junit` says the same. Where that cannot be written it is told, costs no result, and is 1 in
    place of 0."""
    strict = options.fail_if_undecided
    if strict and summary.slo is not None and summary.slo.verdict == "undecided":
        code = code or NOT_VALID
    return write_junit(summary, options.junit, code, strict=strict)


def write_junit(summary: Summary, path: Path | None, code: int, *, strict: bool = False) -> int:
    """Nothing without a path. Returns `code`, or 1 in place of 0 where the file cannot be written.
    `strict`: what is undecided is a failure."""
    from sessions.store.private_file import NotWritten, write_private

    if path is None:
        return code
    from tui.report.junit import junit  # its XML imports half of a web client

    try:
        write_private(path, junit(summary, strict=strict).encode())
    except NotWritten as error:
        tell(f"ttftop: error: --junit: {one_line(error)}")
        return code or NOT_VALID
    return code
