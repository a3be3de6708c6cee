"""Commands become load: what is told to the workers, written down and shown, worked out by hand."""

from __future__ import annotations

import math

import pytest

from loadgen.arrivals.load import ClosedLoad, ConversationLoad, OpenLoad, Segment, TraceLoad
from loadgen.trace.figures import TraceFigures
from loadgen.worker_config import SetLoad
from loadgen.workload.lengths import Fixed
from loadgen.workload.spec import PromptSpec, SyntheticWorkload
from sessions.plan.config import LoadConfig, Ramp
from sessions.plan.stages import Stage
from sessions.plan.trace_config import TraceConfig
from sessions.run.commands import (
    CommandError,
    Hold,
    LoadCommand,
    Resume,
    SetConcurrency,
    SetRamp,
    SetRate,
    StepLoad,
    Stop,
)
from sessions.run.conversations import Conversations
from sessions.run.load_control import LEAD_NS, LoadControl

S = 1_000_000_000


def test_a_rate_takes_effect_a_lead_after_it_was_read_and_says_what_it_replaced() -> None:
    control = LoadControl(LoadConfig(rate_rps=10.0), 0)
    update = control.obey(SetRate(12), 5 * S)
    at = 5 * S + LEAD_NS
    assert update.command == SetLoad(at, OpenLoad("poisson", [Segment(at, None, 12.0, 12.0)]))
    assert (update.change.rate_rps, update.change.previous_rate_rps) == (12.0, 10.0)
    assert (update.change.t_ns, update.change.received_ns) == (at, 5 * S)
    assert update.change.label == "10 -> 12 rps"
    assert update.state == "running"


def test_hold_then_resume_gives_back_the_rate_before() -> None:
    control = LoadControl(LoadConfig(rate_rps=7.5), 0)
    held = control.obey(Hold(), S)
    assert isinstance(held.command.load, OpenLoad)
    assert held.command.load.curve[0].from_rps == 0.0
    assert (held.state, held.command.drop_backlog) == ("holding", False)
    control.obey(Hold(), 2 * S)  # pressed twice: still the same rate to go back to
    resumed = control.obey(Resume(), 3 * S)
    assert resumed.change.rate_rps == 7.5
    assert resumed.state == "running"
    with pytest.raises(CommandError, match="nothing is held"):
        control.obey(Resume(), 4 * S)


def test_stop_drops_what_waits_and_a_rate_starts_again() -> None:
    control = LoadControl(LoadConfig(rate_rps=4.0), 0)
    stopped = control.obey(Stop(), S)
    assert (stopped.state, stopped.command.drop_backlog) == ("stopped", True)
    assert stopped.change.change == "stop"
    assert control.obey(SetRate(2.0), 2 * S).state == "running"


def test_holding_in_the_middle_of_a_ramp_resumes_at_the_rate_of_that_instant() -> None:
    control = LoadControl(LoadConfig(ramp=Ramp(0.5, 8.5, 8.0)), 0)
    assert control.obey(Hold(), 4 * S - LEAD_NS).change.previous_rate_rps == pytest.approx(4.5)
    assert control.obey(Resume(), 6 * S).change.rate_rps == pytest.approx(4.5)
    third = LoadControl(LoadConfig(rate_rps=10 / 3), 0)
    third.obey(Hold(), S)
    assert third.obey(Resume(), 2 * S).change.label == "resume 3.33 rps"


def test_a_ramp_is_named_and_so_is_what_ends_it() -> None:
    control = LoadControl(LoadConfig(ramp=Ramp(0.5, 8.5, 8.0)), 2 * S)
    assert control.started().label == "ramp from 0.5 to 8.5 rps in 8 s"
    ended = control.obey(SetRate(6), 6 * S - LEAD_NS).change
    assert ended.label == "4.5 -> 6 rps (ends the ramp)"
    assert control.obey(SetRate(7), 7 * S).change.label == "6 -> 7 rps"


def test_a_ramp_goes_from_the_rate_of_that_instant_to_another_and_stays_there() -> None:
    control = LoadControl(LoadConfig(rate_rps=10.0), 0)
    update = control.obey(SetRamp(30.0, 20.0), 5 * S - LEAD_NS)
    curve = [Segment(5 * S, 25 * S, 10.0, 30.0, "linear"), Segment(25 * S, None, 30.0, 30.0)]
    assert update.command == SetLoad(5 * S, OpenLoad("poisson", curve))
    assert (update.change.change, update.change.label) == ("ramp", "ramp from 10 to 30 rps in 20 s")
    assert (update.change.rate_rps, update.change.previous_rate_rps) == (10.0, 10.0)
    assert update.state == "running"
    assert [control.rate_rps(t * S) for t in (5, 15, 25, 99)] == pytest.approx([10, 20, 30, 30])
    middle = control.obey(SetRamp(5.0, 10.0), 15 * S - LEAD_NS).change
    assert middle.label == "ramp from 20 to 5 rps in 10 s (ends the ramp)"
    assert control.obey(SetRate(6.0), 30 * S).change.label == "5 -> 6 rps", "that one was over"


