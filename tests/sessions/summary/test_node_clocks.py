"""What a summary says of nodes' clocks."""

from __future__ import annotations

from sessions.store.records import NodeClock
from sessions.summary.node_clocks import clock_notes, widest_ns

S, MS = 1_000_000_000, 1_000_000


def clocks(within_ns: int, *, moved_ns: float | None = None, every_s: int = 5) -> list[NodeClock]:
    said = [NodeClock(i * every_s * S, "a", 0.0, within_ns, 50.0, 30.0) for i in range(4)]
    said[2].moved_ns = moved_ns
    return said


def test_a_clock_that_is_known_well_has_no_word() -> None:
    assert clock_notes({"a": clocks(200_000), "b": clocks(400_000)}) == []


def test_a_bound_above_1_ms_is_said_and_above_10_ms_so_is_what_it_forbids() -> None:
    (said,) = clock_notes({"a": clocks(2 * MS)})
    assert said.startswith("the clock of node a is known within 2.1 ms; ")  # and 30 ppm in 5 s
    (warned,) = clock_notes({"a": clocks(12 * MS)})
    assert "known within 12." in warned
    assert ": what lies less far apart on two nodes cannot be compared" in warned


SLEPT = "(one of the two slept, or was set): its times since it was asked before may be wrong by as much"


def test_a_step_is_said_with_how_far() -> None:
    (said,) = clock_notes({"a": clocks(200_000, moved_ns=-3.02 * S)})
    assert said == f"node a: its clock moved by -3.020000 s against ours {SLEPT}"


def test_of_several_steps_it_is_said_how_many_and_how_far_the_furthest_was() -> None:
    known = clocks(200_000, moved_ns=-3.02 * S)
    known[3].moved_ns = 1.5 * S
    (said,) = clock_notes({"a": known})
    assert said == f"node a: its clock moved 2 times, by up to 3.020000 s, against ours {SLEPT}"


def test_the_widest_bound_is_right_before_the_next_record() -> None:
    assert widest_ns(clocks(1000, every_s=100)) == 1000 + 3 * MS


def test_of_many_nodes_the_first_are_said() -> None:
    many = {f"n{i:02}": clocks(2 * MS) for i in range(20)}
    notes = clock_notes(many)
    assert len(notes) == 9
    assert notes[-1] == "so 12 more nodes"
