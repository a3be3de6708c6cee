"""Charts that begin with the load and fill from the left; when they are full they move on by some columns
at once, so that between two moves only the newest column is redrawn.

Scrolling by every column would send each chart anew each time one closes: over SSH most of all bytes.
"""

from __future__ import annotations

PAGE = 4
"""Columns of a move; up to one fewer stay free at the right."""


def first_column_ns(at_ns: int, first_ns: int, slot_ns: int, slots: int) -> int:
    """Where the first of `slots` columns of `slot_ns` begins: with a whole page, or with the column in which
    the load began (`first_ns`, 0 when it has not) of a run that is shorter than the window.

    The columns after the one that holds `at_ns` are still to come.
    """
    began = max(first_ns, 0) // slot_ns if first_ns <= at_ns else 0
    last = max(-(-at_ns // slot_ns), 1) - 1
    first = last + 1 - slots
    page = first + -first % PAGE
    return max(page, min(began, last)) * slot_ns