def test_a_ramp_may_say_where_it_begins_and_grow_by_a_factor() -> None:
    control = LoadControl(LoadConfig(rate_rps=10.0), 0)
    change = control.obey(SetRamp(64.0, 6.0, 1.0, "exp"), 5 * S - LEAD_NS).change
    assert (change.rate_rps, change.previous_rate_rps) == (1.0, 10.0)
    assert [control.rate_rps(t * S) for t in range(5, 13)] == pytest.approx([1, 2, 4, 8, 16, 32, 64, 64])


def test_a_ramp_ends_a_hold_from_nought_and_steps_count_from_where_it_is() -> None:
    control = LoadControl(LoadConfig(rate_rps=10.0), 0)
    control.obey(Hold(), S)
    with pytest.raises(CommandError, match="cannot begin at 0"):
        control.obey(SetRamp(8.0, 4.0, shape="exp"), 2 * S)
    assert control.obey(SetRamp(8.0, 4.0), 2 * S - LEAD_NS).state == "running"
    assert control.rate_rps(4 * S) == pytest.approx(4.0)
    assert control.obey(StepLoad(1), 4 * S - LEAD_NS).change.rate_rps == 5.0


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (SetRamp(0.0, 5.0), "got 0 rps, need above 0 and at most 1000"),
        (SetRamp(math.nan, 5.0), "got nan rps"),
        (SetRamp(2000.0, 5.0), "got 2000 rps"),
        (SetRamp(20.0, 5.0, -1.0), "got -1 rps"),
        (SetRamp(20.0, 0.0), "got 0 s, need a time"),
        (SetRamp(20.0, math.inf), "got inf s"),
    ],
)
def test_a_ramp_out_of_range_is_refused_and_changes_nothing(command: SetRamp, says: str) -> None:
    control = LoadControl(LoadConfig(rate_rps=10.0), 0)
    with pytest.raises(CommandError, match=says):
        control.obey(command, S)
    assert control.rate_rps(9 * S) == 10.0


def test_a_closed_loop_and_a_trace_take_no_ramp() -> None:
    with pytest.raises(CommandError, match="got 8 rps in a closed loop, need a concurrency"):
        LoadControl(LoadConfig(concurrency=4), 0).obey(SetRamp(8.0, 4.0), S)
    figures = TraceFigures(11, 5.0, 8, 3, 8, 3, 4.0)
    trace = TraceConfig("/t/azure.csv", form="azure", figures=figures, compiled="/s/trace-0.bin")
    traced = LoadControl(LoadConfig(rate_rps=4.0, trace=trace), 0)
    with pytest.raises(CommandError, match="says when requests are due"):
        traced.obey(SetRamp(8.0, 4.0), S)


def test_a_hold_ends_a_ramp_and_says_so() -> None:
    control = LoadControl(LoadConfig(ramp=Ramp(0.5, 8.5, 8.0)), 0)
    assert control.obey(Hold(), 4 * S).change.label == "hold (ends the ramp)"


def test_a_ramp_that_is_over_is_not_ended_by_a_key() -> None:
    control = LoadControl(LoadConfig(ramp=Ramp(0.5, 8.5, 8.0)), 0)
    assert control.obey(SetRate(9), 9 * S).change.label == "8.5 -> 9 rps"


def test_a_concurrency_above_the_cap_is_refused_with_its_name() -> None:
    control = LoadControl(LoadConfig(concurrency=4, max_in_flight=10), 0)
    assert control.obey(SetConcurrency(10), S).change.concurrency == 10
    with pytest.raises(CommandError, match=r"got 11, need a whole number from 1 to 10 \(--max-in-flight\)"):
        control.obey(SetConcurrency(11), S)


def test_a_closed_loop_takes_a_concurrency_and_holds_at_none() -> None:
    control = LoadControl(LoadConfig(concurrency=4), 0)
    up = control.obey(SetConcurrency(6), S)
    assert up.command == SetLoad(S + LEAD_NS, ClosedLoad(6))
    assert (up.change.previous_concurrency, up.change.concurrency) == (4, 6)
    assert control.obey(Hold(), 2 * S).change.concurrency == 0
    assert control.obey(Resume(), 3 * S).change.concurrency == 6


