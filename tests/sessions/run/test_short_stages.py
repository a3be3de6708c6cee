"""Stages shorter than their answers are named before they run."""

from __future__ import annotations

from loadgen.probe.result import WarmUp
from sessions.plan.config import LoadConfig, PlanConfig, RunConfig, WorkloadConfig
from sessions.plan.stages import Stage
from sessions.plan.target_config import TargetConfig
from sessions.run.short_stages import short_stages

TARGET = TargetConfig("http://127.0.0.1:1")
COLD = WarmUp(ttft_ms=5000.0, total_ms=9000.0, chunks=8, input_tokens=10, output_tokens=9)
WARM = WarmUp(ttft_ms=500.0, total_ms=1200.0, chunks=8, input_tokens=10, output_tokens=8)
"""100 ms a token after 500 ms."""


def config(*stages: Stage, **more: object) -> RunConfig:
    plan = PlanConfig("p", list(stages)) if stages else None
    work = WorkloadConfig(output_tokens=256)  # 26 s
    return RunConfig(TARGET, workload=work, plan=plan, **more)  # type: ignore[arg-type]


def test_those_are_named_that_are_over_before_an_answer_is() -> None:
    stages = [
        Stage("a", rate_rps=1.0, duration_s=20.0),
        Stage("b", rate_rps=1.0, duration_s=60.0),
        Stage("c", rate_rps=1.0, duration_s=60.0, output_tokens="700..900"),
        Stage("d", rate_rps=10.0, requests=100),
        Stage("e", concurrency=4, requests=9),
    ]
    assert short_stages(config(*stages), [COLD, WARM]) == (
        "stage 1 (a), stage 3 (c), stage 4 (d): shorter than its answers (up to 26 s in 10 s, at the probe's "
        "pace): no steady state can be measured there"
    )


def test_of_many_the_first_are_named_and_of_a_plan_taken_up_again_those_to_come() -> None:
    stages = [Stage(str(i), rate_rps=1.0, duration_s=1.0) for i in range(9)]
    line = short_stages(config(*stages), [WARM])
    assert line.startswith("stage 1 (0), ")
    assert "stage 6 (5) and 3 more: " in line
    plan = PlanConfig("p", stages, first_stage=8)
    assert short_stages(
        RunConfig(TARGET, workload=WorkloadConfig(output_tokens=256), plan=plan), [WARM]
    ).startswith("stage 9 (8): ")


def test_a_run_without_a_plan_is_one_stage() -> None:
    assert short_stages(config(load=LoadConfig(duration_s=10.0)), [WARM]).startswith("this run: shorter")
    assert short_stages(config(load=LoadConfig(duration_s=30.0)), [WARM]) == ""
    assert short_stages(config(), [WARM]) == "", "it has no end"


def test_a_probe_that_saw_no_second_token_says_nothing() -> None:
    one = WarmUp(ttft_ms=5.0, total_ms=5.0, chunks=1, input_tokens=1, output_tokens=1)
    assert short_stages(config(Stage("a", rate_rps=1.0, duration_s=1.0)), [one]) == ""
