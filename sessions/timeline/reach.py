"""Whether servers take connections, as the load workers found."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable
from typing import NamedTuple

CHANGES_CAP = 20_000


class _Lost(NamedTuple):
    """What is out of reach from a change on, and since when."""

    by_target: dict[int, int]
    """Of any worker."""
    by_count: dict[int, int]
    """By how many of them one worker lost: since when the first of such workers did."""


class Reach:
    """When a worker lost a server, or could reach it again, in any order."""

    def __init__(self) -> None:
        self._changes: list[tuple[int, int, int, bool]] = []
        """When, which worker, which target, and whether it reaches that from then on."""
        self._lost: list[_Lost] | None = []
        """From each change on; None until that is found anew."""

    def add(self, t_ns: int, worker: int, reachable: bool, target: int | None = None) -> None:
        """`target`: its number where there are several."""
        if len(self._changes) < CHANGES_CAP:
            insort(self._changes, (t_ns, worker, _ONLY if target is None else target, reachable))
            self._lost = None

    def unreachable_since(self, at_ns: int, targets: int = 0) -> int | None:
        """Since when some worker finds no connection to the server, at an instant; None while all do. Of
        several `targets`: since when one worker finds none to any of them; `lost_at` tells of each alone."""
        lost = self._at(at_ns)
        of_all = [since for count, since in lost.by_count.items() if count >= targets > 0]
        return min(of_all) if of_all else lost.by_target.get(_ONLY)

    def lost_at(self, at_ns: int) -> dict[int, int]:
        """Of several targets those that some worker finds no connection to, by number, and since when."""
        return {target: since for target, since in self._at(at_ns).by_target.items() if target != _ONLY}

    def changes_ns(self, from_ns: int, to_ns: int) -> list[int]:
        """Times of the changes in `(from_ns, to_ns]`, and of the first one after them."""
        a, b = (bisect_right(self._changes, t_ns, key=lambda change: change[0]) for t_ns in (from_ns, to_ns))
        return [change[0] for change in self._changes[a : b + 1]]

    def _at(self, at_ns: int) -> _Lost:
        place = bisect_right(self._changes, at_ns, key=lambda change: change[0])
        return self._folded()[place - 1] if place else _Lost({}, {})

    def _folded(self) -> list[_Lost]:
        if self._lost is None:
            workers: dict[int, dict[int, int]] = {}
            self._lost = []
            for t_ns, worker, target, reachable in self._changes:
                own = workers.setdefault(worker, {})
                if reachable:
                    own.pop(target, None)
                else:
                    own.setdefault(target, t_ns)
                self._lost.append(_lost_of(workers.values()))
        return self._lost


def _lost_of(workers: Iterable[dict[int, int]]) -> _Lost:
    """`workers`: of each the targets that it lost, and since when."""
    lost = _Lost({}, {})
    for own in workers:
        for target, since in own.items():
            lost.by_target[target] = min(since, lost.by_target.get(target, since))
        if own:
            since = max(own.values())
            lost.by_count[len(own)] = min(since, lost.by_count.get(len(own), since))
    return lost


_ONLY = -1
"""Stands for the target of a run that has one."""
