"""What bound when: the limit rules folded over a timeline, second by second."""

from __future__ import annotations

from itertools import pairwise

from sessions.bottleneck.client_saturation import SECOND_NS
from sessions.bottleneck.evidence import evidence
from sessions.bottleneck.rules import IDLE, ROOM, Bottleneck, Hysteresis, changes, hysteresis_over
from sessions.timeline.timeline import Event, Timeline

_BLOCK = 300
"""Seconds that are looked at in one go; bounds the memory."""
SPANS_CAP = 500
SECONDS_CAP = 48 * 3600
"""Of a session that goes on for longer, the rest is not judged."""


class BottleneckHistory:
    """Judges each second once, and again when a record of it or of one before comes in late."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._first = 0
        self._judgements: list[Hysteresis] = []
        self._late_ns: int | None = None

    def noted(self, t_ns: int) -> None:
        """The timeline has taken in a record of that time."""
        self._late_ns = t_ns if self._late_ns is None else min(self._late_ns, t_ns)

    def _judged(self, at_ns: int) -> list[Bottleneck]:
        """What was shown at the end of each second up to an instant, from the one in which load began."""
        timeline = self._timeline
        first = max(timeline.first_ns, 0) // SECOND_NS
        if first != self._first:
            self._first, self._judgements = first, []
        if self._late_ns is not None:
            del self._judgements[max((self._late_ns - 1) // SECOND_NS - first, 0) :]
            self._late_ns = None
        last = min(at_ns // SECOND_NS, first + SECONDS_CAP)
        while (known := first + len(self._judgements)) < last:
            seconds = evidence(timeline, known, min(known + _BLOCK, last))
            before = self._judgements[-1] if self._judgements else Hysteresis()
            self._judgements += hysteresis_over(seconds, before)
        return [standing.shown for standing in self._judgements[: max(last - first, 0)]]

    def at(self, at_ns: int) -> Bottleneck:
        """What binds at an instant: as found at the end of the last whole second."""
        found = self._judged(at_ns)
        return found[-1] if found else Bottleneck(IDLE, "")

    def since_ns(self, at_ns: int) -> int:
        """When what binds at an instant was found to: the beginning of the load, or the end of a second."""
        found = self._judged(at_ns)
        cut = changes(found)[-1] if found else 0
        first_ns = self._timeline.first_ns
        return (self._first + cut + 1) * SECOND_NS if cut else first_ns if first_ns <= at_ns else 0

    def events(self, at_ns: int) -> list[Event]:
        """Each change of the limit up to an instant; that a load which begins finds room is none."""
        found = self._judged(at_ns)
        return [
            Event((self._first + i + 1) * SECOND_NS, "limit", _words(found[i]))
            for i in changes(found)
            if not (found[i].limit == ROOM and (not i or found[i - 1].limit == IDLE))
            and (i or found[i].limit != IDLE)
        ]

    def spans(self, start_ns: int, end_ns: int) -> list[dict[str, object]]:
        """For a summary: what bound when, in seconds since `start_ns`, with the figures it began on."""
        found = self._judged(end_ns)
        cuts = changes(found)
        length_s = max(end_ns - start_ns, 0) / 1e9
        out: list[dict[str, object]] = []
        for i, j in pairwise([*cuts, len(found)]):
            # As on the screen: what is found at the end of a second is said from then on.
            from_s, to_s = (((self._first + k + 1) * SECOND_NS - start_ns) / 1e9 for k in (i, j))
            from_s, to_s = from_s if i else 0.0, length_s if j == len(found) else min(to_s, length_s)
            if to_s > from_s:
                finding = {"limit": found[i].limit, "why": found[i].why}
                out.append({"from_s": round(from_s, 3), "to_s": round(to_s, 3), **finding})
        return out[:SPANS_CAP]


def _words(finding: Bottleneck) -> str:
    return f"limit: {finding.limit}" + (f"  {finding.why}" if finding.why else "")
