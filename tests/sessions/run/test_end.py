"""The end of a run: how long a worker may take for it."""

from __future__ import annotations

import pytest

from sessions.run.commands import FinishRun, InterruptRun
from sessions.run.end import RunEnd, end_by, kill_after_s, plan_end


def test_a_worker_with_many_requests_to_cut_off_may_take_longer_before_it_is_killed() -> None:
    assert kill_after_s(1) == kill_after_s(2_000) == 1.5
    assert kill_after_s(10_000) == 5.5


@pytest.mark.parametrize(
    "end", [end_by(InterruptRun(), 3600.0), plan_end(ValueError("no such stage"), 3600.0)], ids=str
)
def test_an_end_that_nobody_planned_leaves_a_second_of_its_two_for_saving(end: RunEnd) -> None:
    assert end.drain_s <= 1.0


def test_an_end_that_a_person_planned_waits_as_long_as_the_run_says() -> None:
    assert end_by(FinishRun(), 3600.0).drain_s == 3600.0
