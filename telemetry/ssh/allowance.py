"""How much a node may send: a node that floods us is cut off, not followed."""

from __future__ import annotations

from typing import NamedTuple


class Limit(NamedTuple):
    """At once, and on and on."""

    most: int
    per_s: int


LINES = Limit(10_000, 500)
"""Of a poller, or of what looks like one. One of 16 GPUs sends some 20 a second; after minutes without a
network, all that its pipes held comes at once."""
BYTES = Limit(8 << 20, 2 << 20)
COMPLAINT_BYTES = Limit(4 << 20, 100 << 10)


class Allowance:
    """A bucket of `limit.most`, filled again by `limit.per_s`."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._left = float(limit.most)
        self._at_ns: int | None = None

    def spend(self, amount: int, now_ns: int) -> bool:
        """False when that is more than what is left."""
        if self._at_ns is not None:
            filled = max(0, now_ns - self._at_ns) / 1e9 * self._limit.per_s
            self._left = min(self._limit.most, self._left + filled)
        self._at_ns = now_ns
        self._left -= amount
        return self._left >= 0
