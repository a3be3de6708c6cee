"""What another tool said of a run that was imported: its own figures, and what they are called here."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from loadgen.errors import printable
from sessions.digits import digits
from tui.report.figures import aligned

if TYPE_CHECKING:
    from sessions.store.imported import ImportedInfo

FIGURES = 40
"""That are shown; `--json` has all."""
NAME_CHARS = 30


def imported(told: ImportedInfo | None) -> str:
    """Its figures with a counterpart first; empty where ttftop measured the run itself."""
    if told is None:
        return ""
    where = " ".join(printable(word, 60) for word in (told.tool, told.version) if word)
    lines = [f"imported from {where}, {printable(told.file, 80)}"]
    for note in told.notes:
        lines += textwrap.wrap(printable(note, 300), 80, initial_indent="  - ", subsequent_indent="    ")
    figures = sorted(told.figures, key=lambda figure: not figure.ours)
    rows = [["its figure", "value", "here", "is"]]
    rows += [
        [_end_of(one.name), digits(one.value, 6), one.ours[:26] or "-", one.how or "none"]
        for one in figures[:FIGURES]
    ]
    if figures:
        lines += [aligned(rows), "same: by the same definition; near: see docs/figures/other-tools.md"]
    if len(figures) > FIGURES:
        lines.append(f"{len(figures) - FIGURES} more: --json has all")
    return "\n".join(lines)


def _end_of(name: str) -> str:
    """A long name by its end, which says more."""
    text = printable(name, 100)
    return text if len(text) <= NAME_CHARS else "…" + text[1 - NAME_CHARS :]
