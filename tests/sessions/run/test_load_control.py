"""Commands become load: what is told to the workers, written down and shown, worked out by hand."""

from __future__ import annotations

import math

import pytest

from loadgen.worker_config import Segment, SetConcurrency, SetCurve
from sessions.plan.config import LoadConfig, Ramp
from sessions.run.load_control import LEAD_NS, LoadControl, LoadControlError

S = 1_000_000_000


def test_a_rate_takes_effect_a_lead_after_it_was_read_and_says_what_it_replaced() -> None:
    steering = LoadControl(LoadConfig(rate_rps=10.0), 0)
    step = steering.obey({"cmd": "rate", "rate_rps": 12}, 5 * S)
    at = 5 * S + LEAD_NS
    assert step.command == SetCurve(at, [Segment(at, None, 12.0, 12.0)])
    assert (step.change.rate_rps, step.change.previous_rate_rps) == (12.0, 10.0)
    assert (step.change.t_ns, step.change.received_ns) == (at, 5 * S)
    assert step.change.label == "10 > 12 rps"
    assert step.state == "running"


def test_hold_then_resume_gives_back_the_rate_before() -> None:
    steering = LoadControl(LoadConfig(rate_rps=7.5), 0)
    held = steering.obey({"cmd": "hold"}, S)
    assert isinstance(held.command, SetCurve)
    assert held.command.curve[0].from_rps == 0.0
    assert (held.state, held.command.drop_backlog) == ("holding", False)
    steering.obey({"cmd": "hold"}, 2 * S)  # pressed twice: still the same rate to go back to
    resumed = steering.obey({"cmd": "resume"}, 3 * S)
    assert resumed.change.rate_rps == 7.5
    assert resumed.state == "running"
    with pytest.raises(LoadControlError, match="nothing is held"):
        steering.obey({"cmd": "resume"}, 4 * S)


def test_stop_drops_what_waits_and_a_rate_starts_again() -> None:
    steering = LoadControl(LoadConfig(rate_rps=4.0), 0)
    stopped = steering.obey({"cmd": "stop"}, S)
    assert isinstance(stopped.command, SetCurve)
    assert (stopped.state, stopped.command.drop_backlog) == ("stopped", True)
    assert stopped.change.change == "stop"
    assert steering.obey({"cmd": "rate", "rate_rps": 2.0}, 2 * S).state == "running"


def test_holding_in_the_middle_of_a_ramp_resumes_at_the_rate_of_that_instant() -> None:
    steering = LoadControl(LoadConfig(ramp=Ramp(0.5, 8.5, 8.0)), 0)
    assert steering.obey({"cmd": "hold"}, 4 * S - LEAD_NS).change.previous_rate_rps == pytest.approx(4.5)
    assert steering.obey({"cmd": "resume"}, 6 * S).change.rate_rps == pytest.approx(4.5)
    third = LoadControl(LoadConfig(rate_rps=10 / 3), 0)
    third.obey({"cmd": "hold"}, S)
    assert third.obey({"cmd": "resume"}, 2 * S).change.label == "resume 3.33 rps"


def test_a_ramp_is_named_and_so_is_what_ends_it() -> None:
    steering = LoadControl(LoadConfig(ramp=Ramp(0.5, 8.5, 8.0)), 2 * S)
    assert steering.started().label == "ramp from 0.5 to 8.5 rps in 8 s"
    ended = steering.obey({"cmd": "rate", "rate_rps": 6}, 6 * S - LEAD_NS).change
    assert ended.label == "4.5 > 6 rps (ends the ramp)"
    assert steering.obey({"cmd": "rate", "rate_rps": 7}, 7 * S).change.label == "6 > 7 rps"


def test_a_hold_ends_a_ramp_and_says_so() -> None:
    steering = LoadControl(LoadConfig(ramp=Ramp(0.5, 8.5, 8.0)), 0)
    assert steering.obey({"cmd": "hold"}, 4 * S).change.label == "hold (ends the ramp)"


def test_a_ramp_that_is_over_is_not_ended_by_a_key() -> None:
    steering = LoadControl(LoadConfig(ramp=Ramp(0.5, 8.5, 8.0)), 0)
    assert steering.obey({"cmd": "rate", "rate_rps": 9}, 9 * S).change.label == "8.5 > 9 rps"


def test_a_concurrency_above_the_cap_is_refused_with_its_name() -> None:
    steering = LoadControl(LoadConfig(concurrency=4, max_in_flight=10), 0)
    assert steering.obey({"cmd": "concurrency", "concurrency": 10}, S).change.concurrency == 10
    with pytest.raises(LoadControlError, match=r"'11', need a whole number from 1 to 10 \(--max-in-flight\)"):
        steering.obey({"cmd": "concurrency", "concurrency": 11}, S)


def test_a_closed_loop_takes_a_concurrency_and_holds_at_none() -> None:
    steering = LoadControl(LoadConfig(concurrency=4), 0)
    up = steering.obey({"cmd": "concurrency", "concurrency": 6}, S)
    assert up.command == SetConcurrency(S + LEAD_NS, 6)
    assert (up.change.previous_concurrency, up.change.concurrency) == (4, 6)
    assert steering.obey({"cmd": "hold"}, 2 * S).change.concurrency == 0
    assert steering.obey({"cmd": "resume"}, 3 * S).change.concurrency == 6


BAD = [
    ({"cmd": "rate", "rate_rps": -1}, "got -1"),
    ({"cmd": "rate", "rate_rps": 0}, "got 0"),
    ({"cmd": "rate", "rate_rps": math.nan}, "nan"),
    ({"cmd": "rate", "rate_rps": math.inf}, "inf"),
    ({"cmd": "rate", "rate_rps": "64,5"}, "64,5"),
    ({"cmd": "rate", "rate_rps": True}, "True"),
    ({"cmd": "rate"}, "None"),
    ({"cmd": "rate", "rate_rps": 1001}, "at most 1000"),
    ({"cmd": "concurrency", "concurrency": 2}, "open loop"),
    ({"cmd": "fly"}, "unknown command"),
    ({}, "unknown command"),
]


@pytest.mark.parametrize(("command", "says"), BAD)
def test_a_bad_command_is_refused_in_words_and_changes_nothing(command: dict[str, object], says: str) -> None:
    steering = LoadControl(LoadConfig(rate_rps=3.0), 0)
    with pytest.raises(LoadControlError, match=says):
        steering.obey(command, S)
    assert steering.obey({"cmd": "hold"}, 2 * S).change.previous_rate_rps == 3.0


def test_more_workers_than_the_machine_can_use_are_refused_with_the_number_allowed() -> None:
    import os

    from sessions.plan.config import ConfigError, RunConfig, TargetConfig, checked

    most = 4 * (os.cpu_count() or 1)
    with pytest.raises(ConfigError, match=f"got {most + 1}, need at most {most}"):
        checked(RunConfig(TargetConfig("http://x"), LoadConfig(workers=most + 1)))
    checked(RunConfig(TargetConfig("http://x"), LoadConfig(workers=most)))
