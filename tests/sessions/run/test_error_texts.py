"""Whatever keeps a run from being reached or told something: two lines at most, what was got, what to do."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest

from sessions.plan.config import LoadConfig, WorkloadConfig
from sessions.plan.mix import MixPart
from sessions.plan.trace_config import TraceConfig
from sessions.run.commands import (
    AbortRun,
    AddMark,
    CommandError,
    Hold,
    Refusal,
    Resume,
    SetConcurrency,
    SetRamp,
    SetRate,
    StepLoad,
    decode_command,
)
from sessions.run.control_client import ControlClient, ControlError, send_once
from sessions.run.control_server import SOCKET_FILE, ControlServer
from sessions.run.conversations import Conversations
from sessions.run.launch import Launched, LaunchError, Orders
from sessions.run.load_control import LoadControl
from sessions.run.load_workers import LostNode
from sessions.run.place import SessionPlace
from sessions.run.run_load import RunLoad
from sessions.run.supervisor import Supervisor
from sessions.store.directory import LOG_FILE, hold_lock
from sessions.store.manifest import write
from tests.error_texts import assert_whole, untold
from tests.sessions.run.test_lost_nodes import Lost
from tests.sessions.run.test_presets import FIGURES, config, presets
from tests.sessions.run.test_run_load import with_a_plan
from tests.sessions.summary.summing import manifest
from tui.controls.command_queue import CommandQueue
from tui.options.next_step import with_next_step

S = 1_000_000_000
SESSION = "20260101-000000-a-session"
FILES = (
    *("control_client", "control_server", "commands", "load_control", "presets", "run_load"),
    *("supervisor", "launch", "lost_nodes"),
)
MAKERS = (
    *("ControlError", "CommandError", "LaunchError", "SupervisorAnswer:1"),
    *("_over()", "_not_live()", "_why_not()", "_last_words()", "start()"),
)


class World(NamedTuple):
    tmp: Path
    patch: pytest.MonkeyPatch

    def session(self) -> Path:
        directory = self.tmp / SESSION
        directory.mkdir()
        write(directory, manifest())
        return directory

    def listening(self, answer: bytes | None = None, *, reads: bool = True) -> Path:
        """A session of which the socket takes one connection, and says `answer` (None: nothing, ever). What
        is not read when it closes is a connection that is reset."""
        directory = self.session()
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(directory / SOCKET_FILE))
        server.listen()

        def serve() -> None:
            link, _ = server.accept()
            link.recv(1 << 16 if reads else 1)
            if answer is not None:
                link.sendall(answer)
                link.close()
            else:
                link.recv(1)
            server.close()

        threading.Thread(target=serve, daemon=True).start()
        return directory


def refused(do: Callable[[], object]) -> str:
    with pytest.raises((ControlError, CommandError, LaunchError)) as caught:
        do()
    return str(caught.value)


def closed(world: World) -> Path:
    """A session whose supervisor was killed: the socket's file stays."""
    directory = world.session()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(directory / SOCKET_FILE))
    return directory


def by_a_screen(directory: Path) -> str:
    async def body() -> None:
        await ControlClient(directory).send(Hold())

    return refused(lambda: asyncio.run(body()))


def queued(control: Any) -> str:
    async def body() -> str:
        said: asyncio.Queue[Any] = asyncio.Queue()
        queue = CommandQueue(control, lambda command, answer: said.put_nowait(answer), timeout_s=0.02)
        for command in (SetRate(5.0), StepLoad(1), AbortRun()):
            queue.put(command)
        answer = await said.get()
        assert isinstance(answer, Refusal)
        return answer.reason

    return asyncio.run(body())


async def silent(command: object) -> None:
    await asyncio.sleep(60)


def somebody_elses(world: World) -> Path:
    directory = world.session()
    (directory / SOCKET_FILE).write_bytes(b"")
    return directory


def named_elsewhere(world: World) -> Path:
    directory = world.session()
    said = manifest()
    said.host.control_socket = f"/no/ttftop-control-x/{SOCKET_FILE}"
    write(directory, said)
    return directory


