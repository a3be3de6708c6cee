"""Which of a server's addresses has its turn: those that can be reached, one after the other."""

from __future__ import annotations

FIRST_S, MOST_S = 0.5, 10.0
"""After how long an address that could not be reached is tried again, and at the most after how long."""


class Rotation:
    """`count` addresses by number. In turn, or always the one that was reached last."""

    def __init__(self, count: int, first: int = 0, *, in_turn: bool = False) -> None:
        self.at = first % count
        """Which has its turn."""
        self._count, self._in_turn = count, in_turn
        self._lost: dict[int, float] = {}
        """Those left aside, and after how long each is tried again."""

    def advance(self) -> None:
        """A request has taken its turn."""
        if self._in_turn and self._count > 1:
            self.at = self.order(self.at + 1)[0]

    def order(self, first: int | None = None) -> list[int]:
        """Those to try one after the other, from `first` on, or from whose turn it is: all that are not left
        aside, or all when all are."""
        begin = self.at if first is None else first
        places = [(begin + step) % self._count for step in range(self._count)]
        return [at for at in places if at not in self._lost] or places

    def reached(self, at: int) -> bool:
        """Whether that is news: the address was left aside."""
        if not self._in_turn:
            self.at = at
        return self._lost.pop(at, None) is not None

    def lost(self, at: int) -> bool:
        """It was not reached. Whether it is left aside from now on; the only one never is."""
        if not self._in_turn or self._count == 1 or at in self._lost:
            return False
        self._lost[at] = FIRST_S
        if self.at == at:
            self.at = self.order()[0]
        return True

    def retry_s(self, at: int) -> float | None:
        """After how long to try again one that is left aside, longer each time; None: it is not."""
        wait_s = self._lost.get(at)
        if wait_s is not None:
            self._lost[at] = min(MOST_S, 2 * wait_s)
        return wait_s
