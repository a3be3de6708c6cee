"""What a terminal must be told so that it shows other rows than before: only the cells that differ. Pure.

Textual sends a changed stretch with a full style before, and a reset after, each run in it, and nothing
shorter than a run. Over SSH that is most of what a live screen sends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tui.draw.rows import Row, all_of_one_cell, cells_of, width_of

JOINED = 3
"""So many cells that stayed are sent anew: that is shorter than moving over them."""


class Cells(NamedTuple):
    """A row cell by cell: of each its letter and its role. Of a wide character the second letter is empty."""

    letters: list[str]
    roles: list[str]

    @classmethod
    def of(cls, row: Row) -> Cells:
        cells = cls([], [])
        for text, role in row:
            letters = list(text) if all_of_one_cell(text) else list(_letters(text))
            cells.letters.extend(letters)
            cells.roles.extend([role] * len(letters))
        return cells


def _letters(text: str) -> Iterator[str]:
    for letter in text:
        wide = cells_of(letter)
        if wide:
            yield letter
        if wide == 2:
            yield ""


def differing(old: Row, new: Row) -> tuple[int, Row, Row]:
    """Both without the runs that they begin and end with alike, and the cell from which on they differ: of
    most rows that change a figure does, and to look at each cell costs the most of a row."""
    same = 0
    for before, after in zip(old, new, strict=False):
        if before != after:
            break
        same += 1
    begin, old, new = width_of(new[:same]), old[same:], new[same:]
    if width_of(old) == width_of(new):
        while old and new and old[-1] == new[-1]:
            old, new = old[:-1], new[:-1]
    return begin, old, new


def changed_runs(before: Cells, after: Cells, paints: Callable[[str], bool]) -> list[tuple[int, int]]:
    """The stretches `[first, beyond)` of cells that differ, joined where few cells lie between.

    None of them begins or ends within a character of two cells.
    """
    letters = after.letters
    missing = len(letters) - len(before.letters)
    old, old_roles = before
    if missing > 0:
        old, old_roles = [*old, *" " * missing], [*old_roles, *[""] * missing]
    runs: list[list[int]] = []
    for i, (letter, role, new, new_role) in enumerate(
        zip(old, old_roles, letters, after.roles, strict=False)
    ):
        if letter == new and (role == new_role or (new == " " and not paints(role) and not paints(new_role))):
            continue
        if runs and i - runs[-1][1] <= JOINED:
            runs[-1][1] = i + 1
        else:
            runs.append([i, i + 1])
    for run in runs:
        while run[0] > 0 and not letters[run[0]]:
            run[0] -= 1
        while run[1] < len(letters) and not letters[run[1]]:
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
    bare, bare_paints = style_of(""), paints("")
    for y, old, new in changed:
        begin, old, new = differing(old, new)
        after = Cells.of(new)
        for first, beyond in changed_runs(Cells.of(old), after, paints):
            out.append(f"\x1b[{top + y + 1};{left + begin + first + 1}H")
            of: str | None = None
            for letter, role in zip(after.letters[first:beyond], after.roles[first:beyond], strict=True):
                if role != of:
                    of, own, own_paints = role, style_of(role), paints(role)
                wanted, paints_now = own, own_paints
                if letter == " " and not own_paints:
                    if style is not None and not painting:
                        out.append(letter)  # a blank looks like this in any style that paints none
                        continue
                    wanted, paints_now = bare, bare_paints
                painting = paints_now
                if wanted != style:
                    out.append(f"\x1b[0;{wanted}m" if wanted else "\x1b[0m")
                    style = wanted
                out.append(letter)
    if style:
        out.append("\x1b[0m")
    return "".join(out)
