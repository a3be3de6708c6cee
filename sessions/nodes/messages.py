"""What the host asks an agent on a node, and what it answers: values, the same over every launcher.

Nothing here is a stream of measurements: those are files on the node, read by offset (`Read`). A `Tell` is
obeyed as often as it comes; any other question may be asked twice, and the second changes nothing.
"""

from __future__ import annotations

import msgspec

from loadgen.decoding import ready

VERSION = 1
"""Of this language; a node and a host must be of the same ttftop anyway (`HelloAnswer.ttftop_version`)."""

READ_MOST_BYTES = 80_000
"""Of one answer to `Read`: Ray hands up to 100 KB within a reply, and takes its object store for more."""


WORDS_MOST_BYTES = 12_000
"""Of one answer to `Read`, beside its chunks."""

POLLER = -1
"""Stands for the telemetry poller where workers go by their numbers."""


class Hello(msgspec.Struct, tag="hello", frozen=True):
    """What are you? Asked first."""


class HelloAnswer(msgspec.Struct, tag="hello", frozen=True):
    version: int
    ttftop_version: str
    python: str
    """`3.11.7`; Ray needs the same minor version, others do not."""
    host: str
    """The machine's own name of itself."""
    pid: int
    cores: int
    """Those that this process may use."""
    directory: str
    """Where the node keeps what it measured until the host has it; private to the user."""
    calibrated_events_per_s: float | None = None
    """What a load worker there was measured to take; None where nobody measured."""
    gpus: int | None = None
    """Devices that NVIDIA's driver lists; None: no driver there."""
    network: str = ""
    """Two processes of equal value share `localhost`; empty: not known."""


class ClockQuestion(msgspec.Struct, tag="clock", frozen=True):
    """What time is it? Answered at once, whatever else is asked."""


class ClockAnswer(msgspec.Struct, tag="clock", frozen=True):
    t_ns: int
    """CLOCK_MONOTONIC of the node."""


class Reach(msgspec.Struct, tag="reach", frozen=True):
    """Where from there is the server? By the addresses that the host found, else by its name there."""

    host: str
    port: int
    at: list[str]


class ReachAnswer(msgspec.Struct, tag="reach", frozen=True):
    at: list[str]
    """Those of the question that take connections; where none does, what the name stands for there."""
    own: bool = False
    """One of them is the node's own: the load would run beside the server."""
    why_not: str = ""
    """Why there is none."""


class Put(msgspec.Struct, tag="put", frozen=True):
    """A file that workers there read (a compiled trace, a prompt corpus, certificates), in parts in order."""

    name: str
    """A name, no path."""
    at: int
    data: bytes


class Start(msgspec.Struct, tag="start", frozen=True):
    """Start load workers of these numbers (those of the whole run), each a process of its own."""

    workers: list[int]
    debug: bool = False


class StartTelemetry(msgspec.Struct, tag="telemetry", frozen=True):
    """Start the poller of the node's own GPUs and host; it writes a telemetry file of its own."""

    node: str
    """The name that the session gives the node: in the file's name and in each record's source."""
    sources: list[str]
    """Words of `--telemetry`."""
    origin_ns: int
    """The session's origin on the node's clock."""
    target_url: str = ""
    """So that GPUs which serve it can be marked; empty when its address means something else there."""
    role: str = ""
    """Of its GPUs, as a person said."""


class Tell(msgspec.Struct, tag="tell", frozen=True):
    """Lines for stdin of workers: configurations and commands. The only message that bears the API key."""

    lines: list[tuple[int, bytes]]

    def __repr__(self) -> str:
        return f"Tell({[number for number, _ in self.lines]}, ***)"


class Done(msgspec.Struct, tag="done", frozen=True):
    """Of `Put`, `Start`, `StartTelemetry`, `Tell`, `Kill` and `Leave`."""


class Read(msgspec.Struct, tag="read", frozen=True):
    """What is there behind what I have? Waits up to `wait_s` for something to tell.

    Asking again gives the same: no queue, no acknowledgement, and a host that stands still leaves all on the
    node's disk.
    """

    have: dict[str, int]
    """Name of a file to how many of its bytes the host has; a file not named: none."""
    heard: int
    """Words heard so far."""
    wait_s: float


class ReadAnswer(msgspec.Struct, tag="read", frozen=True):
    chunks: list[tuple[str, int, bytes]]
    """Name, offset, bytes: at most `READ_MOST_BYTES` in all."""
    words: list[tuple[int, bytes]]
    """Worker, and a line of its stdout, from number `heard` on."""
    exits: dict[int, int]
    """Worker to exit code, of those that are gone; `POLLER` for the poller."""
    whole: bool
    """There was nothing behind these chunks when it was read: with all workers gone, the host has all."""
    behind_bytes: int = 0
    """What the node holds that the host does not have yet."""


class Kill(msgspec.Struct, tag="kill", frozen=True):
    """End the workers that are left, at once, and the poller once it has written all."""


class Leave(msgspec.Struct, tag="leave", frozen=True):
    """The host has all: remove the directory, and end."""


class Refusal(msgspec.Struct, tag="refusal", frozen=True):
    """It cannot be done: one line."""

    message: str


Question = Hello | ClockQuestion | Reach | Put | Start | StartTelemetry | Tell | Read | Kill | Leave
NodeAnswer = HelloAnswer | ClockAnswer | ReachAnswer | Done | ReadAnswer | Refusal

encode = msgspec.msgpack.Encoder().encode
_decode_question = msgspec.msgpack.Decoder(ready(Question)).decode
_decode_answer = msgspec.msgpack.Decoder(ready(NodeAnswer)).decode


def decode_question(payload: bytes) -> Question:
    """Raises:
    msgspec.DecodeError: it is none.
    """
    try:
        question: Question = _decode_question(payload)
        return question
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"a text that is not UTF-8 at byte {error.start}") from None


def decode_answer(payload: bytes) -> NodeAnswer:
    """Raises:
    msgspec.DecodeError: it is none.
    """
    try:
        answer: NodeAnswer = _decode_answer(payload)
        return answer
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"a text that is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise msgspec.DecodeError("values too deep in each other") from None
