"""Whether the server takes connections, as the load workers found."""

from __future__ import annotations

from bisect import bisect_right, insort

CHANGES_CAP = 20_000


class Reach:
    """When a worker lost the server, or could reach it again, in any order."""

    def __init__(self) -> None:
        self._changes: list[tuple[int, int, bool]] = []
        """When, which worker, and whether it reaches the server from then on."""
        self._since: list[int | None] | None = []
        """Since when the server was out of reach from each change on; None until that is found anew."""

    def add(self, t_ns: int, worker: int, reachable: bool) -> None:
        if len(self._changes) < CHANGES_CAP:
            insort(self._changes, (t_ns, worker, reachable))
            self._since = None

    def unreachable_since(self, at_ns: int) -> int | None:
        """Since when some worker finds no connection to the server, at an instant; None while all do."""
        place = bisect_right(self._changes, at_ns, key=lambda change: change[0])
        return self._folded()[place - 1] if place else None

    def changes_ns(self, from_ns: int, to_ns: int) -> list[int]:
        """Times of the changes in `(from_ns, to_ns]`, and of the first one after them."""
        a, b = (bisect_right(self._changes, t_ns, key=lambda change: change[0]) for t_ns in (from_ns, to_ns))
        return [t_ns for t_ns, _, _ in self._changes[a : b + 1]]

    def _folded(self) -> list[int | None]:
        if self._since is None:
            lost: dict[int, int] = {}
            self._since = []
            for t_ns, worker, reachable in self._changes:
                if reachable:
                    lost.pop(worker, None)
                else:
                    lost.setdefault(worker, t_ns)
                self._since.append(min(lost.values(), default=None))
        return self._since
