"""In how many seconds of a run the client was the limit: one count for screen, replay and summary.

It is over the whole seconds of session time from the beginning of the load to the newest tick, and rests on
ticks alone: a screen reads no request lines, and none of them must move it.
"""

from __future__ import annotations

import numpy as np

from sessions.bottleneck.client_saturation import SECOND_NS, STILL_NS, Saturation, Troubles, troubles
from sessions.timeline.timeline import Timeline

_BLOCK = 4096
"""Ticks that are looked at in one go, or a few more."""


class ClientSeconds:
    """Looks at each second once, and again when a record of it or of one before comes in late."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._found: list[Troubles] = []
        self._next = 0
        """The first second that was not looked at."""

    def noted(self, t_ns: int) -> None:
        """The timeline has taken in a record of that time."""
        second = max(t_ns - 1, 0) // SECOND_NS
        if second < self._next:
            self._next = second
            self._found = [_before(part, second) for part in self._found]

    def upto(self, at_ns: int, blocks: int | None = None) -> Saturation | None:
        """The seconds from the beginning of the load to the newest tick at an instant.

        None where that would take looking at more than `blocks` times 4096 ticks; each call does as much, so
        that the next ones come to the end.
        """
        timeline = self._timeline
        row = int(timeline.ticks.upto(at_ns))
        newest_ns = int(timeline.ticks["t"][row - 1]) if row else 0
        first, last = -(-timeline.first_ns // SECOND_NS), newest_ns // SECOND_NS
        if not self._look(last, blocks):
            return None
        if len(self._found) > 1:
            self._found = [Troubles._make(map(np.concatenate, zip(*self._found, strict=True)))]
        found = self._found[0].over(first, last) if self._found else Saturation(0, 0, "")
        return self._with_newest(found, last, row)

    def _with_newest(self, found: Saturation, last: int, row: int) -> Saturation:
        """With the whole seconds in which the client stood still until the one that is not over: that may be
        the run's last."""
        ticks = self._timeline.ticks
        begun = int(np.searchsorted(ticks["t"][:row], float(last) * SECOND_NS, side="right"))
        still_ns = float(ticks["dt"][begun:row].max(initial=0.0))
        if still_ns <= STILL_NS:
            return found
        missed = int(still_ns // SECOND_NS)
        note = f"the client stood still for {still_ns / 1e9:.1f} s"
        return Saturation(found.seconds + missed, found.of_seconds + missed, note)

    def _look(self, last: int, blocks: int | None) -> bool:
        times = self._timeline.ticks["t"]
        while self._next < last:
            if blocks is not None:
                if not blocks:
                    return False
                blocks -= 1
            row = int(np.searchsorted(times, float(self._next) * SECOND_NS, side="right"))
            if row == len(times):
                self._next = last
                break
            # Seconds without a tick cost nothing, however many there are.
            newest_ns = int(times[min(row + _BLOCK, len(times)) - 1])
            end = min(max(newest_ns - 1, 0) // SECOND_NS + 1, last)
            if self._next < end:
                self._found.append(troubles(self._timeline, self._next, end))
            self._next = max(end, self._next + 1)
        return True


def client_saturation(timeline: Timeline) -> Saturation:
    """Over a whole run, or one that goes on as it stands."""
    found = ClientSeconds(timeline).upto(timeline.newest_ns)
    assert found is not None  # without a bound it is always found
    return found


def _before(part: Troubles, second: int) -> Troubles:
    keep = int(np.searchsorted(part.seconds, second))
    return Troubles._make(column[:keep] for column in part)
