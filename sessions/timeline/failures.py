"""Failures over time, by kind and by what was said of them, as the ticks of the workers tell."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from loadgen.errors import GIST_CHARS
from loadgen.records import Tick
from sessions.timeline.columns import Floats, Table

COLUMNS = ("t", "count")
KINDS_CAP = 256
"""Kinds, and causes, kept apart; a session that names more is not one of ours."""
MOST_KEPT = 2 * KINDS_CAP + 1
"""Tables of one sort: of more causes, each kind has one without words."""


class Cause(NamedTuple):
    """Failures of one kind."""

    kind: str
    failed: int
    text: str
    """What was said of most of them; empty where nothing is known."""
    said: int
    """Of how many."""
    first_ns: int
    """The end of the first tick that told of one; 0 where it is not known."""


class Failures:
    """Takes in ticks in any order."""

    def __init__(self) -> None:
        self.kinds: dict[str, Table] = {}
        self.said: dict[tuple[str, str], Table] = {}
        """By kind, and by kind and words: `COLUMNS`."""

    def take(self, tick: Tick) -> None:
        for kind, count in tick.errors.items():
            name = kind if kind in self.kinds or len(self.kinds) < KINDS_CAP else "other"
            self.kinds.setdefault(name, Table(COLUMNS)).add((tick.t_ns, count))
        for cause in tick.causes:
            said = (cause.kind, cause.text[:GIST_CHARS])
            if said not in self.said and len(self.said) >= KINDS_CAP:
                said = (cause.kind, "")
            self.said.setdefault(said, Table(COLUMNS)).add((tick.t_ns, cause.count))

    def by_kind(self, to_ns: float) -> dict[str, int]:
        """How many up to `to_ns`, most frequent first."""
        found = {}
        for kind, table in self.kinds.items():
            if (count := _upto(table, to_ns)) > 0:
                found[kind] = count
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def between(self, kinds: Collection[str], edges: Floats) -> dict[str, Floats]:
        """Of each of `kinds` that there were, one count between each two of `edges`."""
        found = {}
        for kind in kinds:
            if (table := self.kinds.get(kind)) is not None:
                upto = np.concatenate([[0.0], np.cumsum(table["count"][: len(table)])])
                found[kind] = np.diff(upto[table.upto(edges)])
        return found

    def causes(self, to_ns: float) -> list[Cause]:
        """Each kind once, most frequent first, with what was said of most up to `to_ns`."""
        said: dict[str, list[tuple[int, str, int]]] = {}
        for (kind, text), table in self.said.items():
            if (count := _upto(table, to_ns)) > 0:
                said.setdefault(kind, []).append((-count, text, int(table["t"][0])))
        found = []
        for kind, failed in self.by_kind(to_ns).items():
            # Of equals the first by its words: the order in which records came leaves no trace. Words of few
            # tell more than none of many, which is what those have whose words all differ.
            texts = sorted(said.get(kind, []))
            less, text, _ = next((one for one in texts if one[1]), (0, "", 0))
            first_ns = min((t_ns for _, _, t_ns in texts), default=0)
            found.append(Cause(kind, failed, text, -less, first_ns))
        return found


def _upto(table: Table, to_ns: float) -> int:
    return int(table["count"][: int(table.upto(to_ns))].sum())
