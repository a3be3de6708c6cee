"""What to type for ttftop once more: the word that it was started by."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from loadgen.errors import printable

STARTED_BY = "TTFTOP_STARTED_BY"
"""Set by `scripts/ttftop`, after which there need be no `ttftop` on the PATH."""


def command_word() -> str:
    """`ttftop`; from a checkout the script, as it was typed."""
    typed = os.environ.get(STARTED_BY, "")
    return shlex.quote(printable(typed, 300)) if typed else "ttftop"


def said_place(place: Path) -> str:
    """Where the session is. The path has a line of its own where the terminal would break its name in two."""
    words = f"the session is saved in {place}"
    wide = len(words) > shutil.get_terminal_size().columns
    return words.replace(" in ", " in \n", 1) if wide else words
