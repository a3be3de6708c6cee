"""Kernel stamps are wall time: what becomes of them when the wall clock is set while a run goes on."""

from __future__ import annotations

import struct

import pytest

from loadgen.clock import ManualClock
from loadgen.transport.receive_times import TimedReader

MS = 1_000_000
S = 1_000 * MS


class WallClock:
    """A wall clock that can be set; beside it session time, in which the truth is told."""

    def __init__(self) -> None:
        self.clock = ManualClock(10 * S, wall_ns=1_700_000_000 * S)
        self.reader = TimedReader(self.clock)
        self.reader.refresh()

    def stamp(self) -> bytes:
        """What the kernel puts on data that arrives now."""
        return struct.pack("ll", *divmod(self.clock.now_ns() + self.clock.wall_ns, S))

    def after(self, ns: int) -> int:
        self.clock.advance_to(self.clock.now_ns() + ns)
        return self.clock.now_ns()


@pytest.mark.parametrize("step_ms", [-300, -20, -1, 1, 20, 300, -3_600_000, 3_600_000])
def test_no_stamp_is_wrong_by_a_step_of_the_wall_clock(step_ms: int) -> None:
    wall = WallClock()
    before = wall.stamp(), wall.after(2 * MS)
    came_ns = wall.clock.now_ns()
    unread = wall.stamp()
    wall.after(MS)
    wall.clock.wall_ns += step_ms * MS
    after = wall.stamp(), wall.clock.now_ns()
    read_ns = wall.after(3 * MS)
    assert before[1] - 2 * MS <= came_ns
    for stamp, truth_ns in ((unread, came_ns), after):
        t_ns, by_kernel = wall.reader.time_of(stamp, read_ns)
        assert t_ns == (truth_ns if by_kernel else read_ns)
    both = wall.reader.times_of([unread, after[0]], [read_ns, read_ns])
    assert both in ([], [came_ns, after[1]])


def test_data_left_unread_across_a_step_back_is_not_dated_by_the_clock_that_was_set() -> None:
    wall = WallClock()
    unread = wall.stamp()
    wall.after(2 * MS)
    wall.clock.wall_ns -= 20 * MS
    wall.reader.time_of(wall.stamp(), wall.after(MS))  # another socket finds the step
    read_ns = wall.after(30 * MS)
    assert wall.reader.time_of(unread, read_ns) == (read_ns, False)
    assert wall.reader.times_of([unread], [read_ns]) == []


@pytest.mark.parametrize("step_ms", [-300, -20, 20, 300, -3_600_000])
def test_stamps_are_believed_again_once_the_step_is_past(step_ms: int) -> None:
    wall = WallClock()
    wall.clock.wall_ns += step_ms * MS
    wall.reader.time_of(wall.stamp(), wall.after(MS))
    wall.after(5 * S + MS)
    came_ns, stamp = wall.clock.now_ns(), wall.stamp()
    read_ns = wall.after(MS)
    assert wall.reader.time_of(stamp, read_ns) == (came_ns, True)
    assert wall.reader.times_of([stamp] * 2, [read_ns] * 2) == [came_ns] * 2


def test_a_step_is_told_once_with_its_size() -> None:
    wall = WallClock()
    for step_ms in (-200, 50):
        wall.after(S)
        wall.clock.wall_ns += step_ms * MS
        for _ in range(3):
            wall.reader.time_of(wall.stamp(), wall.after(MS))
    assert [round(moved_ns / MS) for _, moved_ns in wall.reader.steps()] == [-200, 50]
    assert wall.reader.steps() == []


def test_a_clock_that_is_slewed_is_not_stepped() -> None:
    """NTP slews by 500 us a second at most (adjtimex(2))."""
    wall = WallClock()
    for _ in range(40):
        wall.after(250 * MS)
        wall.clock.wall_ns += 125_000
        wall.reader.refresh()
        came_ns, stamp = wall.clock.now_ns(), wall.stamp()
        t_ns, by_kernel = wall.reader.time_of(stamp, wall.after(MS))
        assert by_kernel
        assert abs(t_ns - came_ns) <= 500_000
    assert wall.reader.steps() == []
