"""Requests chosen and put in order, a page at a time, as they were known at an instant.

Of a quarter of a million rows a page takes a few milliseconds: figures stand in arrays of their own, and
only what is above the page is sorted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sessions.timeline.columns import Ints, written
from sessions.timeline.requests import NONE, RequestColumns, Requests

IN_FLIGHT = "in flight"
CHOICES = ("all", "slowest TTFT", "slowest E2E", "failed", "cut off", IN_FLIGHT)
ORDERS = ("time", "TTFT", "E2E", "longest gap", "tokens")
SLOWEST = 100
"""So many are the slowest ones."""
_SLOWEST_BY = {"slowest TTFT": "TTFT", "slowest E2E": "E2E"}
_FIGURES = ("due_ns", "index", "sent_ns", "known_ns", "error", "TTFT", "E2E", "longest gap", "tokens")


class Page(NamedTuple):
    """Some of the requests that were asked for."""

    of: int
    """How many those are."""
    rows: Requests
    known: int
    """How many requests had ended by then, whichever were asked for."""


class RequestList:
    """Over all requests of a session, as far as their lines are read."""

    def __init__(self, columns: RequestColumns) -> None:
        self._columns = columns
        self._rows: Requests = columns.rows
        self._count = 0
        self._figures: dict[str, Ints] = {name: np.zeros(64, dtype=np.int64) for name in _FIGURES}
        self._places: tuple[object, Ints] | None = None
        self._page: tuple[object, Page] | None = None

    def page(self, at_ns: int, choice: str, order: str, first: int, most: int) -> Page:
        """The requests number `first` (from 0) up to `first + most` of a choice of those known at `at_ns`.

        By `time` the newest stands first; by any other order what is largest, and equals as they were due.
        Those without the figure come last. A request is known once it has ended; those in flight at `at_ns`
        are there once they have ended since, and stand oldest first.
        """
        self._take_in()
        asked = self._count, at_ns, choice, order, first, most
        if self._page is None or self._page[0] != asked:
            places = self._chosen(at_ns, choice)
            # Figures of those in flight are not known yet: they stand by age.
            in_flight = choice == IN_FLIGHT
            shown = places[first : first + most] if in_flight else self._ordered(places, order, first, most)
            known = int(np.count_nonzero(self._of("known_ns") <= at_ns))
            self._page = asked, Page(len(places), self._rows[shown], known)
        return self._page[1]

    def count(self, at_ns: int, choice: str) -> int:
        """How many there are of a choice."""
        self._take_in()
        return len(self._chosen(at_ns, choice))

    def _of(self, name: str) -> Ints:
        return self._figures[name][: self._count]

    def _take_in(self) -> None:
        """Requests that came since: what stands before the first of them is left as it is."""
        if len(self._columns) == self._count:
            return
        rows = self._columns.rows
        same, beyond = 0, self._count
        due_ns, index = self._of("due_ns"), self._of("index")
        while same < beyond:  # rows are only ever put in: once they differ, they differ to the end
            middle = (same + beyond) // 2
            if rows["due_ns"][middle] == due_ns[middle] and rows["index"][middle] == index[middle]:
                same = middle + 1
            else:
                beyond = middle
        # Of those due at one time the order is another's, too.
        same = int(np.searchsorted(due_ns[:same], rows["due_ns"][min(same, len(rows) - 1)]))
        for name, values in _figures_of(rows[same:]).items():
            self._figures[name] = written(self._figures[name], same, values)
        self._rows, self._count = rows, len(rows)

    def _chosen(self, at_ns: int, choice: str) -> Ints:
        """Places in the rows, ascending."""
        asked = self._count, at_ns, choice
        if self._places is None or self._places[0] != asked:
            self._places = asked, self._choose(at_ns, choice)
        return self._places[1]

    def _choose(self, at_ns: int, choice: str) -> Ints:
        known = self._of("known_ns") <= at_ns
        if choice in _SLOWEST_BY:
            by = self._of(_SLOWEST_BY[choice])
            places = np.flatnonzero(known & (by != NONE))
            return np.sort(_largest(by, places, SLOWEST))
        if choice in ("failed", "cut off"):
            error, kinds = self._of("error"), self._columns.error_kinds
            unfinished = kinds.index("unfinished") if "unfinished" in kinds else len(kinds)
            of_it = error == unfinished if choice == "cut off" else (error != NONE) & (error != unfinished)
            return np.flatnonzero(known & of_it)
        if choice == IN_FLIGHT:
            sent_ns = self._of("sent_ns")
            return np.flatnonzero(~known & (sent_ns != NONE) & (sent_ns <= at_ns))
        return np.flatnonzero(known)

    def _ordered(self, places: Ints, order: str, first: int, most: int) -> Ints:
        if order == "time":
            return places[::-1][first : first + most]
        by = self._of(order)
        above = _largest(by, places, first + most)
        return above[np.lexsort((above, -by[above]))][first:]


def _figures_of(rows: Requests) -> dict[str, Ints]:
    due_ns, first_ns, last_ns, end_ns = (
        rows[name] for name in ("due_ns", "first_token_ns", "last_token_ns", "end_ns")
    )
    over_ns = np.where(last_ns != NONE, last_ns, end_ns)
    return {
        "due_ns": due_ns,
        "index": rows["index"],
        "sent_ns": rows["sent_ns"],
        "known_ns": np.maximum(end_ns, due_ns),
        "error": rows["error"].astype(np.int64),
        "TTFT": np.where(first_ns != NONE, first_ns - due_ns, NONE),
        "E2E": np.where(rows["error"] == NONE, over_ns - due_ns, NONE),
        "longest gap": rows["longest_gap_us"],
        "tokens": rows["output_tokens"].astype(np.int64),
    }


def _largest(by: Ints, places: Ints, most: int) -> Ints:
    """Those of `places` whose values are the `most` largest; of equals the first ones."""
    if most >= len(places):
        return places
    values = by[places]
    least = np.partition(values, len(values) - most)[len(values) - most]
    above, equal = np.flatnonzero(values > least), np.flatnonzero(values == least)
    found: Ints = places[np.concatenate([above, equal[: most - len(above)]])]
    return found
