"""Whatever goes wrong with a node: one text of two lines at most, with what was got and what to do."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from loadgen.version import VERSION as TTFTOP_VERSION
from loadgen.worker_config import Address
from sessions.nodes import clock as clock_module
from sessions.nodes import launchers
from sessions.nodes import node as node_module
from sessions.nodes.agent import Agent
from sessions.nodes.answers import Answers
from sessions.nodes.channel import LEAVE_OUT, Channel, NodeLost
from sessions.nodes.frames import GREETING, Frames
from sessions.nodes.launchers import introduced, open_nodes
from sessions.nodes.messages import (
    VERSION,
    ClockAnswer,
    ClockQuestion,
    Done,
    HelloAnswer,
    Leave,
    NodeAnswer,
    Put,
    Question,
    Reach,
    ReachAnswer,
    Refusal,
    Start,
    decode_answer,
    encode,
)
from sessions.nodes.mirror import Mirror
from sessions.nodes.node import Node, NodeEvents
from sessions.nodes.node_files import NodeFiles
from sessions.nodes.placement import Offer, PlacementError, placed
from sessions.nodes.stream import open_stream
from sessions.nodes.workers import NodesToldOf, NodeWorkers, Watched
from sessions.plan.config import LoadConfig, NodesConfig
from sessions.run.launch import SupervisorAnswer
from telemetry.ssh.command import need_to_start
from tests.cli.conftest import Command, home, typed  # noqa: F401  # fixtures
from tests.error_texts import assert_whole, untold, whole_folder
from tui.options.exit_codes import one_line
from tui.options.next_step import with_next_step

FAR = HelloAnswer(VERSION, TTFTOP_VERSION, "3.11.7", "far", 1, 4, "/tmp/ttftop-node-x")
SERVER = Address("10.0.0.9", 8000, at=("10.0.0.9",))
MAKERS = (
    *("NodeLost", "PlacementError", "FrameError", "Refusal", "ValueError"),
    *("no_agent()", "said_instead()", "_why_ssh_ended()", "why_it_ended()", "_refused_here()"),
)


class Says:
    """A node that answers one thing, or raises it."""

    name = "far"

    def __init__(self, answer: NodeAnswer | BaseException) -> None:
        self._answer = answer
        self.closed = asyncio.Event()

    async def ask(self, question: Question, timeout_s: float) -> NodeAnswer:
        await asyncio.sleep(0)
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer

    async def close(self) -> None:
        self.closed.set()


class Agrees(Says):
    """A node that does all, but answers `instead` to one kind of question."""

    def __init__(self, kind: type = Leave, instead: NodeAnswer | BaseException | None = None) -> None:
        super().__init__(Done())
        self._kind, self._instead = kind, instead

    async def ask(self, question: Question, timeout_s: float) -> NodeAnswer:
        await asyncio.sleep(0)
        if isinstance(question, self._kind) and self._instead is not None:
            if isinstance(self._instead, BaseException):
                raise self._instead
            return self._instead
        if isinstance(question, Reach):
            return ReachAnswer(question.at)
        return ClockAnswer(1) if isinstance(question, ClockQuestion) else Done()


class World(NamedTuple):
    tmp: Path
    patch: pytest.MonkeyPatch

    def ssh(self, script: str) -> None:
        """What stands for ssh."""
        fake = self.tmp / "bin" / "ssh"
        fake.parent.mkdir(exist_ok=True)
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)
        self.patch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")

    def node(self, channel: Channel, lost: list[str] | None = None) -> Node:
        told = [] if lost is None else lost
        events = NodeEvents(
            lambda number, status: None,
            lambda number, code: None,
            lambda node: told.append(f"node {node.name} is lost: {node.why_lost}"),
            lambda level, text: None,
        )
        return Node(channel, FAR, Mirror(self.tmp, "far"), events)


def lost(doing: Coroutine[Any, Any, object]) -> str:
    with pytest.raises((NodeLost, PlacementError)) as caught:
        asyncio.run(asyncio.wait_for(doing, 30.0))
    return str(caught.value)


def introduced_by(answer: NodeAnswer | BaseException) -> str:
    return lost(introduced(Says(answer)))


def streamed(script: str) -> str:
    """By a process that is no agent."""

    async def body() -> None:
        await introduced(await open_stream("far", ["sh", "-c", script]))

    return lost(body())


@pytest.mark.parametrize(
    ("name", "need"),
    [("ENOENT", "PATH"), ("EMFILE", "descriptors"), ("EAGAIN", "process more"), ("ENOMEM", "memory")],
)
def test_what_a_process_cannot_start_without_is_said(name: str, need: str) -> None:
    assert need in need_to_start(OSError(getattr(errno, name), "words"))
    assert "process more" not in need_to_start(OSError(errno.EIO, "words"))


def test_a_program_that_is_not_there_needs_no_process_more() -> None:
    assert lost(open_stream("far", ["/no/such"])).endswith("No such file or directory; need it on the PATH")


def over_ssh(world: World, script: str, word: str = "ssh://me@far:2222") -> str:
    world.ssh(script)
    return lost(open_nodes(NodesConfig([word])))


def without_ssh(world: World) -> str:
    world.patch.setenv("PATH", str(world.tmp))
    return lost(open_nodes(NodesConfig(["ssh://far"])))


def no_process(world: World) -> str:
    async def refused(*argv: str, **_: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    world.patch.setattr(asyncio, "create_subprocess_exec", refused)
    return lost(open_nodes(NodesConfig(["local://here"])))


def no_directory(world: World) -> str:
    world.patch.setattr(launchers, "module_command", lambda module: _agent("--directory", "/proc/none"))
    return lost(open_nodes(NodesConfig(["local://here"])))


def _agent(*arguments: str) -> list[str]:
    from sessions.own_process import module_command

    return module_command("sessions.nodes.agent", *arguments)


def silent(world: World) -> str:
    world.patch.setattr(launchers, "ANSWERS_S", 0.05)
    return streamed(f"printf '{GREETING.decode().strip()}\\n'; exec sleep 60")


def noisy(world: World) -> str:
    from sessions.nodes import frames

    world.patch.setattr(frames, "MOST_NOISE_BYTES", 10)
    return streamed("echo 'Welcome to this cluster'; exec sleep 60")


def asked(world: World, question: Question | bytes, *, running: bool = False) -> str:
    """What a real agent refuses, as the host tells it."""
    reading, writing = os.pipe()
    agent = Agent(NodeFiles(world.tmp), Answers(writing))
    if running:
        agent._processes._children[0] = object()  # type: ignore[assignment]
    agent.take(1, question if isinstance(question, bytes) else encode(question))
    ((_, payload),) = Frames().feed(os.read(reading, 1 << 16))
    os.close(reading)
    os.close(writing)
    answer = decode_answer(payload)
    assert isinstance(answer, Refusal)
    return f"node far: {lost(world.node(Says(answer)).ask(Leave()))}"


def full_there(world: World) -> str:
    def refused(fd: int, data: bytes, at: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    world.patch.setattr(os, "pwrite", refused)
    return asked(world, Put("file-0", 0, b"x"))


def no_worker_there(world: World) -> str:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    world.patch.setattr(subprocess, "Popen", refused)
    return asked(world, Start([0]))


def of_node(world: World, answer: NodeAnswer | BaseException, do: Callable[[Node], Any]) -> str:
    return f"node far: {lost(do(world.node(Says(answer))))}"


def followed(world: World, answer: NodeAnswer | BaseException) -> str:
    """As a run is told of a node that is lost."""
    world.patch.setattr(node_module, "LOST_READS", 1)
    told: list[str] = []

    async def body() -> None:
        channel = Says(answer)
        node = world.node(channel, told)
        node.follow()
        await asyncio.wait_for(channel.closed.wait(), 30.0)
        await node.leave()

    asyncio.run(body())
    return told[0]


def in_a_run(
    world: World,
    channel: Says,
    *,
    target: Address = SERVER,
    files: tuple[str, ...] = (),
    fails: BaseException | None = None,
) -> str:
    """As a supervisor is told of nodes that it cannot use."""
    refused: list[str] = []

    async def opened() -> list[tuple[Channel, HelloAnswer]]:
        if fails is not None:
            raise fails
        return [(channel, FAR)]

    async def body() -> None:
        told = NodesToldOf(
            lambda number, status: None,
            lambda number, code: None,
            lambda node: None,
            refused.append,
            lambda level, text: None,
            lambda record: None,
        )
        watched = Watched(0, [], "", {})
        workers = NodeWorkers(world.tmp, opened, lambda offers: [1], target, told, watched)
        await workers.start()
        assert workers._opening is not None
        await workers._opening
        if not refused:
            refused.append(await workers.prepare([target], files))
        for node in workers.nodes:
            await node._stop()

    asyncio.run(asyncio.wait_for(body(), 30.0))
    return refused[0]


def unreadable(world: World) -> str:
    """A file here that a disk refuses in the middle."""
    directory = world.tmp / "a-directory"
    directory.mkdir()
    real = Path.open

    def opened(path: Path, *arguments: Any, **more: Any) -> Any:
        if path != directory:
            return real(path, *arguments, **more)
        fd = os.open(path, os.O_RDONLY)  # which can be opened, and not be read
        return _Fd(fd, str(path))

    world.patch.setattr(Path, "open", opened)
    return in_a_run(world, Agrees(), files=(str(directory),))


class _Fd:
    def __init__(self, fd: int, name: str) -> None:
        self._fd, self.name = fd, name

    def read(self, most: int) -> bytes:
        return os.read(self._fd, most)

    def __enter__(self) -> _Fd:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def not_placed(workers: int) -> str:
    offers = [Offer("a", 2), Offer("b", 2)]
    with pytest.raises(PlacementError) as caught:
        placed([(LoadConfig(workers=workers), 4.0)], offers)
    return str(caught.value)


class Case(NamedTuple):
    make: Callable[[World], str]
    values: tuple[str, ...]


DENIED = "echo 'me@far: Permission denied (publickey,password,keyboard-interactive).' >&2; exit 255"
TOO_LATE = asyncio.TimeoutError()
LOOPBACK = Address("127.0.0.1", 8000)
CASES = {
    "ssh is refused": Case(
        lambda world: over_ssh(world, DENIED),
        ("node far", "Permission denied", "ssh -p 2222 me@far true"),
    ),
    "ssh says nothing": Case(lambda world: over_ssh(world, "exit 255", "ssh://far"), ("ssh far true",)),
    "no ttftop there": Case(
        lambda world: over_ssh(world, "echo \"No module named 'sessions'\" >&2; exit 1"), ("node far",)
    ),
    "no Python there": Case(
        lambda world: over_ssh(world, "echo 'sh: 1: exec: python3: not found' >&2; exit 127"),
        ("node far", "python3: not found", "3.10"),
    ),
    "an agent there that ends": Case(
        lambda world: over_ssh(world, f"echo '{'long ' * 50}' >&2; exit 3"), ("node far", "exit code 3")
    ),
    "no ssh here": Case(without_ssh, ("node far", "ssh", "PATH")),
    "no process here": Case(no_process, ("node here", "temporarily unavailable")),
    "no directory for the agent": Case(no_directory, ("node here", "/proc/none", "No such file")),
    "an agent that dies": Case(lambda world: streamed("kill -9 $$"), ("node far", "signal 9")),
    "an agent that dies with a word": Case(
        lambda world: streamed("echo 'out of memory' >&2; kill -9 $$"), ("node far", "out of memory")
    ),
    "silence": Case(silent, ("node far", "0.05 s")),
    "words without a greeting": Case(noisy, ("node far", "24 bytes")),
    "a frame that is none": Case(
        lambda world: streamed("printf 'TTFTOP-NODE 1\\nxxxxyyyyzzzz'; exec sleep 60"),
        ("node far", "2021161080 bytes", "16777216"),
    ),
    "another ttftop there": Case(
        lambda world: introduced_by(HelloAnswer(1, "0.0.1", "3.11.7", "far", 1, 4, "/tmp/x")),
        ("node far", "0.0.1", TTFTOP_VERSION),
    ),
    "another language of the same ttftop": Case(
        lambda world: introduced_by(HelloAnswer(99, TTFTOP_VERSION, "3.11.7", "far", 1, 4, "/tmp/x")),
        ("node far", "version 99", f"version {VERSION}"),
    ),
    "an answer to another question": Case(lambda world: introduced_by(Done()), ("node far",)),
    "a node that refuses to speak": Case(
        lambda world: introduced_by(Refusal("no\x1b[2J " + "w" * 1000)), ("node far", "no?[2J w")
    ),
    "what an agent does not understand": Case(
        lambda world: asked(world, b"abc"), ("node far", "not understood", "`int`")
    ),
    "a disk there that is full": Case(full_there, ("node far", "No space left on device", "ttftop-node-")),
    "no process there": Case(no_worker_there, ("node far", "temporarily unavailable", "ttftop-node-")),
    "a name that is no file's": Case(lambda world: asked(world, Put("../x", 0, b"")), ("node far", "'../x'")),
    "workers that are left": Case(lambda world: asked(world, Leave(), running=True), ("node far",)),
    "no answer to an order": Case(
        lambda world: of_node(world, TOO_LATE, lambda node: node.ask(Leave(), 75.0)), ("node far", "75 s")
    ),
    "a server that is not reached": Case(
        lambda world: in_a_run(
            world, Agrees(Reach, ReachAnswer([], why_not="10.0.0.9 port 8000: Connection refused"))
        ),
        ("node far", "10.0.0.9 port 8000", "Connection refused"),
    ),
    "a server that is not reached, for no reason": Case(
        lambda world: in_a_run(world, Agrees(Reach, ReachAnswer([]))), ("node far", "10.0.0.9 port 8000")
    ),
    "no word of a server": Case(
        lambda world: of_node(world, Done(), lambda node: node.reached(SERVER)), ("node far",)
    ),
    "no answer of a clock": Case(
        lambda world: of_node(world, TOO_LATE, lambda node: node.measure_clock()),
        ("node far", f"{clock_module.PATIENCE_S:g} s"),
    ),
    "a clock that is none": Case(
        lambda world: of_node(world, Refusal("no\x1b[2J clock"), lambda node: node.measure_clock()),
        ("node far", "no?[2J clock"),
    ),
    "a node that is silent in a run": Case(
        lambda world: followed(world, TOO_LATE), ("node far", f"{node_module.ORDER_S:g} s")
    ),
    "a node that speaks otherwise in a run": Case(lambda world: followed(world, Done()), ("node far",)),
    "a node that breaks in a run": Case(
        lambda world: followed(world, UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")),
        ("node far", "0xff"),
    ),
    "a server of this machine alone": Case(
        lambda world: in_a_run(world, Agrees(), target=LOOPBACK), ("node far", "127.0.0.1")
    ),
    "a file that is not here": Case(
        lambda world: in_a_run(world, Agrees(), files=("/no/such/ca.pem",)),
        ("/no/such/ca.pem", "No such file"),
    ),
    "a file that cannot be read": Case(unreadable, ("a-directory", "Is a directory")),
    "a file that there is no room for there": Case(
        lambda world: in_a_run(
            world,
            Agrees(Put, Refusal(f"/tmp/x/put/file-0: {os.strerror(errno.ENOSPC)}")),
            files=(__file__,),
        ),
        ("node far", "/tmp/x/put/file-0", "No space left"),
    ),
    "this machine refuses": Case(
        lambda world: in_a_run(
            world, Agrees(), fails=OSError(errno.EMFILE, os.strerror(errno.EMFILE), "/tmp")
        ),
        ("/tmp", "Too many open files"),
    ),
    "fewer workers than nodes": Case(lambda world: not_placed(1), ("got 1", "2")),
    "more workers than cores": Case(lambda world: not_placed(1000), ("got 1000",)),
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with monkeypatch.context() as patch:
        yield World(tmp_path, patch)


TOLD: dict[str, str] = {}


def told_of(name: str, world: World) -> str:
    """As a run ends with it."""
    if name not in TOLD:
        TOLD[name] = f"ttftop: error: {one_line(with_next_step(CASES[name].make(world)))}"
    return TOLD[name]


@pytest.mark.parametrize("name", CASES)
def test_what_goes_wrong_with_a_node_is_told_with_what_was_got_and_what_to_do(
    name: str, world: World
) -> None:
    assert_whole(told_of(name, world).replace(str(world.tmp), "/tmp"), *CASES[name].values)


def test_each_place_of_the_source_that_tells_of_a_node_is_among_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(CASES):
        (place := tmp_path / str(number)).mkdir()
        with monkeypatch.context() as patch:
            told_of(name, World(place, patch))
    assert untold(whole_folder("sessions/nodes", MAKERS), TOLD.values()) == []


@pytest.mark.parametrize("code", [1, 2])
def test_a_run_that_is_refused_ends_with_that_text_and_its_code(
    code: int,
    typed: Command,  # noqa: F811
    world: World,
) -> None:
    """From the supervisor's word on: `NodesToldOf.refused` is one with exit code 2, a lost node one with 1."""
    text = f"node far: no answer within 30 s; {LEAVE_OUT}"

    class Refuses:
        """In the place of the supervisor."""

        def __enter__(self) -> Refuses:
            return self

        def __exit__(self, *_: object) -> None: ...

        def take(self) -> subprocess.Popen[bytes]:
            word = msgspec.json.encode(SupervisorAnswer("refused", text, code)).decode()
            return subprocess.Popen(
                ["sh", "-c", f"cat >/dev/null; echo '{word}'"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )

    world.patch.setattr("tests.cli.conftest.NoSupervisor", Refuses)
    done = typed("http://127.0.0.1:9", "--nodes", "ssh://far", "--headless", "--duration", "1s")
    assert (done.returncode, done.stderr) == (code, f"ttftop: error: {text}\n")
