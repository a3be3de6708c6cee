"""What another tool said of a run that was imported: its own figures, and what they are called here."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from loadgen.errors import printable
from tui.report.figures import aligned

if TYPE_CHECKING:
    from sessions.store.imported import ImportedInfo

FIGURES = 40
"""That are shown; `--json` has all."""
_HOW = {"same": "same definition", "near": "near, not the same", "": "no counterpart"}


def imported(told: ImportedInfo | None) -> str:
    """Its figures with a counterpart first; empty where ttftop measured the run itself."""
    if told is None:
        return ""
    where = " ".join(printable(word, 60) for word in (told.tool, told.version) if word)
    lines = [f"imported from {where}, {printable(told.file, 80)}"]
    for note in told.notes:
        lines += textwrap.wrap(printable(note, 300), 80, initial_indent="  - ", subsequent_indent="    ")
    figures = sorted(told.figures, key=lambda figure: not figure.ours)
    rows = [["its figure", "", "", "here", "definition"]]
    rows += [
        [
            printable(one.name, 44),
            f"{one.value:,.6g}",
            printable(one.unit, 12),
            one.ours or "-",
            _HOW.get(one.how, ""),
        ]
        for one in figures[:FIGURES]
    ]
    if figures:
        lines.append(aligned(rows))
    if len(figures) > FIGURES:
        lines.append(f"{len(figures) - FIGURES} more: --json has all")
    return "\n".join(lines)
