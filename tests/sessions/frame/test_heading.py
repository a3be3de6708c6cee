"""Where the load is going, by hand."""

from __future__ import annotations

import msgspec
import pytest

from sessions.frame.heading import heading
from sessions.plan.config import LoadConfig, PlanConfig
from sessions.plan.ramp import Ramp
from sessions.plan.stages import Stage
from sessions.store.records import LoadChange, StageChange
from tests.sessions.summary.summing import manifest
from tests.sessions.timeline.folding import folded

S = 1_000_000_000
START = LoadChange(t_ns=2 * S, change="start", rate_rps=1.0)


def test_a_ramp_leads_to_its_end_until_it_is_there_or_a_key_ends_it() -> None:
    ramped = manifest(LoadConfig(ramp=Ramp(1.0, 24.0, 60.0)))
    assert heading(folded(START), ramped, 1 * S) is None
    assert heading(folded(START), ramped, 30 * S) == 24.0
    assert heading(folded(START), ramped, 62 * S) is None
    changed = folded(START, LoadChange(t_ns=20 * S, change="rate", rate_rps=5.0))
    assert heading(changed, ramped, 19 * S) == 24.0
    assert heading(changed, ramped, 30 * S) is None
    assert heading(folded(START), manifest(LoadConfig(rate_rps=1.0)), 30 * S) is None


@pytest.mark.parametrize(
    ("event", "number", "at_s", "to"),
    [
        ("begin", 0, 9, 12.0),  # the next stage
        ("load_over", 0, 9, 12.0),
        ("begin", 1, 9, 32.0),  # the end of its own ramp
        ("begin", 1, 70, None),  # which is over
        ("over", 1, 9, 8),  # a concurrency
        ("begin", 2, 9, None),  # the last
        ("left", 0, 9, None),
    ],
)
def test_a_plan_leads_to_the_end_of_a_ramp_or_to_its_next_stage(event, number, at_s, to) -> None:
    stages = [Stage("a", rate_rps=4.0), Stage("b", ramp=Ramp(12.0, 32.0, 60.0)), Stage("c", concurrency=8)]
    planned = manifest()
    planned.config = msgspec.structs.replace(planned.config, plan=PlanConfig("p", stages))
    timeline = folded(StageChange(5 * S, number, event))
    assert heading(timeline, planned, 4 * S) is None
    assert heading(timeline, planned, at_s * S) == to
