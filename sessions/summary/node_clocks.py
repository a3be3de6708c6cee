"""What a summary says of the clocks of a session's nodes: only what limits its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from sessions.store.node_clocks import SAID_NS, known_within, within_ns
from sessions.store.records import NodeClock
from telemetry.clock_offset import moved

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
        moves_ns = [clock.moved_ns for clock in known if clock.moved_ns is not None]
        if moves_ns:
            said.append(f"node {node}: {moved(moves_ns)}")
        widest = widest_ns(known)
        if widest > SAID_NS:
            said.append(
                f"{known_within(node, widest)}; TTFT, ITL and E2E are each of one clock, and as exact as ever"
            )
    left_out = len(said) - NOTES_CAP
    return [*said[:NOTES_CAP], *([f"so {left_out} more nodes"] if left_out > 0 else [])]
