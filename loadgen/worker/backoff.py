"""How long nothing is sent to a server that cannot be reached: longer with each failure."""

from __future__ import annotations

from collections.abc import Sequence

FIRST_NS, MOST_NS = 100_000_000, 2_000_000_000
UNREACHABLE = frozenset({"connect_refused", "connect_timeout", "connect_failed", "dns", "tls", "proxy"})
"""Errors after which it makes no sense to try again at once."""


class BackOff:
    """While backing off nothing is sent; when that time is over, one request tries."""

    def __init__(self) -> None:
        self._for_ns = self._until_ns = 0
        self._trying = False
        self.sendable_ns: int | None = 0
        """The time before which nothing is sent; 0 while not backing off, None while one request tries."""

    @property
    def active(self) -> bool:
        return self._for_ns > 0

    def forbids(self, now_ns: int) -> bool:
        """Nothing may be sent now."""
        return self.sendable_ns is None or now_ns < self.sendable_ns

    def trying(self, trying: bool) -> None:
        """A connection is being opened, or no longer."""
        self._trying = trying
        self._set_sendable()

    def failed(self, now_ns: int) -> None:
        """The server was not reached."""
        if now_ns >= self._until_ns:
            self._for_ns = min(MOST_NS, max(FIRST_NS, self._for_ns * 2))
            self._until_ns = now_ns + self._for_ns
        self._set_sendable()

    def reached(self) -> None:
        self._for_ns = self._until_ns = 0
        self._set_sendable()

    def _set_sendable(self) -> None:
        self.sendable_ns = None if self._trying and self.active else self._until_ns


class AnyBackOff:
    """Of several servers: whether any of them may be sent to."""

    def __init__(self, each: Sequence[BackOff]) -> None:
        self._each = each

    @property
    def sendable_ns(self) -> int | None:
        """As `BackOff.sendable_ns`, of the one that is sendable first."""
        times = [one.sendable_ns for one in self._each if one.sendable_ns is not None]
        return min(times, default=None)

    def forbids(self, now_ns: int) -> bool:
        """Nothing may be sent now, to none of them."""
        return all(one.forbids(now_ns) for one in self._each)