def test_steps_count_from_where_the_load_stands_and_two_are_two() -> None:
    control = LoadControl(LoadConfig(rate_rps=9.5), 0)
    first, second = (control.obey(StepLoad(1), 5 * S) for _ in range(2))
    assert (first.change.previous_rate_rps, first.change.rate_rps) == (9.5, 10.0)
    assert (second.change.previous_rate_rps, second.change.rate_rps) == (10.0, 11.0)
    assert second.change.label == "10 -> 11 rps"
    assert second.change.change == "rate"
    assert control.obey(StepLoad(-10), 6 * S).change.rate_rps == 1.0


def test_in_a_closed_loop_a_step_is_a_slot_and_never_leaves_none() -> None:
    control = LoadControl(LoadConfig(concurrency=4), 0)
    assert control.obey(StepLoad(10), S).change.concurrency == 14
    down = control.obey(StepLoad(-100), 2 * S).change
    assert (down.change, down.previous_concurrency, down.concurrency) == ("concurrency", 14, 1)


@pytest.mark.parametrize("command", [StepLoad(-1), SetConcurrency(3)])
def test_no_worker_that_has_requests_of_its_own_to_send_is_left_without_a_slot(command: LoadCommand) -> None:
    control = LoadControl(LoadConfig(concurrency=5, requests=100, max_in_flight=10), 0, workers=4)
    assert control.obey(StepLoad(-1), S).change.concurrency == 4
    with pytest.raises(CommandError, match=r"got 3, need a whole number from 4 \(load workers.*\) to 10 "):
        control.obey(command, 2 * S)
    assert control.obey(Hold(), 3 * S).change.previous_concurrency == 4


def test_without_a_number_of_requests_fewer_slots_than_workers_will_do() -> None:
    control = LoadControl(LoadConfig(concurrency=4), 0, workers=4)
    assert control.obey(StepLoad(-3), S).change.concurrency == 1


def test_a_step_on_a_ramp_counts_from_its_rate_at_that_instant_and_ends_it() -> None:
    control = LoadControl(LoadConfig(ramp=Ramp(0.5, 8.5, 8.0)), 0)
    change = control.obey(StepLoad(1), 4 * S - LEAD_NS).change
    assert (change.previous_rate_rps, change.rate_rps) == (pytest.approx(4.5), 5.0)
    assert change.label.endswith("(ends the ramp)")


@pytest.mark.parametrize("pause", [Hold(), Stop()])
@pytest.mark.parametrize("load", [LoadConfig(rate_rps=5.0), LoadConfig(concurrency=5)])
def test_while_nothing_is_sent_no_step_starts_any_and_after_a_resume_it_counts_from_before(
    pause: LoadCommand, load: LoadConfig
) -> None:
    control = LoadControl(load, 0)
    control.obey(pause, S)
    for steps in (1, -1):
        with pytest.raises(CommandError, match="nothing is being sent: resume it, or set a load"):
            control.obey(StepLoad(steps), 2 * S)
    control.obey(Resume(), 3 * S)
    change = control.obey(StepLoad(1), 3 * S).change
    assert (change.rate_rps or change.concurrency) == 6


def test_a_load_set_while_nothing_is_sent_is_one_to_step_from() -> None:
    control = LoadControl(LoadConfig(rate_rps=9.0), 0)
    control.obey(Stop(), S)
    assert control.obey(SetRate(5.0), 2 * S).state == "running"
    assert control.obey(StepLoad(1), 3 * S).change.rate_rps == 6.0


def test_the_load_of_an_instant_can_be_asked() -> None:
    ramped = LoadControl(LoadConfig(ramp=Ramp(0.5, 8.5, 8.0)), 0)
    assert (ramped.rate_rps(4 * S), ramped.concurrency) == (pytest.approx(4.5), None)
    closed = LoadControl(LoadConfig(concurrency=4), 0)
    closed.obey(Hold(), S)
    assert (closed.rate_rps(4 * S), closed.concurrency) == (None, 0)


BAD = [
    (SetRate(-1), "got -1"),
    (SetRate(0), "got 0"),
    (SetRate(math.nan), "nan"),
    (SetRate(math.inf), "inf"),
    (SetRate(1001), "at most 1000"),
    (StepLoad(100), "at most 1000"),
    (SetConcurrency(2), "open loop"),
    (Resume(), "nothing is held"),
]


@pytest.mark.parametrize(("command", "says"), BAD)
def test_a_bad_command_is_refused_in_words_and_changes_nothing(command: LoadCommand, says: str) -> None:
    control = LoadControl(LoadConfig(rate_rps=903.0), 0)
    with pytest.raises(CommandError, match=says):
        control.obey(command, S)
    assert control.obey(Hold(), 2 * S).change.previous_rate_rps == 903.0


