"""Which preset requests ask for at an instant."""

from __future__ import annotations

from sessions.frame.workload import workload_at
from sessions.store.records import LoadChange
from tests.sessions.timeline.folding import folded

S = 1_000_000_000


def test_a_preset_is_in_force_until_another_the_first_one_or_a_stage() -> None:
    timeline = folded(
        LoadChange(1 * S, "start", rate_rps=4.0),
        LoadChange(5 * S, "workload", label="workload: long-context"),
        LoadChange(6 * S, "rate", rate_rps=8.0),
        LoadChange(9 * S, "workload", label="workload: as asked"),
        LoadChange(11 * S, "workload", label="workload: short-chat"),
        LoadChange(12 * S, "stage", label="stage 2: more"),
    )
    found = [workload_at(timeline, second * S) for second in range(14)]
    assert found == [*[""] * 5, *["long-context"] * 4, "", "", "short-chat", "", ""]
