"""What can be asked of a live run, and what it answers: one JSON object a line, both ways.

Types and their decoding only. Who may send a command is the socket's business, what it does to the load is
`sessions.run.load_control`'s.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

import msgspec

from loadgen.errors import printable
from loadgen.version import VERSION

LINE_LIMIT_BYTES = 65536
"""A longer line is no command: the connection that sends one is closed."""
_NEED = 'need one object a line, such as {"cmd":"hold"}'
_NO_OBJECT = f"not a JSON object; {_NEED}"
_SHOWN_CHARS = 40
"""So much of what cannot be understood is repeated in the answer."""


class CommandError(ValueError):
    """The command cannot be obeyed: one line for the person who gave it."""


class SetRate(msgspec.Struct, frozen=True, tag_field="cmd", tag="rate"):
    """Offer this many requests per second from now on (open loop); ends a hold, a stop or a ramp."""

    rate_rps: float


class SetRamp(msgspec.Struct, frozen=True, tag_field="cmd", tag="ramp"):
    """Go to another rate in a given time and stay there (open loop); ends a hold, a stop or a ramp."""

    to_rps: float
    over_s: float
    from_rps: float | None = None
    """None: from the rate that is offered then."""
    shape: Literal["linear", "exp"] = "linear"


class SetConcurrency(msgspec.Struct, frozen=True, tag_field="cmd", tag="concurrency"):
    """Keep this many requests in flight from now on (closed loop); ends a hold or a stop."""

    concurrency: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]


class StepLoad(msgspec.Struct, frozen=True, tag_field="cmd", tag="step"):
    """Raise or lower the load by so many steps, counted from where it stands when this is read.

    Two that arrive together are two: neither sender has to know what the other asked. The size of a step is
    in `sessions.run.load_increments`.
    """

    steps: Annotated[int, msgspec.Meta(ge=-100, le=100)]
    """Negative: less load."""


class Hold(msgspec.Struct, frozen=True, tag_field="cmd", tag="hold"):
    """Let nothing more fall due until `Resume`; what waits to be sent still is."""


class Stop(msgspec.Struct, frozen=True, tag_field="cmd", tag="stop"):
    """As `Hold`, and what waits is dropped: it counts as not sent."""


class Resume(msgspec.Struct, frozen=True, tag_field="cmd", tag="resume"):
    """Go back to the load from before the hold or stop."""


class SetWorkload(msgspec.Struct, frozen=True, tag_field="cmd", tag="workload"):
    """Requests ask for what a preset says from now on; the load stays as it is."""

    name: str = ""
    """Of the preset (`sessions.run.asking.presets_of`); empty: the one after that in force, and after the
    last what the run was asked."""


class GoOn(msgspec.Struct, frozen=True, tag_field="cmd", tag="plan"):
    """Give the load back to the plan, at the beginning of the stage that it was left in."""


class AddMark(msgspec.Struct, frozen=True, tag_field="cmd", tag="mark"):
    """Note this instant on the time axis."""

    text: str = ""


class FinishRun(msgspec.Struct, frozen=True, tag_field="cmd", tag="finish"):
    """Send nothing more, wait for what is in flight, save, end."""


class AbortRun(msgspec.Struct, frozen=True, tag_field="cmd", tag="abort"):
    """End at once: what is in flight is cut off."""


class InterruptRun(msgspec.Struct, frozen=True, tag_field="cmd", tag="interrupt"):
    """End soon and in order, as after a first Ctrl-C."""


class Hello(msgspec.Struct, frozen=True, tag_field="cmd", tag="hello"):
    """Change nothing; tell the load as it stands."""

    viewer: bool = False
    """Count this connection as somebody who watches, for as long as it stands."""


LoadCommand = SetRate | SetRamp | SetConcurrency | StepLoad | Hold | Stop | Resume | SetWorkload
EndCommand = FinishRun | AbortRun | InterruptRun
Command = LoadCommand | EndCommand | GoOn | AddMark | Hello


class Ack(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="answer", tag="ack"):
    """The command is obeyed. Below, the run as it then is."""

    at_ns: int
    """Session time from which it holds: a few milliseconds ahead for a change of load."""
    state: str
    """As in `sessions.store.records.State`."""
    rate_rps: float | None = None
    """Offered rate from `at_ns` on; None in a closed loop and before the load begins."""
    concurrency: int | None = None
    """None in an open loop and before the load begins."""
    workload: str = ""
    """To `SetWorkload`: the preset that is in force then."""
    lead_ns: int = 0
    """Of a change: how long before `at_ns` it was received, where that is longer than workers of this machine
    take to hear of it; else 0."""


class Refusal(msgspec.Struct, frozen=True, tag_field="answer", tag="refusal"):
    """Nothing was changed."""

    reason: str
    """One line for the person who gave the command."""


Answer = Ack | Refusal

NAMES = tuple(str(kind.__struct_config__.tag) for kind in get_args(Command))
"""What may stand in `cmd`."""

_commands: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_answers: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


def decode_command(line: bytes) -> Command:
    """The command that `line` holds; fields that it does not know are skipped.

    Raises:
        CommandError: it holds none that this version knows, or one with a value of the wrong type.
    """
    try:
        return _commands.decode(line)
    except msgspec.ValidationError as error:
        raise CommandError(_why_not(line, str(error))) from error
    except (ValueError, RecursionError) as error:
        raise CommandError(_NO_OBJECT) from error


def _why_not(line: bytes, error: str) -> str:
    try:
        said = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return f"got {printable(line.decode(errors='replace'), _SHOWN_CHARS)}: {error}; {_NEED}"
    if not isinstance(said, dict):
        return _NO_OBJECT
    name = said.get("cmd")
    if not isinstance(name, str):
        return f"no command is named in `cmd`; need one of {', '.join(NAMES)}"
    if name not in NAMES:
        known = ", ".join(NAMES)
        return f"unknown command {name[:_SHOWN_CHARS]!r}; this run (ttftop {VERSION}) needs one of {known}"
    at = re.search(r"`\$\.(\w+)`\Z", error)
    got = "" if at is None else f"got {str(said.get(at[1]))[:_SHOWN_CHARS]!r}: "
    (kind,) = (kind for kind in get_args(Command) if kind.__struct_config__.tag == name)
    fields = "".join(f',"{field}":...' for field in kind.__struct_fields__)
    return f'{name}: {got}{error}; need {{"cmd":"{name}"{fields}}}'


def decode_answer(line: bytes) -> Answer | None:
    """What a run said to a command; None when it went away before, or said what no run says."""
    try:
        return _answers.decode(line)
    except (ValueError, RecursionError):
        return None


def name_of(command: Command) -> str:
    """As it stands in `cmd`, for a person as well."""
    return str(command.__struct_config__.tag)
