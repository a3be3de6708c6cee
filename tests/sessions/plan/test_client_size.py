"""Workers and descriptors are planned from the load that was asked for."""

from __future__ import annotations

import pytest

from sessions.plan.client_size import planned_events_per_s, workers_for
from sessions.plan.config import ConfigError, LoadConfig, PlanConfig, Ramp, RunConfig, WorkloadConfig, checked
from sessions.plan.stages import Stage
from sessions.plan.target_config import TargetConfig
from sessions.run.worker_configs import planned_client

PEAK = Ramp(from_rps=64.0, to_rps=2.0, over_s=60.0)


@pytest.mark.parametrize(
    ("load", "tokens", "wanted"),
    [
        (LoadConfig(rate_rps=64.0), 200, 12_800.0),
        (LoadConfig(rate_rps=1.0, ramp=PEAK), 100, 6_400.0),
        (LoadConfig(concurrency=40), 200, 2_000.0),
        (LoadConfig(concurrency=40, max_in_flight=10), 200, 500.0),
    ],
)
def test_the_planned_load_is_that_of_its_highest_point(load: LoadConfig, tokens: int, wanted: float) -> None:
    assert planned_events_per_s(load, tokens) == wanted


@pytest.mark.parametrize(
    ("load", "cores", "workers"),
    [
        (LoadConfig(rate_rps=1.0), 64, 1),
        (LoadConfig(rate_rps=35.0), 64, 1),  # 7,000 of 10,000 events/s: still comfortable
        (LoadConfig(rate_rps=36.0), 64, 2),
        (LoadConfig(rate_rps=350.0), 64, 10),
        (LoadConfig(rate_rps=350.0), 8, 7),  # a core is left for all else
        (LoadConfig(rate_rps=350.0), 2, 1),
        (LoadConfig(rate_rps=350.0), 1, 1),
        (LoadConfig(rate_rps=350.0, max_in_flight=3), 64, 3),
        (LoadConfig(rate_rps=1.0, workers=5), 2, 5),  # a number that was given is obeyed
    ],
)
def test_auto_takes_as_many_workers_as_load_and_cores_need(
    load: LoadConfig, cores: int, workers: int
) -> None:
    assert workers_for(load, 200, 10_000.0, cores) == workers


def test_no_worker_is_without_a_slot_of_a_closed_loop() -> None:
    """It would never send its share of `--requests`, and the run never end."""
    assert workers_for(LoadConfig(concurrency=1, requests=6, workers=2), 200, 10_000.0, 8) == 1
    assert workers_for(LoadConfig(concurrency=3, workers=2), 200, 10_000.0, 8) == 2


def test_no_worker_lets_the_load_exceed_what_may_be_in_flight() -> None:
    assert workers_for(LoadConfig(max_in_flight=1, workers=2), 200, 10_000.0, 8) == 1
    assert workers_for(LoadConfig(concurrency=1, max_in_flight=1, workers=2), 200, 10_000.0, 8) == 1


def test_a_machine_calibrated_to_do_more_needs_fewer_workers() -> None:
    assert workers_for(LoadConfig(rate_rps=350.0), 200, 50_000.0, 64) == 2


def test_the_number_of_workers_is_auto_or_at_least_one() -> None:
    target = TargetConfig("http://localhost:8000")
    assert checked(RunConfig(target)).load.workers == "auto"
    assert checked(RunConfig(target, LoadConfig(workers=3))).load.workers == 3
    with pytest.raises(ConfigError, match="--workers: got 0"):
        checked(RunConfig(target, LoadConfig(workers=0)))


def test_a_plan_has_the_workers_of_its_heaviest_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessions.run.worker_configs.cores", lambda: 8)
    monkeypatch.setattr("sessions.run.worker_configs.valid_here", lambda: None)
    heavy = Stage("b", rate_rps=700.0, duration_s=1.0, output_tokens=200)
    plan = PlanConfig("p", [Stage("a", rate_rps=1.0, duration_s=1.0), heavy])
    planned = planned_client(RunConfig(TargetConfig("http://h"), plan=plan))
    assert planned["planned_events_per_s"] == 140_000
    alone = RunConfig(TargetConfig("http://h"), LoadConfig(rate_rps=700.0), WorkloadConfig(output_tokens=200))
    assert planned["workers"] == planned_client(alone)["workers"] > 1


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (Stage("a", rate_rps=1001.0, duration_s=1.0), "stage 1: rate 1001 rps is above --max-rate 1000"),
        (Stage("a", ramp=Ramp(1.0, 2000.0, 5.0)), "stage 1: ramp 2000 rps is above --max-rate 1000"),
        (Stage("a", concurrency=5000, requests=1), "stage 1: concurrency 5000 is above --max-in-flight 4096"),
    ],
)
def test_a_stage_beyond_a_bound_of_the_run_is_refused(stage: Stage, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        checked(RunConfig(TargetConfig("http://h"), plan=PlanConfig("p", [stage])))
