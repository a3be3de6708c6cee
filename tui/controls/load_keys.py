"""What the load keys ask of the run, and what a screen says of the load until the run's frames show it. Pure.

Where the load stands is known to the run alone: a key asks for a step from there, and the answer says where
that led.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sessions.frame.schema import Frame
from sessions.run.commands import (
    Ack,
    Command,
    GoOn,
    Hold,
    LoadCommand,
    Resume,
    SetConcurrency,
    SetRamp,
    SetRate,
    SetWorkload,
    StepLoad,
    Stop,
    name_of,
)
from sessions.run.load_increments import LEAST_RPS
from tui.draw import numbers

COMMANDS: Mapping[str, Command] = {
    "load_up": StepLoad(1),
    "load_down": StepLoad(-1),
    "load_up_ten": StepLoad(10),
    "load_down_ten": StepLoad(-10),
    "stop": Stop(),
    "go_on": GoOn(),
}
"""The actions of the key table that ask for the same whatever the run is doing."""
ACTIONS = (*COMMANDS, "load_exact", "hold", "ramp", "workload", "end_run")
"""All that need a run that is going on."""

_PAUSED = ("holding", "stopped")
_LONG_LEAD_NS = 50_000_000
"""A person sees that a change does not come at once."""
_CATCH_UP_NS = 250_000_000
"""A tick: so long after an instant, every file of the session tells of it."""


def in_force(ack: Ack | None, last_ns: int) -> Ack | None:
    """`ack` while it is newer than the frames, the last of which is of `last_ns`; else None."""
    return ack if ack is not None and last_ns < ack.at_ns + _CATCH_UP_NS else None


def acknowledged(frame: Frame, ack: Ack | None) -> Frame:
    """`frame`, of now, with the load that the run has acknowledged since."""
    if ack is None:
        return frame
    return replace(frame, state=ack.state, rate_rps=ack.rate_rps, concurrency=ack.concurrency)


def is_paused(waiting: Sequence[Command], ack: Ack | None, state: str) -> bool:
    """The load is held or stopped, once the commands that wait for their answer are obeyed.

    `ack` is the answer in force, `state` what the frames show of the run now.
    """
    for command in reversed(waiting):
        if isinstance(command, (Hold, Stop)):
            return True
        if isinstance(command, (Resume, SetRate, SetRamp, SetConcurrency)):
            return False
    return (state if ack is None else ack.state) in _PAUSED


def asked(waiting: Sequence[Command]) -> str:
    """What of the load waits for its answer, like `+3`, `14.0 -1` or `hold`; empty when nothing does."""
    words: list[str] = []
    steps: int | None = None
    for command in waiting:
        if isinstance(command, StepLoad):
            steps = command.steps + (steps or 0)
        elif isinstance(command, LoadCommand):
            words += [f"{steps:+d}"] if steps is not None else []
            words.append(_asked(command))
            steps = None
    return " ".join(words if steps is None else [*words, f"{steps:+d}"])


def _asked(command: Command) -> str:
    if isinstance(command, SetRate):
        return numbers.rate(command.rate_rps)
    if isinstance(command, SetRamp):
        return f"ramp to {numbers.rate(command.to_rps)}"
    return str(command.concurrency) if isinstance(command, SetConcurrency) else name_of(command)


def _is_least(command: Command, ack: Ack) -> str:
    """What is said of steps down that end where none leads further down."""
    if not isinstance(command, StepLoad) or command.steps > -2:
        return ""
    if ack.concurrency is not None:
        return "concurrency 1 is the least" if ack.concurrency <= 1 else ""
    least = ack.rate_rps is not None and ack.rate_rps <= LEAST_RPS
    return f"{LEAST_RPS:g} rps is the least; space holds the load" if least else ""


def obeyed(command: Command, ack: Ack, *, following: bool) -> str:
    """What is said of an obeyed command; empty where the screen shows it, which in the past it does not."""
    if isinstance(command, Stop):
        return "stopped sending, the backlog is dropped: space resumes"
    if isinstance(command, SetWorkload):
        return f"requests from now on: {ack.workload}"
    if (least := _is_least(command, ack)) and following:
        return least
    if following and ack.lead_ns >= _LONG_LEAD_NS and isinstance(command, LoadCommand):
        return f"it holds {ack.lead_ns / 1e9:.2g} s later, when every node has heard of it"
    if following or not isinstance(command, LoadCommand):
        return ""
    if isinstance(command, Hold):
        words = "hold"
    elif ack.concurrency is not None:
        words = f"concurrency {ack.concurrency}"
    else:
        words = f"{ack.rate_rps:g} rps"
    return f"{words} (the run, now; end goes back to it)"
