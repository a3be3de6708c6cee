"""Where in the session the screen looks, and how that moves. Pure: every time is passed in.

Session times (`*_ns`) are the frame's; `now_s` is any clock of seconds that does not run backwards.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

_MINUTE_NS = 60_000_000_000
_AGES_NS = tuple(minutes * _MINUTE_NS for minutes in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1440))
"""How far now has moved on from what stands still, as it is said: rarely, so that nothing moves by itself."""
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True)
class Playhead:
    """`following` sticks to the newest instant; else `at_ns` stands, or moves at `speed` while `playing`."""

    at_ns: int = 0
    following: bool = True
    playing: bool = False
    speed: float = 1.0
    moved_s: float | None = None
    """When `at_ns` was last brought up to date; None while it does not move by itself."""

    def advanced(self, now_s: float, first_ns: int, last_ns: int, live: bool) -> Playhead:
        """As it stands at `now_s`. Catching up with a live run follows it; the end of a replay stops."""
        if self.following:
            return replace(self, at_ns=last_ns, moved_s=None)
        if not self.playing:
            return replace(self, at_ns=_within(self.at_ns, first_ns, last_ns), moved_s=None)
        elapsed_s = 0.0 if self.moved_s is None else max(now_s - self.moved_s, 0.0)
        at_ns = _within(self.at_ns + round(elapsed_s * self.speed * 1e9), first_ns, last_ns)
        if at_ns >= last_ns:
            return self.to_end(last_ns, live)
        return replace(self, at_ns=at_ns, moved_s=now_s)

    def sought(self, to_ns: int, first_ns: int, last_ns: int, live: bool) -> Playhead:
        """At `to_ns`. Live, the past stands still to be looked at, and reaching the end follows again."""
        if to_ns >= last_ns:
            return self.to_end(last_ns, live)
        playing = self.playing and not live
        return replace(
            self, at_ns=_within(to_ns, first_ns, last_ns), following=False, playing=playing, moved_s=None
        )

    def to_end(self, last_ns: int, live: bool) -> Playhead:
        return replace(self, at_ns=last_ns, following=live, playing=False, moved_s=None)

    def toggled(self, first_ns: int, last_ns: int) -> Playhead:
        """Play or pause; play at the very end begins again."""
        if self.playing:
            return replace(self, playing=False, moved_s=None)
        at_ns = first_ns if self.at_ns >= last_ns else self.at_ns
        return replace(self, at_ns=at_ns, following=False, playing=True, moved_s=None)

    def paced(self, notches: int) -> Playhead:
        """Faster or slower by so many entries of `SPEEDS`."""
        index = SPEEDS.index(self.speed) + notches
        return replace(self, speed=SPEEDS[min(max(index, 0), len(SPEEDS) - 1)])


def said_end_ns(at_ns: int, settled_ns: int, last_ns: int) -> int:
    """What is said of the end, `last_ns`, of a live run of which `at_ns` has stood still since the end was
    `settled_ns`: that, and from a minute on a round length after `at_ns`. Never later than it is."""
    passed_ns = [age_ns for age_ns in _AGES_NS if age_ns <= last_ns - at_ns]
    return max(settled_ns, at_ns + max(passed_ns, default=0))


def next_mark_ns(marks_ns: Sequence[int], at_ns: int) -> int | None:
    """The first mark after `at_ns`, of marks in order; None past the last."""
    i = bisect_right(marks_ns, at_ns)
    return marks_ns[i] if i < len(marks_ns) else None


def previous_mark_ns(marks_ns: Sequence[int], at_ns: int) -> int | None:
    i = bisect_left(marks_ns, at_ns)
    return marks_ns[i - 1] if i else None


def _within(at_ns: int, first_ns: int, last_ns: int) -> int:
    return max(min(at_ns, last_ns), min(first_ns, last_ns))
