"""What a terminal must be told so that it shows other rows than before: only the cells that differ. Pure.

Textual sends a changed stretch with a full style before, and a reset after, each run in it, and nothing
shorter than a run. Over SSH that is most of what a live screen sends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tui.draw.rows import Row, cells_of

JOINED = 3
"""So many cells that stayed are sent anew: that is shorter than moving over them."""
Cell = tuple[str, str]
"""A letter and its role; of a character of two cells the second is empty."""


def changed_runs(before: Sequence[Cell], after: Sequence[Cell]) -> list[tuple[int, int]]:
    """The stretches `[first, beyond)` of cells that differ, joined where few cells lie between.

    None of them begins or ends within a character of two cells.
    """
    runs: list[list[int]] = []
    for i, (was, now) in enumerate(zip(before, after, strict=False)):
        if was == now:
            continue
        if runs and i - runs[-1][1] <= JOINED:
            runs[-1][1] = i + 1
        else:
            runs.append([i, i + 1])
    for run in runs:
        while run[0] > 0 and not after[run[0]][0]:
            run[0] -= 1
        while run[1] < len(after) and not after[run[1]][0]:
            run[1] += 1
    return [(first, beyond) for first, beyond in runs]


def orders(
    changed: Sequence[tuple[int, Row, Row]],
    left: int,
    top: int,
    style_of: Callable[[str], str],
    paints: Callable[[str], bool],
) -> str:
    """What to write for rows `(y, old, new)` of an area that begins at column `left` and row `top`, from 0.

    Args:
        style_of: a role's parameters of SGR, without those that reset; empty for the terminal's own.
        paints: whether a blank shows that role; one that does not is like any other blank.
    """
    out: list[str] = []
    style: str | None = None
    painting = False
    for y, old, new in changed:
        before, after = cells(old, paints), cells(new, paints)
        before += [(" ", "")] * (len(after) - len(before))
        for first, beyond in changed_runs(before, after):
            out.append(f"\x1b[{top + y + 1};{left + first + 1}H")
            for letter, role in after[first:beyond]:
                if letter == " " and not role and style is not None and not painting:
                    out.append(letter)  # a blank looks like this in any style that paints none
                    continue
                wanted, painting = style_of(role), paints(role)
                if wanted != style:
                    out.append(f"\x1b[0;{wanted}m" if wanted else "\x1b[0m")
                    style = wanted
                out.append(letter)
    if style:
        out.append("\x1b[0m")
    return "".join(out)


def cells(row: Row, paints: Callable[[str], bool]) -> list[Cell]:
    """A row cell by cell."""
    out: list[Cell] = []
    for text, role in row:
        blank = (" ", role if paints(role) else "")
        for letter in text:
            if letter == " ":
                out.append(blank)
                continue
            wide = cells_of(letter)
            if wide:
                out.append((letter, role))
            if wide == 2:
                out.append(("", role))
    return out
