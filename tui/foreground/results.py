"""What a run came to, for programs: JSON on stdout, JUnit XML in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.options.exit_codes import CommandError

if TYPE_CHECKING:
    from sessions.summary.schema import Summary


def print_json(made: Any) -> None:
    """One value, on stdout."""
    print(json.dumps(made, indent=2, allow_nan=False))


def write_junit(summary: Summary, path: Path | None) -> None:
    """Nothing without a path.

    Raises:
        CommandError: it cannot be written there.
    """
    if path is None:
        return
    from tui.report.junit import junit  # its XML imports half of a web client

    try:
        path.write_text(junit(summary), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--junit: cannot write {path}: {error.strerror}") from None
