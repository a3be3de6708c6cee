"""What a report says of loads that drifted, were steady or too short, and of how sure a tail is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sessions.summary.plan_schema import Plan, PlanStage
from tests.tui.report.test_text import latency, stage, summary
from tui.report import text as report
from tui.report.plan import plan_table

WHY = "in flight grows by 0.5/s: 16 rps came, about 15.5 were answered"


def window(verdict: str, **more: Any) -> dict[str, Any]:
    return {"verdict": verdict, "from_s": 4.25, "to_s": 60.0, "why": WHY, **more}


def planned(*verdicts: str | None, columns: tuple[str, ...] = ()) -> str:
    nothing: dict[str, Any] = {field.name: None for field in msgspec.structs.fields(PlanStage)}
    few = dict.fromkeys(("mean", "p50", "p90", "p95", "p99")) | {"count": 0}
    of_all = dict.fromkeys(("ttft_ms", "tpot_ms", "e2e_ms"), few)
    numbers = dict.fromkeys(("requests", "succeeded", "failed", "warm_up_requests"), 9)
    times = dict.fromkeys(("from_s", "measured_from_s", "to_s"), 1.0) | {
        "cut_off": 0,
        "not_sent": 0,
        "scheduled": 0,
    }
    told = {"state": "done", "name": "s", "input_tokens": 8, "output_tokens": 8, "targets": []}
    stages = [
        {**nothing, **of_all, **numbers, **times, **told, "number": i, "window": said and window(said)}
        for i, said in enumerate(verdicts, 1)
    ]
    plan = {"name": "p", "title": "", "source": "", "scale": 1.0, "stages_asked": len(stages)}
    beside = {"charts": [], "fits": [], "published": [], "providers": [], "currency": "$"}
    return plan_table(msgspec.convert({**plan, **beside, "columns": columns, "stages": stages}, Plan))


def test_a_plans_table_has_the_verdict_of_each_stage_and_says_of_which_the_figures_are_no_rates() -> None:
    text = planned("steady", "drifting_up", "too_short", "too_short", None, columns=("requests",))
    rows = text.splitlines()
    assert [row.split()[-1] for row in rows[1:7]] == ["window", "steady", "up", "short", "short", "-"]
    assert f"stage 2 was drifting up: {WHY}" in rows
    assert "its figures are no rates that the server holds" in text
    assert "too short to tell whether the server kept up: 3, 4" in rows


def test_of_stages_that_were_all_steady_nothing_more_is_said() -> None:
    assert planned("steady", "steady").splitlines()[-1].split()[-1] == "steady"
    assert "window" not in planned(None), "ramps have no verdict"


def test_a_run_without_a_plan_says_it_of_each_stretch_of_load_within_80_columns() -> None:
    steps = [
        stage(from_s=0.0, to_s=60.0, window=window("steady", why="answer time 2.3 s ±0.1")),
        stage(from_s=60.0, to_s=90.0, window=window("drifting_up")),
        stage(from_s=90.0, to_s=92.0),
    ]
    text = report.render(summary(steps=steps))
    assert "     4.2 to     60.0 s  steady         answer time 2.3 s ±0.1" in text
    assert "drifting up    in flight grows by 0.5/s" in text
    assert "its figures are no rates to be held" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "measured window" not in report.render(summary())


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({}, "p99 with 99 % confidence: unknown: 126 of 662"),
        (
            {"p90_upper_99": 10.0, "p95_upper_99": 231.4},
            "p95 with 99 % confidence: TTFT from due <= 231; p99 unknown: 126 of 662",
        ),
        (
            {"p90_upper_99": 10.0, "p95_upper_99": 20.0, "p99_upper_99": 1300.2},
            "p99 with 99 % confidence: TTFT from due <= 1,300",
        ),
    ],
)
def test_a_tail_comes_with_what_it_is_at_most_or_with_how_many_that_takes(
    bounds: dict[str, float], said: str
) -> None:
    assert said in report.render(summary(ttft_from_due_ms=latency(**bounds))).splitlines()
