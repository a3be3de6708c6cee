"""How long nothing is sent to a server that cannot be reached: longer with each failure."""

from __future__ import annotations

FIRST_NS, MOST_NS = 100_000_000, 2_000_000_000
UNREACHABLE = frozenset({"connect_refused", "connect_timeout", "connect_failed", "dns", "tls"})
"""Errors after which it makes no sense to try again at once."""


class BackOff:
    """While backing off nothing is sent; when that time is over, one request tries."""

    def __init__(self) -> None:
        self._for_ns = 0
        self.until_ns = 0
        self.trying = False
        """A connection is being opened."""

    @property
    def active(self) -> bool:
        return self._for_ns > 0

    @property
    def sendable_ns(self) -> int | None:
        """The time before which nothing is sent; 0 while not backing off, None while one request tries."""
        if not self._for_ns:
            return 0
        return None if self.trying else self.until_ns

    def forbids(self, now_ns: int) -> bool:
        """Nothing may be sent now."""
        return self.active and (now_ns < self.until_ns or self.trying)

    def failed(self, now_ns: int) -> None:
        """The server was not reached."""
        if now_ns >= self.until_ns:
            self._for_ns = min(MOST_NS, max(FIRST_NS, self._for_ns * 2))
            self.until_ns = now_ns + self._for_ns

    def reached(self) -> None:
        self._for_ns = self.until_ns = 0
