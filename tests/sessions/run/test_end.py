"""The end of a run: how long a worker may take for it."""

from __future__ import annotations

from sessions.run.end import kill_after_s


def test_a_worker_with_many_requests_to_cut_off_may_take_longer_before_it_is_killed() -> None:
    assert kill_after_s(1) == kill_after_s(2_000) == 1.5
    assert kill_after_s(10_000) == 5.5
