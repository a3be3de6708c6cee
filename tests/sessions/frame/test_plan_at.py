"""Where a plan stands at an instant, by hand."""

from __future__ import annotations

import pytest

from sessions.frame.plan import plan_at
from sessions.plan.config import PlanConfig
from sessions.plan.stages import Stage
from sessions.store.records import StageChange
from tests.sessions.timeline.folding import folded

S = 1_000_000_000


@pytest.mark.parametrize(
    ("at_s", "state", "stage", "left_s"),
    [
        (2, "running", 1, 3 + 6 + 4),  # of its time, its pause, and the next: none follows the last
        (6, "draining", 1, 6 + 4),
        (9, "over", 1, 4 + 4),
        (20, "over", 1, 4),
        (32, "left", 2, None),
        (34, "running", 2, 3),
        (40, "over", 2, 0),
    ],
)
def test_what_is_left_of_a_plan_is_times_and_pauses_but_none_after_the_last(
    at_s: int, state: str, stage: int, left_s: float | None
) -> None:
    stages = [
        Stage("a", rate_rps=1.0, duration_s=4.0, pause_s=6.0),
        Stage("b", rate_rps=1.0, duration_s=4.0, pause_s=6.0),
    ]
    events = [
        *((1, 0, "begin"), (5, 0, "load_over"), (7, 0, "over")),
        *((30, 1, "begin"), (31, 1, "left"), (33, 1, "begin"), (37, 1, "load_over"), (38, 1, "over")),
    ]
    timeline = folded(*(StageChange(t * S, number, event) for t, number, event in events))
    found = plan_at(timeline, PlanConfig("p", stages), at_s * S)
    assert found is not None
    assert (found.state, found.stage, found.left_s) == (state, stage, left_s)