@pytest.mark.parametrize(
    ("command", "says"),
    [(SetRate(2.0), "closed loop"), (SetConcurrency(0), "got 0, need a whole number from 1")],
)
def test_a_closed_loop_refuses_what_is_no_concurrency(command: LoadCommand, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        LoadControl(LoadConfig(concurrency=4), 0).obey(command, S)


def test_more_workers_than_the_machine_can_use_are_refused_with_the_number_allowed() -> None:
    import os

    from sessions.plan.config import ConfigError, RunConfig, checked
    from sessions.plan.target_config import TargetConfig

    most = 4 * (os.cpu_count() or 1)
    with pytest.raises(ConfigError, match=f"got {most + 1}, need at most {most}"):
        checked(RunConfig(TargetConfig("http://x"), LoadConfig(workers=most + 1)))
    checked(RunConfig(TargetConfig("http://x"), LoadConfig(workers=most)))


def test_gamma_arrivals_keep_their_burstiness_when_the_rate_changes() -> None:
    control = LoadControl(LoadConfig(rate_rps=10.0, arrivals="gamma", burstiness=0.5), 0)
    update = control.obey(SetRate(12), S)
    at = S + LEAD_NS
    assert update.command.load == OpenLoad("gamma", [Segment(at, None, 12.0, 12.0)], 0.5)


def test_a_trace_changes_its_speed_by_the_rate_that_is_set() -> None:
    figures = TraceFigures(11, 5.0, 8, 3, 8, 3, 4.0)
    trace = TraceConfig("/t/azure.csv", speed=2.0, form="azure", figures=figures, compiled="/s/trace-0.bin")
    control = LoadControl(LoadConfig(rate_rps=4.0, trace=trace), 0)
    assert control.started().label == "trace azure.csv (azure) at 2x: 11 requests, 4 rps on average"
    update = control.obey(SetRate(3.0), S)
    at = S + LEAD_NS
    assert update.command.load == TraceLoad("/s/trace-0.bin", 2.0, [Segment(at, None, 3.0, 3.0)])
    held = control.obey(Hold(), 2 * S)
    assert isinstance(held.command.load, TraceLoad)
    assert held.command.load.curve[0].from_rps == 0.0
    assert control.obey(Resume(), 3 * S).change.rate_rps == 3.0


def test_conversations_begin_as_the_load_says_that_a_person_sets() -> None:
    conversations = Conversations(Fixed(4), None, 7)
    control = LoadControl(LoadConfig(concurrency=4), 0, conversations=conversations)
    update = control.obey(SetConcurrency(6), S)
    assert update.command.load == ConversationLoad(ClosedLoad(6), Fixed(4), None, 7)
    assert update.change.concurrency == 6


WORK = SyntheticWorkload(PromptSpec("ids", 9), Fixed(5), Fixed(5))


def test_a_stage_has_conversations_of_its_own_and_the_next_one_none() -> None:
    control = LoadControl(LoadConfig(rate_rps=1.0), 0)
    stage = Stage("a", concurrency=2, requests=9)
    begun = control.begin_stage(0, 2, stage, WORK, S, Conversations(Fixed(3), None, 7))
    assert begun.command.load == ConversationLoad(ClosedLoad(2), Fixed(3), None, 7)
    assert control.begin_stage(1, 2, stage, WORK, 2 * S).command.load == ClosedLoad(2)
    assert control.obey(SetConcurrency(3), 3 * S).command.load == ClosedLoad(3)


def test_a_stage_begins_whatever_was_held_before_and_behind_its_end_its_load_can_be_resumed() -> None:
    control = LoadControl(LoadConfig(rate_rps=1.0), 0)
    control.obey(Hold(), S)
    stage = Stage("a", rate_rps=8.0, duration_s=9.0)
    control.begin_stage(0, 1, stage, WORK, 2 * S)
    with pytest.raises(CommandError, match="nothing is held"):
        control.obey(Resume(), 3 * S)
    ended = control.end_stage(11 * S)
    assert (ended.rate_rps, ended.previous_rate_rps) == (0.0, 8.0)
    assert control.obey(Resume(), 12 * S).change.rate_rps == 8.0


def test_a_step_of_a_search_is_marked_as_one_with_its_load_and_a_stage_as_one_of_so_many() -> None:
    control = LoadControl(LoadConfig(rate_rps=1.0), 0)
    stage = Stage("7.2 rps in 6.1..8.4", rate_rps=7.2, requests=9)
    assert control.begin_stage(1, None, stage, WORK, S).change.label == "step 2: 7.2 rps in 6.1..8.4"
    assert control.end_stage(2 * S).label == "step over"
    assert control.begin_stage(1, 4, stage, WORK, 3 * S).change.label == "stage 2/4: 7.2 rps in 6.1..8.4"
    assert control.end_stage(4 * S).label == "stage over"
