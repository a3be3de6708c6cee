"""What bound when: the rules folded over a timeline, second by second, each judged once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise

import msgspec
import numpy as np

from sessions.bottleneck.client_saturation import SECOND_NS
from sessions.bottleneck.client_seconds import ClientSeconds
from sessions.bottleneck.evidence_by_second import evidence, next_cut
from sessions.bottleneck.hysteresis import HOLD, hysteresis_over, next_hysteresis, shown_after
from sessions.bottleneck.judged import Judged
from sessions.bottleneck.names import limit_name
from sessions.bottleneck.rules import IDLE, ROOM, Bottleneck
from sessions.bottleneck.seconds import LEAD_S
from sessions.timeline.event import Event
from sessions.timeline.timeline import Timeline

_BLOCK = 300
"""Seconds that are looked at in one go; bounds the memory."""
_CALL = 20
"""What it costs to look at any, in seconds more to look at."""
_QUIET = LEAD_S + HOLD + 1
"""Seconds after a tick, and after the server was lost or found, in which what binds may still become another.

Later, and until the next of them, either nothing is under way, or a client has not run since, or the server
refuses connections: each of them for as long as the silence lasts.
"""
_NEAR = 32
"""Seconds before an instant that mostly tell what binds then, whatever was before them."""
SPANS_CAP = 500
SECONDS_CAP = 48 * 3600
"""Of a session with more seconds in which something happened, the rest is not judged."""


class LimitSpan(msgspec.Struct, frozen=True):
    """What bound for how long; seconds since load began."""

    from_s: float
    to_s: float
    limit: str
    """As `sessions.bottleneck.rules` names it."""
    why: str
    """The figures of its median second, by requests in flight; summaries of older versions have those of the
    first."""


class BottleneckHistory:
    """Judges each second once, and again when a record of it or of one before comes in late.

    Seconds long after a tick and before the next cost nothing: what was shown before them stands. So a time
    stamp of ten years ahead costs no more than any other.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.client = ClientSeconds(timeline)
        """In how many of them the client was the limit."""
        self._late_ns: int | None = None
        self._workers = 0
        self._start(0)

    def _start(self, first: int) -> None:
        self._first = self._next = first
        """The second in which load began, and the first one that is not judged yet."""
        self._judged = Judged()
        self._changes: list[int] = []
        """The places in it at which another limit came into force; the first one is one."""
        self._events: list[Event] = []
        self._near: tuple[int, Bottleneck | None] | None = None

    def noted(self, t_ns: int) -> None:
        """The timeline has taken in a record of that time."""
        self._late_ns = t_ns if self._late_ns is None else min(self._late_ns, t_ns)
        self.client.noted(t_ns)

    # judging

    def judge(self, at_ns: int, most: int | None = None) -> bool:
        """Goes on judging up to an instant, by about `most` seconds; True when all before it are judged."""
        self._forget()
        last = at_ns // SECOND_NS
        left = SECONDS_CAP - len(self._judged) if most is None else most
        while not self.judged(at_ns):
            first, end = self._lively(self._next, last)
            if first < end:
                if left <= 0:
                    return False
                end = next_cut(self._timeline, first, min(end, first + left))
                self._take(first, end)
                left -= end - first if most is None else end - first + _CALL
            self._next = end
        return True

    def _forget(self) -> None:
        """What rests on something that has changed since."""
        timeline = self._timeline
        first, workers = max(timeline.first_ns, 0) // SECOND_NS, len(timeline.workers)
        if (first, workers) != (self._first, self._workers):
            self._workers = workers
            self._start(first)
        if self._late_ns is not None:
            self._next = max(min((self._late_ns - 1) // SECOND_NS, self._next), first)
            del self._changes[bisect_left(self._changes, self._judged.forget_from(self._next)) :]
            del self._events[self._events_upto(self._next * SECOND_NS) :]
            self._late_ns = self._near = None

    def _lively(self, first: int, last: int) -> tuple[int, int]:
        """From and to which seconds of `[first, last)` what binds may change next: `_BLOCK` at most."""
        times, reach = self._timeline.ticks["t"], self._timeline.reach
        from_ns, to_ns = (first - _QUIET) * SECOND_NS, (first + _BLOCK) * SECOND_NS
        a, b = np.searchsorted(times, (from_ns, to_ns), side="right")
        reached_ns = np.array(reach.changes_ns(from_ns, to_ns), dtype=np.int64)
        at_ns = np.concatenate([times[a : b + 1].astype(np.int64), reached_ns])
        seconds = np.append((at_ns - 1) // SECOND_NS, self._first)
        seconds = np.unique(seconds[seconds >= first - _QUIET])
        begin = first
        for second in seconds.tolist():
            if second > begin:
                if begin > first:
                    break
                begin = first = int(second)
            begin = max(begin, int(second) + _QUIET + 1)
        return (min(first, last), min(begin, first + _BLOCK, last)) if begin > first else (last, last)

    def _take(self, first: int, end: int) -> None:
        before = self._judged.last
        known = evidence(self._timeline, first, end)
        for second, (of, found) in enumerate(zip(known, hysteresis_over(known, before), strict=True), first):
            limits = before.shown.limit, found.shown.limit
            if not len(self._judged) or limits[0] != limits[1]:
                self._changes.append(len(self._judged))
                if limits not in ((IDLE, IDLE), (IDLE, ROOM)):
                    self._events.append(Event((second + 1) * SECOND_NS, "limit", _words(found.shown)))
            self._judged.add(second, found, of.in_flight)
            before = found

    def judged(self, at_ns: int) -> bool:
        """All seconds before an instant are judged."""
        return self._next >= at_ns // SECOND_NS or len(self._judged) >= SECONDS_CAP

    # asking

    def shown(self, at_ns: int, most: int) -> Bottleneck | None:
        """What `at` says, for a screen that cannot wait: None when that would take more than `most` seconds'
        judging. Each call judges about as many more, so that `judged` is true after some.
        """
        second = at_ns // SECOND_NS - 1
        nearby = self._near is not None and self._near[0] == second
        if self.judge(at_ns, most if nearby or second < self._next + most else 0):
            return self.at(at_ns)
        return self.near(at_ns)

    def at(self, at_ns: int) -> Bottleneck:
        """What binds at an instant: as found at the end of the last whole second."""
        self.judge(at_ns)
        second = at_ns // SECOND_NS - 1
        place = self._judged.upto(second) - 1
        if place < 0:
            return Bottleneck(IDLE, "")
        before = self._judged[place]
        if self._judged.second(place) == second or before.shown.limit == IDLE:
            return before.shown
        return next_hysteresis(before, *evidence(self._timeline, second, second + 1)).shown

    def near(self, at_ns: int) -> Bottleneck | None:
        """What `at` will say, by the last seconds alone; None where more of them must be judged to know."""
        self._forget()
        second = at_ns // SECOND_NS - 1
        if self._near is None or self._near[0] != second:
            first = max(second + 1 - _NEAR, self._first)
            self._near = second, shown_after(evidence(self._timeline, first, second + 1))
        return self._near[1]

    def since_ns(self, at_ns: int) -> int:
        """When what binds at an instant was found to: the beginning of the load, or the end of a second."""
        self.judge(at_ns)
        place = self._judged.upto(at_ns // SECOND_NS - 1)
        change = bisect_left(self._changes, place) - 1
        if change > 0:
            return (self._judged.second(self._changes[change]) + 1) * SECOND_NS
        first_ns = self._timeline.first_ns
        return first_ns if first_ns <= at_ns else 0

    def events(self, at_ns: int, most: int | None = None) -> list[Event]:
        """Each change of the limit up to an instant; that a load which begins finds room is none.

        Judges as `judge(at_ns, most)` does: with a bound, changes may be missing at the end.
        """
        self.judge(at_ns, most)
        return self._events[: self._events_upto(at_ns)]

    def _events_upto(self, at_ns: int) -> int:
        return bisect_right(self._events, at_ns, key=lambda event: event.t_ns)

    def spans(self, start_ns: int, end_ns: int) -> list[LimitSpan]:
        """For a summary: what bound when, in seconds since `start_ns`, with typical figures."""
        self.judge(end_ns)
        last = end_ns // SECOND_NS
        cuts = [place for place in self._changes if self._judged.second(place) < last]
        length_s = max(end_ns - start_ns, 0) / 1e9
        out: list[LimitSpan] = []
        for place, after in pairwise([*cuts, None]):
            # As on the screen: what is found at the end of a second is said from then on.
            from_s, to_s = 0.0, length_s
            if place:
                from_s = ((self._judged.second(place) + 1) * SECOND_NS - start_ns) / 1e9
            if after is not None:
                to_s = min(((self._judged.second(after) + 1) * SECOND_NS - start_ns) / 1e9, length_s)
            if to_s > from_s and place is not None:
                end = self._judged.upto(last - 1) if after is None else after
                limit, why = self._judged[self._judged.median(place, end)].shown
                out.append(LimitSpan(round(from_s, 3), round(to_s, 3), limit, why))
        return out[:SPANS_CAP]


def _words(found: Bottleneck) -> str:
    return f"binds: {limit_name(found.limit)}" + (f"  {found.why}" if found.why else "")
