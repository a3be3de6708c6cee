"""What a summary says of the clocks of a session's nodes: only what limits its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from sessions.digits import digits
from sessions.store.node_clocks import SAID_NS, known_within, within_ns
from sessions.store.records import NodeClock

NOTES_CAP = 8
"""Nodes that have a sentence each."""


def widest_ns(clocks: Sequence[NodeClock]) -> int:
    """The widest bound of any instant from the first record to the last: right before the next record."""
    before = [within_ns([one], two.t_ns - 1) for one, two in pairwise(clocks)]
    return max([*before, *(clock.within_ns for clock in clocks)])


def clock_notes(clocks: Mapping[str, Sequence[NodeClock]]) -> list[str]:
    """A sentence for each node whose clock stepped, or is known too little to say what came first."""
    said = []
    for node, known in sorted(clocks.items()):
        moved = [clock for clock in known if clock.moved_ns is not None]
        if moved:
            far = max(abs(clock.moved_ns or 0.0) for clock in moved)
            times = "once" if len(moved) == 1 else f"{len(moved)} times"
            said.append(
                f"the clock of node {node} moved {times} against ours, by {digits(far / 1e9, 3)} s at the "
                "most (one slept, or was set): its times between two looks at it may be wrong by as much"
            )
        widest = widest_ns(known)
        if widest > SAID_NS:
            said.append(
                f"{known_within(node, widest)}; TTFT, ITL and E2E are each of one clock, and as exact as ever"
            )
    left_out = len(said) - NOTES_CAP
    return [*said[:NOTES_CAP], *([f"so {left_out} more nodes"] if left_out > 0 else [])]
