"""Tells when all has failed from the first request on: more of such a load measures nothing."""

from __future__ import annotations

from collections.abc import Callable

from loadgen.errors import cause_words, gist
from loadgen.records import RequestError

PATIENT = frozenset(
    {"rejected", "unfinished", "headers_timeout", "first_token_timeout", "gap_timeout", "total_timeout"}
)
"""Failures of a server that has too much to do, which is what a load test may be after: they never count."""


class Brake:
    """Counts failures in a row while nothing has succeeded yet; the first success takes it off for good."""

    __slots__ = ("_after", "_in_a_row", "_pull", "off")

    def __init__(self, after: int, pull: Callable[[str], None]) -> None:
        """`pull` is called, with the last failure in words, after so many; `after` 0: never."""
        self._after, self._pull, self._in_a_row = after, pull, 0
        self.off = not after
        """Nothing is counted any more."""

    def ended(self, error: RequestError | None) -> None:
        """A request has ended; `error` is None for a success."""
        if error is None:
            self.off = True
        elif error.kind in PATIENT:
            self._in_a_row = 0
        else:
            self._in_a_row += 1
            if self._in_a_row == self._after and not self.off:
                self._pull(cause_words(error.kind, gist(error.message)))

    def release(self) -> None:
        """Somebody changed the load: it is counted anew."""
        self._in_a_row = 0
