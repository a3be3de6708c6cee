"""One request as a bar on a scale of time: what it waited for, phase after phase. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tui.draw.rows import Row
from tui.draw.theme import Theme

PHASES = ("phase_wait", "phase_first", "phase_tokens")
"""Roles, and names of glyphs: until it was sent, until its first token, until its last."""


def phase_bar(ends: Sequence[float | None], scale: float, width: int, theme: Theme, after: str = "") -> Row:
    """Phases in cells, at most `width` of them: `ends` is when each of `PHASES` was over, from 0 on, in the
    unit of `scale`, which is what all of the width stands for; None: it was not come to.

    A phase that took any time has a cell, the last one at the least. `after`: name of the glyph that stands
    behind the bar.
    """
    row: Row = []
    used, room = 0, width - bool(after)
    begin = 0.0
    for phase, end in zip(PHASES, ends, strict=True):
        if end is None:
            continue
        upto = min(round(end * width / scale), room) if scale > 0 else 0
        if end > begin and upto <= used < room and phase == PHASES[-1]:
            upto = used + 1
        if upto > used:
            row.append((theme.glyph(phase) * (upto - used), phase))
            used = upto
        begin = max(end, begin)
    if after and width > 0:
        row.append((theme.glyph(after), "bad" if after == "failed" else "dim"))
    return row


def legend(theme: Theme, width: int, *, failed: bool) -> Row:
    """What the glyphs stand for, in fewer words where there is less room; `failed`: some request did."""
    words = ("waits in the client", "until the first token", "tokens")
    words = words if width >= 100 else ("in the client", "first token", "tokens")
    row: Row = []
    for phase, said in zip(PHASES, words, strict=True):
        row += [("  " + theme.glyph(phase) * 3, phase), (f" {said}", "dim")]
    return [*row, ("  " + theme.glyph("failed"), "bad"), (" failed", "dim")] if failed else row
