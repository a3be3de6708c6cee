"""What a screen makes of its own commands and of the answers, until the run's frames tell the same."""

from __future__ import annotations

import pytest

from sessions.run.commands import (
    Ack,
    AddMark,
    Command,
    FinishRun,
    Hold,
    Resume,
    SetConcurrency,
    SetRate,
    SetWorkload,
    StepLoad,
    Stop,
)
from tests.tui.made_up_run import S, ramped
from tui.controls import keys, load_keys


def test_every_load_key_of_the_table_has_its_action_here() -> None:
    live_only = {row.action for row in keys.KEYS if row.where == "live"}
    assert live_only == set(load_keys.ACTIONS)


@pytest.mark.parametrize(
    ("waiting", "words"),
    [
        ((), ""),
        ((StepLoad(1),), "+1"),
        ((StepLoad(1), StepLoad(1), StepLoad(-10)), "-8"),
        ((StepLoad(1), StepLoad(-1)), "+0"),
        ((SetRate(14.0), StepLoad(-1)), "14.0 -1"),
        ((SetConcurrency(9),), "9"),
        ((Stop(), Resume()), "stop resume"),
        ((AddMark("x"), FinishRun()), ""),
    ],
)
def test_what_waits_for_its_answer_is_said_in_order(waiting: tuple[Command, ...], words: str) -> None:
    assert load_keys.asked(waiting) == words


RUNNING, HOLDING = Ack(S, "running", 5.0), Ack(S, "holding", 0.0)


@pytest.mark.parametrize(
    ("waiting", "ack", "state", "paused"),
    [
        ((), None, "running", False),
        ((), None, "holding", True),
        ((), None, "stopped", True),
        ((), HOLDING, "running", True),
        ((), RUNNING, "holding", False),
        ((Hold(),), RUNNING, "running", True),
        ((Hold(), Resume()), HOLDING, "holding", False),
        ((Stop(), StepLoad(1), AddMark()), None, "running", True),
        ((Stop(), SetRate(5.0)), None, "running", False),
        ((SetConcurrency(5),), HOLDING, "holding", False),
    ],
)
def test_the_newest_word_on_a_pause_counts(
    waiting: tuple[Command, ...], ack: Ack | None, state: str, paused: bool
) -> None:
    assert load_keys.is_paused(waiting, ack, state) is paused


def test_an_answer_is_in_force_until_frames_are_a_tick_past_it() -> None:
    ack = Ack(10 * S, "running", 5.0)
    assert load_keys.in_force(ack, 10 * S) is ack
    assert load_keys.in_force(ack, 10 * S + 249_000_000) is ack
    assert load_keys.in_force(ack, 10 * S + 250_000_000) is None
    assert load_keys.in_force(None, 0) is None


def test_a_frame_shows_the_acknowledged_load_and_state() -> None:
    frame = ramped(lambda: 50.0).frame(50 * S, 60 * S, 60)
    shown = load_keys.acknowledged(frame, Ack(50 * S, "holding", rate_rps=0.0))
    assert (shown.state, shown.rate_rps, shown.concurrency) == ("holding", 0.0, None)
    assert load_keys.acknowledged(frame, None) is frame


@pytest.mark.parametrize(
    ("command", "ack", "following", "words"),
    [
        (StepLoad(1), Ack(S, "running", 17.0), True, ""),
        (StepLoad(1), Ack(S, "running", 17.0), False, "17 rps (the run, now; end goes back to it)"),
        (
            SetConcurrency(3),
            Ack(S, "running", None, 3),
            False,
            "concurrency 3 (the run, now; end goes back to it)",
        ),
        (Hold(), Ack(S, "holding", 0.0), False, "hold (the run, now; end goes back to it)"),
        (Resume(), Ack(S, "running", 12.5), False, "12.5 rps (the run, now; end goes back to it)"),
        (Stop(), Ack(S, "stopped", 0.0), True, "stopped sending, the backlog is dropped: space resumes"),
        (AddMark(), Ack(S, "running", 17.0), False, ""),
        (
            StepLoad(1),
            Ack(S, "running", 17.0, lead_ns=240_000_000),
            True,
            "it holds 0.24 s later, when every node has heard of it",
        ),
        (StepLoad(1), Ack(S, "running", 17.0, lead_ns=8_000_000), True, ""),
        (StepLoad(-10), Ack(S, "running", 0.1), True, "0.1 rps is the least; space holds the load"),
        (StepLoad(-10), Ack(S, "running", concurrency=1), True, "concurrency 1 is the least"),
        (StepLoad(-10), Ack(S, "running", 2.0), True, ""),
        (
            SetWorkload(),
            Ack(S, "running", 17.0, workload="long-context"),
            True,
            "requests from now on: long-context",
        ),
    ],
)
def test_what_the_screen_does_not_show_of_an_obeyed_command_is_said(
    command: Command, ack: Ack, following: bool, words: str
) -> None:
    assert load_keys.obeyed(command, ack, following=following) == words
