"""What is on the screen, as files: a picture, and its text."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from tui.draw.rows import Row
from tui.draw.svg import svg
from tui.draw.theme import Theme

MOST = 1000
"""Pictures of one name in a directory."""


def export(rows: Sequence[Row], theme: Theme, name: str, places: Sequence[Path]) -> str:
    """Writes `rows` as `.svg` and `.txt` into the first of `places` that takes them; says where, in a line.

    Mode 0600; nothing that is there is touched.

    Raises:
        OSError: none of them can be written.
    """
    text = "\n".join("".join(part for part, _ in row).rstrip() for row in rows) + "\n"
    picture = svg(rows, theme.styles(), light=theme.palette.endswith("light"), title=name)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:100] or "ttftop"
    failed: OSError | None = None
    for place in places:
        try:
            written = _new_file(place, stem, ".svg", picture)
            _new_file(place, written.stem, ".txt", text)
        except OSError as error:
            failed = error
            continue
        return f"saved {written if written.is_absolute() else f'./{written}'} and .txt"
    raise failed if failed is not None else FileNotFoundError(2, "no directory to write to")


def _new_file(place: Path, stem: str, suffix: str, text: str) -> Path:
    for number in range(1, MOST):
        path = place / f"{stem}{'' if number == 1 else f'-{number}'}{suffix}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(path, flags, 0o600)
        except FileExistsError:
            continue
        with open(fd, "w", encoding="utf-8") as file:
            file.write(text)
        return path
    raise FileExistsError(17, f"a thousand files named {stem}")