def no_socket_can_be(world: World) -> str:
    async def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    world.patch.setattr(asyncio, "start_unix_server", refuse)
    world.patch.setenv("XDG_RUNTIME_DIR", str(world.tmp))
    return asyncio.run(ControlServer(world.session(), lambda command: Refusal("")).start())


def no_place(world: World) -> str:
    world.patch.setattr("sessions.run.control_server.places", lambda directory: iter(()))
    return asyncio.run(ControlServer(world.tmp, lambda command: Refusal("")).start())


def obeyed(load: LoadConfig, *commands: Any, conversations: Any = None) -> str:
    """The last of them is refused."""
    control = LoadControl(load, 0, conversations=conversations)
    for command in commands[:-1]:
        control.obey(command, S)
    return refused(lambda: control.obey(commands[-1], 2 * S))


def other_requests(load: LoadConfig, conversations: Any = None) -> str:
    return refused(LoadControl(load, 0, conversations=conversations).check_workload)


def marked(world: World) -> str:
    world.patch.setattr("sessions.run.supervisor._MARKS_CAP", 0)
    return refused(lambda: supervisor(world)._obey(AddMark("one")))


def too_late(world: World) -> str:
    made = supervisor(world)
    made._ending = cast("Any", SimpleNamespace(end="over"))
    return refused(lambda: made._obey(SetRate(1.0)))


def supervisor(world: World) -> Supervisor:
    directory = world.session()
    place = SessionPlace(directory, hold_lock(directory))
    made = Supervisor(directory, Orders(str(directory), manifest().config), place)
    place.close()
    return made


def not_ready(world: World) -> str:
    """Load workers that never come, once the server has been found."""
    made = supervisor(world)

    async def found(*_: object) -> object:
        return SimpleNamespace()

    async def comes_after(task: asyncio.Future[Any], timeout_s: float | None = None) -> bool:
        if timeout_s is None:
            await task
        else:
            task.cancel()
        return timeout_s is None

    world.patch.setattr("sessions.run.supervisor.preflight", found)
    world.patch.setattr("sessions.run.supervisor.server_facts", lambda found: {})
    made._ending = cast("Any", SimpleNamespace(end=None, comes_after=comes_after))
    answer = asyncio.run(made._begin())
    assert answer is not None
    return answer.message


def without_control(do: Callable[[Any], object]) -> str:
    load = with_a_plan([])
    load._control = None
    return refused(lambda: do(load))


def after_its_end(world: World) -> str:
    load = with_a_plan([])
    world.patch.setattr(RunLoad, "end_ns", S)
    return refused(lambda: load.change(SetRate(5.0), 2 * S))


def without_plan() -> str:
    load = with_a_plan([])
    load._plan = None
    return refused(load.give_back)


