"""Where the columns of the charts begin: now stands at the right, and they move on by some columns at once,
so that between two moves only the newest column is redrawn.

Scrolling by every column would send each chart anew each time one closes: over SSH most of all bytes.
"""

from __future__ import annotations

TICK_NS = 250_000_000
PAGE = 4
"""Columns of a move; up to one fewer stay free at the right."""
_PAGE_NS = 1_000_000_000
"""A move is of so much time at least: of a young run's narrow columns it is of more."""
_YOUNG_NS = (
    *(TICK_NS // 5, TICK_NS // 2),
    *(ticks * TICK_NS for ticks in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)),
)
"""Columns of a run that is younger than its window, whole parts or multiples of a tick."""


def young_column_ns(run_ns: int, columns: int, usual_ns: int) -> int:
    """The shortest column with which `columns` of them span a run so far, at most the `usual_ns`."""
    for length_ns in _YOUNG_NS:
        if length_ns < usual_ns and length_ns * (columns - page_of(length_ns)) >= run_ns:
            return length_ns
    return usual_ns


def page_of(slot_ns: int) -> int:
    """Columns of a move."""
    return max(PAGE, -(-_PAGE_NS // max(slot_ns, 1)))


def now_at_right_ns(at_ns: int, slot_ns: int, slots: int) -> int:
    """Where the first of `slots` columns of `slot_ns` begins, with a whole page. May be negative."""
    page = page_of(slot_ns)
    last = max(-(-at_ns // slot_ns), 1) - 1
    first = last + 1 - slots
    return (first + -first % page) * slot_ns


def first_column_ns(at_ns: int, first_ns: int, slot_ns: int, slots: int) -> int:
    """Likewise, but of a run that is shorter than the window the first is the one in which its load began
    (`first_ns`, 0 when it has not): of one that is over and shown whole, whatever instant is looked at."""
    began = max(first_ns, 0) // slot_ns if first_ns <= at_ns else 0
    return max(now_at_right_ns(at_ns, slot_ns, slots) // slot_ns, began) * slot_ns
