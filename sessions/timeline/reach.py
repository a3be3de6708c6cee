"""Whether servers take connections, as the load workers found."""

from __future__ import annotations

from bisect import bisect_right, insort

CHANGES_CAP = 20_000


class Reach:
    """When a worker lost a server, or could reach it again, in any order."""

    def __init__(self) -> None:
        self._changes: list[tuple[int, int, int, bool]] = []
        """When, which worker, which target, and whether it reaches that from then on."""
        self._since: list[dict[int, int]] | None = []
        """By target since when it was out of reach, from each change on; None until that is found anew."""

    def add(self, t_ns: int, worker: int, reachable: bool, target: int | None = None) -> None:
        """`target`: its number where there are several."""
        if len(self._changes) < CHANGES_CAP:
            insort(self._changes, (t_ns, worker, _ONLY if target is None else target, reachable))
            self._since = None

    def unreachable_since(self, at_ns: int, targets: int = 0) -> int | None:
        """Since when some worker finds no connection to the server, at an instant; None while all do. Of
        several `targets`: since when to none of them; one of them alone `lost_at` tells."""
        lost = self._at(at_ns)
        if targets and len(lost) >= targets:
            return max(lost.values())
        return lost.get(_ONLY)

    def lost_at(self, at_ns: int) -> dict[int, int]:
        """Of several targets those that some worker finds no connection to, by number, and since when."""
        return {target: since for target, since in self._at(at_ns).items() if target != _ONLY}

    def changes_ns(self, from_ns: int, to_ns: int) -> list[int]:
        """Times of the changes in `(from_ns, to_ns]`, and of the first one after them."""
        a, b = (bisect_right(self._changes, t_ns, key=lambda change: change[0]) for t_ns in (from_ns, to_ns))
        return [change[0] for change in self._changes[a : b + 1]]

    def _at(self, at_ns: int) -> dict[int, int]:
        place = bisect_right(self._changes, at_ns, key=lambda change: change[0])
        return self._folded()[place - 1] if place else {}

    def _folded(self) -> list[dict[int, int]]:
        if self._since is None:
            lost: dict[tuple[int, int], int] = {}
            self._since = []
            for t_ns, worker, target, reachable in self._changes:
                if reachable:
                    lost.pop((worker, target), None)
                else:
                    lost.setdefault((worker, target), t_ns)
                since: dict[int, int] = {}
                for (_, of), at in lost.items():
                    since[of] = min(at, since.get(of, at))
                self._since.append(since)
        return self._since


_ONLY = -1
"""Stands for the target of a run that has one."""
