"""A live run's load: a person's command takes the keys from a plan, which ends no run while it is left."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loadgen.clock import MonotonicClock, monotonic_ns
from loadgen.worker_config import SetLoad
from loadgen.workload.lengths import Fixed
from loadgen.workload.spec import PromptSpec, SyntheticWorkload
from sessions.plan.config import LoadConfig, PlanConfig, RunConfig
from sessions.plan.stages import Stage
from sessions.plan.target_config import TargetConfig
from sessions.run.commands import CommandError, Hold, Resume, SetRamp, SetRate, SetWorkload
from sessions.run.load_control import LoadControl
from sessions.run.plan_runner import PlanRunner
from sessions.run.run_load import RunLoad
from sessions.worker.states import LEAD_NS

S = 1_000_000_000
WORK = SyntheticWorkload(PromptSpec("ids", 9), Fixed(5), Fixed(5))


def with_a_plan(said: list[Any], lead_ns: int = LEAD_NS) -> RunLoad:
    """A run in the first stage of its plan; `said` gets what workers and session are told."""
    plan = PlanConfig("p", [Stage("a", rate_rps=4.0, duration_s=60.0)])
    config = RunConfig(TargetConfig("http://127.0.0.1:1"), LoadConfig(rate_rps=4.0), plan=plan)
    processes = SimpleNamespace(tell_all=said.append, lead_ns=lead_ns)
    journal = SimpleNamespace(append=said.append)
    clock = MonotonicClock(monotonic_ns())
    load = RunLoad(config, Path(), processes, clock, journal, said.append)  # type: ignore[arg-type]
    load._control = LoadControl(config.load, 0)
    loads = SimpleNamespace(record=lambda change: said.append((change.number, change.event)))
    load._plan = PlanRunner(plan, loads, clock)  # type: ignore[arg-type]
    return load


@pytest.mark.parametrize("command", [SetRate(7.0), Hold()])
def test_a_command_takes_the_keys_from_a_plan_and_they_can_be_given_back_once(command: Any) -> None:
    said: list[Any] = []
    load = with_a_plan(said)
    with pytest.raises(CommandError, match="the plan is running"):
        load.give_back()
    assert load.ends_by_itself("running")
    load.change(command, S)
    assert said[0] == (0, "left")
    assert not load.ends_by_itself("running"), "nobody gives them back"
    load.give_back()
    assert load.ends_by_itself("running")
    with pytest.raises(CommandError, match="the plan is running"):
        load.give_back()


def test_a_plan_takes_no_ramp_until_a_person_has_the_keys() -> None:
    said: list[Any] = []
    load = with_a_plan(said)
    with pytest.raises(CommandError, match="the plan sets the rate"):
        load.change(SetRamp(8.0, 10.0), S)
    assert said == []
    load.change(SetRate(7.0), S)
    assert load.change(SetRamp(8.0, 10.0), 2 * S).rate_rps == 7.0


def test_a_command_that_is_refused_takes_nothing_from_a_plan() -> None:
    said: list[Any] = []
    load = with_a_plan(said)
    with pytest.raises(CommandError, match="rate"):
        load.change(SetRate(1e12), S)
    assert said == []
    assert load.ends_by_itself("running")


def test_other_requests_between_two_stages_are_refused_and_leave_the_plan_its_load() -> None:
    said: list[Any] = []
    load = with_a_plan(said)
    assert load._control is not None
    load._presets = SimpleNamespace(chosen=lambda name: ("b", WORK))  # type: ignore[assignment]
    load._control.begin_stage(0, 2, Stage("a", rate_rps=4.0, duration_s=9.0), WORK, S)
    load._control.end_stage(10 * S)
    with pytest.raises(CommandError, match=r"^nothing is being sent: resume it, or set a load$"):
        load.change(SetWorkload(), 11 * S)
    assert said == []
    assert load.ends_by_itself("draining"), "the plan was not left"
    load.change(Resume(), 12 * S)  # a person who wants the load of that stage has it, and what it asks for
    assert load.change(SetWorkload(), 13 * S).state == "running"
    load.change(Hold(), 14 * S)
    ack = load.change(SetWorkload(), 15 * S)
    assert (ack.state, ack.rate_rps) == ("holding", 0.0), "what a person held they may ask for anew"


@pytest.mark.parametrize(("lead_ns", "shown_ns"), [(LEAD_NS, 0), (240_000_000, 240_000_000)])
def test_a_change_holds_once_the_slowest_worker_has_heard_of_it_and_says_when_that_is(
    lead_ns: int, shown_ns: int
) -> None:
    said: list[Any] = []
    ack = with_a_plan(said, lead_ns).change(SetRate(7.0), S)
    assert (ack.at_ns, ack.lead_ns) == (S + lead_ns, shown_ns)
    (told,) = [one for one in said if isinstance(one, SetLoad)]
    assert told.at_ns == S + lead_ns