def launched(directory: Path, said: bytes | None, wait_s: float = 30.0) -> str:
    """A supervisor that says so, and nothing more; None: it says nothing, and stays."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stdout:
        if said is not None:
            os.write(writing, said)
            os.close(writing)
        run = Launched(directory, cast("Any", SimpleNamespace(stdout=stdout)))
        text = refused(lambda: run.wait_ready(wait_s))
        if said is None:
            os.close(writing)
    return text


def died(world: World) -> str:
    directory = world.session()
    (directory / LOG_FILE).write_text(f"Traceback\nMemoryError: {'x' * 500}\n")
    return launched(directory, b"")


def lost_in_a_run(world: World, workers: list[int], on_lost: Any = "go-on") -> str:
    """What a run says of a node that Ray gave up."""
    why = (
        "Ray heard nothing of it for too long; set RAY_health_check_failure_threshold=30 at the head's start"
    )
    run = Lost(world.tmp, on_lost)
    run.nodes.lose(LostNode("gpu1", why, "gpu1:/tmp/ttftop-node-abcdefgh", workers), ending=False)
    return run.noted[0]


RATE, CLOSED = LoadConfig(rate_rps=4.0), LoadConfig(concurrency=4)
TRACED = LoadConfig(trace=TraceConfig("/t/azure.csv", figures=FIGURES))
TALKS = cast("Conversations", SimpleNamespace())
LONG = MixPart(name="long", input_tokens=9000)
CASES: dict[str, tuple[Callable[[World], str], tuple[str, ...]]] = {
    "the supervisor was killed": (
        lambda world: refused(lambda: send_once(closed(world), Hold())),
        (SESSION, "Connection refused"),
    ),
    "the supervisor was killed, and a screen stays": (
        lambda world: by_a_screen(closed(world)),
        (SESSION, "Connection refused"),
    ),
    "the supervisor does not answer": (
        lambda world: refused(lambda: send_once(world.listening(), Hold(), 0.05)),
        (SESSION, "0.05 s", "host.log"),
    ),
    "the run breaks off": (
        lambda world: refused(lambda: send_once(world.listening(b"", reads=False), Hold())),
        (SESSION, "Connection reset", "host.log"),
    ),
    "the run ends before it answers": (
        lambda world: refused(lambda: send_once(world.listening(b""), Hold())),
        (SESSION,),
    ),
    "the run ends before it answers a screen": (lambda world: by_a_screen(world.listening(b"")), (SESSION,)),
    "what answers is no run": (
        lambda world: refused(lambda: send_once(world.listening(b"hi\n"), Hold())),
        (SESSION,),
    ),
    "a session without a socket": (
        lambda world: refused(lambda: send_once(world.session(), Hold())),
        (SESSION,),
    ),
    "a socket that is gone": (
        lambda world: refused(lambda: send_once(named_elsewhere(world), Hold())),
        (SESSION,),
    ),
    "a socket of another": (
        lambda world: refused(lambda: send_once(somebody_elses(world), Hold())),
        (SESSION, SOCKET_FILE),
    ),
    "no such session": (
        lambda world: refused(lambda: send_once(world.tmp / "nosuch", Hold())),
        ("nosuch",),
    ),
    "no socket can be": (no_socket_can_be, ("Operation not permitted", SOCKET_FILE)),
    "no place for a socket": (no_place, ("TMPDIR",)),
    "a key without an answer": (
        lambda world: queued(SimpleNamespace(send=silent)),
        ("rate", "0.02 s", "1 more"),
    ),
    "a key to a run that was killed": (
        lambda world: queued(ControlClient(closed(world))),
        ("rate", SESSION, "Connection refused"),
    ),
    "no JSON": (lambda world: refused(lambda: decode_command(b"hold")), ("JSON",)),
    "no object": (lambda world: refused(lambda: decode_command(b"[]")), ("JSON",)),
    "a number that none holds": (
        lambda world: refused(lambda: decode_command(b'{"cmd":"rate","rate_rps":1e999}')),
        ("1e999",),
    ),
    "no name": (lambda world: refused(lambda: decode_command(b'{"cmd":7}')), ("`cmd`", "hold")),
    "another name": (lambda world: refused(lambda: decode_command(b'{"cmd":"fly"}')), ("'fly'", "hold")),
    "another type": (
        lambda world: refused(lambda: decode_command(b'{"cmd":"rate","rate_rps":"64,5"}')),
        ("rate", "'64,5'", "rate_rps"),
    ),
    "no value": (lambda world: refused(lambda: decode_command(b'{"cmd":"rate"}')), ("rate_rps",)),
    "a rate of a closed loop": (lambda world: obeyed(CLOSED, SetRate(7.5)), ("7.5", "closed loop")),
    "slots of an open loop": (lambda world: obeyed(RATE, SetConcurrency(9)), ("9", "open loop")),
    "a rate that is too high": (lambda world: obeyed(RATE, SetRate(5000.0)), ("5000", "1000")),
    "too many slots": (lambda world: obeyed(CLOSED, SetConcurrency(10**9)), ("1000000000",)),
    "fewer slots than workers": (
        lambda world: refused(
            lambda: LoadControl(LoadConfig(concurrency=4, requests=9), 0, 3).obey(SetConcurrency(1), S)
        ),
        ("got 1", "from 3"),
    ),
    "a ramp of a closed loop": (lambda world: obeyed(CLOSED, SetRamp(8.0, 4.0)), ("8", "closed loop")),
    "a ramp of a trace": (lambda world: obeyed(TRACED, SetRamp(8.0, 4.0)), ("azure.csv",)),
    "a ramp to nothing": (lambda world: obeyed(RATE, SetRamp(-8.0, 4.0)), ("-8",)),
    "a ramp in no time": (lambda world: obeyed(RATE, SetRamp(8.0, 0.0)), ("0 s", "1 ms")),
    "a ramp by a factor from 0": (
        lambda world: obeyed(RATE, Hold(), SetRamp(8.0, 4.0, shape="exp")),
        ("0",),
    ),
    "a step of nothing": (lambda world: obeyed(RATE, Hold(), StepLoad(1)), ("resume",)),
    "a resume of nothing": (lambda world: obeyed(RATE, Resume()), ("resume",)),
    "other requests of a trace": (lambda world: other_requests(TRACED), ("azure.csv",)),
    "other requests of conversations": (lambda world: other_requests(RATE, TALKS), ("conversations",)),
    "no such preset": (
        lambda world: refused(lambda: presets(config()).chosen("huge")),
        ("'huge'", "short-chat"),
    ),
    "a preset that does not fit": (
        lambda world: refused(
            lambda: presets(config(workload=WorkloadConfig(mix=[LONG])), 4096).chosen("long")
        ),
        ("long", "4,096"),
    ),
    "too many marks": (marked, ("0 marks",)),
    "a run that ends": (too_late, ("end",)),
    "a load that is over": (after_its_end, ("end",)),
    "a load that has not begun": (
        lambda world: without_control(lambda load: load.change(SetRate(1.0), S)),
        ("begun",),
    ),
    "a ramp of a plan": (
        lambda world: refused(lambda: with_a_plan([]).change(SetRamp(8.0, 10.0), S)),
        ("plan",),
    ),
    "no plan": (lambda world: without_plan(), ("--plan",)),
    "a plan that runs": (lambda world: refused(with_a_plan([]).give_back), ("plan",)),
    "workers that do not start": (not_ready, ("20 s", "--debug")),
    "a supervisor that says nothing": (
        lambda world: launched(world.session(), None, 0.02),
        (SESSION, "0.02 s", LOG_FILE),
    ),
    "a supervisor that dies without a word": (
        lambda world: launched(world.session(), b""),
        (SESSION, LOG_FILE),
    ),
    "a supervisor that dies": (died, (SESSION, "MemoryError", LOG_FILE)),
    "a node lost": (lambda world: lost_in_a_run(world, [1]), ("gpu1", "1 of 2", "/tmp/ttftop-node-")),
    "a node lost that ends the run": (
        lambda world: lost_in_a_run(world, [1], "end"),
        ("gpu1", "/tmp/ttftop-node-"),
    ),
    "a node lost that sent nothing": (lambda world: lost_in_a_run(world, []), ("gpu1", "/tmp/ttftop-node-")),
}


@pytest.fixture
def short() -> Iterator[Path]:
    """A path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as made:
        yield Path(made)


@pytest.fixture
def world(short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with monkeypatch.context() as patch:
        yield World(short, patch)


TOLD: dict[str, str] = {}


def told_of(name: str, world: World) -> str:
    if name not in TOLD:
        TOLD[name] = with_next_step(CASES[name][0](world)).replace(str(world.tmp), "/s")
    return TOLD[name]


@pytest.mark.parametrize("name", CASES)
def test_what_keeps_a_run_from_being_told_is_said_with_what_was_got_and_what_to_do(
    name: str, world: World
) -> None:
    assert_whole(told_of(name, world), *CASES[name][1])


def test_each_place_of_the_source_that_says_so_is_among_them(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(CASES):
        (place := short / str(number)).mkdir()
        with monkeypatch.context() as patch:
            told_of(name, World(place, patch))
    makers = dict.fromkeys((f"sessions/run/{name}.py" for name in FILES), MAKERS)
    ours = [
        one
        for one in untold(makers, TOLD.values())
        if not one.endswith("interrupted\\ before\\ any\\ load\\ was\\ sent")
    ]
    assert not ours, "\n".join(ours)
