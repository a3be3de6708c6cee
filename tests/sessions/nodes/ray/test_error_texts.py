"""Whatever goes wrong with a Ray cluster: two lines at most, with what was got and what to do; without any Ray."""

from __future__ import annotations

import asyncio
import errno
import importlib.util
import os
import platform
import socket
import sys
import tempfile
import threading
import types
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from loadgen.version import VERSION
from loadgen.worker_config import Address
from sessions.nodes.channel import NodeLost
from sessions.nodes.messages import ClockAnswer, ClockQuestion, Done, NodeAnswer, Question, Refusal, encode
from sessions.nodes.ray import actor, cluster, doctor, launcher, words
from sessions.nodes.ray import bridge as bridge_module
from sessions.nodes.ray.bridge import _said, _within
from sessions.nodes.ray.cluster import Cluster, ClusterRefused, check, chosen, head_address, probe
from sessions.nodes.ray.launcher import BridgeProcess, RayChannel, open_ray
from tests.cli.conftest import Command, home, typed  # noqa: F401  # fixtures
from tests.error_texts import assert_whole, untold, whole_folder
from tests.sessions.nodes.ray.test_actor import NoTimer
from tests.sessions.nodes.ray.test_bridge import answer as answer_of_bridge
from tests.sessions.nodes.ray.test_cluster import about, node
from tests.sessions.nodes.test_error_texts import FAR
from tui.options.exit_codes import one_line
from tui.options.next_step import with_next_step

HEAD = "10.11.12.13:6379"
FOUND = words.FoundNode("h1", "10.0.0.1", "0" * 8, False, 1, 0, "", "", "")
MAKERS = (
    *("NodeLost", "ClusterRefused", "Refused", "Lost"),
    *("_why_not()", "_not_joined()", "_said()", "_some()"),
)


class World(NamedTuple):
    tmp: Path
    patch: pytest.MonkeyPatch

    def ray(self, init: BaseException | None = None, get: BaseException | None = None) -> None:
        """What stands for the package: its `init`, or its `get`, fails."""
        fake = types.ModuleType("ray")

        class RayError(Exception): ...

        class GetTimeoutError(RayError): ...

        def fails(error: BaseException | None) -> Callable[..., None]:
            def do(*_: object, **__: object) -> None:
                if error is not None:
                    raise {"RayError": RayError, "GetTimeoutError": GetTimeoutError}.get(
                        str(error).partition(":")[0], type(error)
                    )(str(error))

            return do

        fake.__dict__.update(
            __version__="2.60.0",
            init=fails(init),
            get=fails(get),
            exceptions=types.SimpleNamespace(RayError=RayError, GetTimeoutError=GetTimeoutError),
        )
        self.patch.setitem(sys.modules, "ray", fake)


def refused(do: Callable[[], object] | Coroutine[Any, Any, object]) -> str:
    def done() -> None:
        if callable(do):
            do()
        else:
            asyncio.run(asyncio.wait_for(do, 30.0))

    with pytest.raises((NodeLost, ClusterRefused)) as caught:
        done()
    return str(caught.value)


def joined(world: World, error: BaseException, address: str = HEAD) -> str:
    world.ray(init=error)
    return refused(lambda: Cluster(address))


def begun(world: World, error: str) -> str:
    world.ray(get=RuntimeError(error))
    nobody = types.SimpleNamespace(remote=lambda *_: None)
    relay = types.SimpleNamespace(about=nobody, start=nobody)
    return refused(lambda: Cluster(HEAD).begin(node("h1", "10.0.0.1"), "h1", relay))


def nobody_listens() -> str:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    return refused(lambda: probe(f"127.0.0.1:{port}"))


def opened(world: World, *command: str) -> str:
    """By a bridge that is another command."""
    world.patch.setattr(importlib.util, "find_spec", lambda name: object())
    return refused(open_ray(HEAD, (), BridgeProcess(command)))


def slow_bridge(world: World) -> str:
    world.patch.setattr(launcher, "_OPEN_S", 0.05)
    return opened(world, "sh", "-c", "exec cat >/dev/null")


def no_room(world: World) -> str:
    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp")

    world.patch.setattr(tempfile, "TemporaryFile", full)
    return opened(world, "sh", "-c", "exit 0")


def without_ray(world: World) -> str:
    world.patch.setattr(importlib.util, "find_spec", lambda name: None)
    return refused(open_ray("auto"))


class Tells(BridgeProcess):
    def __init__(self, answer: words.FromBridge) -> None:
        super().__init__()
        self._says = answer

    async def tell(self, order: words.ToBridge, timeout_s: float) -> words.FromBridge:
        return self._says


def told(answer: words.FromBridge) -> str:
    return f"node h1: {refused(RayChannel(Tells(answer), 0, FOUND).ask(ClockQuestion(), 1.0))}"


def bridge_fails(world: World) -> str:
    def fail(address: str) -> None:
        raise RuntimeError("GCS said \x1b[2Jno\nand more" + "w" * 500)

    world.patch.setattr(bridge_module, "probe", fail)
    answer = answer_of_bridge(words.Open(HEAD, []))
    assert isinstance(answer, words.Refused)
    return answer.message


def bridge_cannot_ask() -> str:
    answer = answer_of_bridge(words.Exchange(7, b"", 1.0))
    assert isinstance(answer, words.Lost)
    return f"node h1: {answer.message}"


def ended_by_ray(cause: str) -> str:
    return f"node h1: {_said(Exception(f'The actor died.{os.linesep}{cause}'))}"


def not_taken_in() -> str:
    hang = threading.Event()
    try:
        return refused(_within(0.05, lambda: hang.wait(30.0) and None, HEAD))
    finally:
        hang.set()


def agent_ends(world: World, script: str) -> str:
    """What an actor says whose agent ends so."""
    world.patch.setattr(threading, "Timer", NoTimer)
    world.patch.setattr(actor, "AGENT_COMMAND", ["sh", "-c", script])
    relay = actor.Relay()
    relay.start([])
    said = relay.exchange(0, 0, 20.0, encode(ClockQuestion()))
    assert isinstance(said, str)
    assert relay._agent is not None
    assert relay._agent.stdin is not None
    assert relay._agent.stdout is not None
    relay._agent.stdin.close()
    relay._agent.stdout.close()
    return f"node h1: {said}"


class Says:
    """A node of a cluster that answers one thing, or raises it."""

    name, node = "h1", FOUND

    def __init__(self, *answers: NodeAnswer | BaseException) -> None:
        self._answers = list(answers)

    async def ask(self, question: Question, timeout_s: float) -> NodeAnswer:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def close(self) -> None: ...


def examined(world: World, *answers: NodeAnswer | BaseException) -> str:
    async def opens(address: str, names: object) -> list[Any]:
        return [(Says(*answers), FAR)]

    world.patch.setattr(doctor, "open_ray", opens)
    world.patch.setattr(doctor, "ROUND_TRIPS", 1)
    return refused(doctor.examine(HEAD, [], Address("10.0.0.9", 8000)))


class Case(NamedTuple):
    make: Callable[[World], str]
    values: tuple[str, ...]


HERE = f"Python {platform.python_version()} and Ray 2.60.0"
OTHER = "Version mismatch: The cluster was started with:\n    Ray: 2.40.0\n    Python: 3.10.1\n"
MANY = [node(f"gpu{number:03}.cluster.example.org", f"10.0.0.{number}") for number in range(200)]
CASES = {
    "an address of another form": Case(lambda world: refused(lambda: head_address("head", {})), ("'head'",)),
    "an address of Ray Client": Case(
        lambda world: refused(lambda: head_address("ray://1.2.3.4:10001", {})), ("ray://1.2.3.4:10001",)
    ),
    "an address in the environment": Case(
        lambda world: refused(lambda: head_address("auto", {"RAY_ADDRESS": "head:six"})),
        ("RAY_ADDRESS", "'head:six'"),
    ),
    "nobody listens": Case(lambda world: nobody_listens(), ("127.0.0.1:", "Connection refused")),
    "no Ray node here": Case(
        lambda world: joined(world, ConnectionError("Could not find any running Ray instance."), "auto"),
        ("auto",),
    ),
    "another version that says nothing": Case(lambda world: joined(world, ConnectionError("")), (HEAD, HERE)),
    "a refusal in many words": Case(
        lambda world: joined(world, ConnectionError("no " * 300)), (HEAD, HERE, "no no")
    ),
    "other versions": Case(
        lambda world: joined(world, RuntimeError(OTHER)), (HEAD, "2.40.0", "3.10.1", HERE)
    ),
    "no node of that cluster": Case(
        lambda world: joined(world, RuntimeError("No node info found matching")), (HEAD,)
    ),
    "a token": Case(lambda world: joined(world, RuntimeError("InvalidAuthToken")), (HEAD, "auth_token")),
    "whatever Ray raises": Case(lambda world: joined(world, ValueError("x" * 900)), (HEAD, HERE, "xxx")),
    "an actor that does not start": Case(
        lambda world: begun(world, "GetTimeoutError"), ("h1", f"{cluster.ANSWER_S:g} s")
    ),
    "an actor that cannot start": Case(lambda world: begun(world, "RayError: no " * 90), ("h1", "RayError")),
    "no ttftop there": Case(
        lambda world: refused(lambda: check("h1", about(ttftop="", problem="No module named 'x'" * 9))),
        ("h1", "No module named 'x'", VERSION),
    ),
    "another ttftop there": Case(
        lambda world: refused(lambda: check("h1", about(ttftop="99.1"))), ("h1", "99.1", VERSION)
    ),
    "another Python there": Case(
        lambda world: refused(lambda: check("h1", about(python="3.2.1"))),
        ("h1", "3.2.1", platform.python_version()),
    ),
    "no such node": Case(lambda world: refused(lambda: chosen(["h9"], MANY)), ("'h9'", "197 more")),
    "two such nodes": Case(
        lambda world: refused(lambda: chosen(["a"], [node("a", "10.0.0.1"), node("a", "10.0.0.2")])),
        ("'a'", "10.0.0.1", "10.0.0.2"),
    ),
    "Ray is not installed": Case(without_ray, (sys.executable,)),
    "a bridge that ends": Case(
        lambda world: opened(world, "sh", "-c", f"echo '{'no ' * 100}' >&2; exit 3"), ("exit code 3", "no no")
    ),
    "a bridge that prints": Case(
        lambda world: opened(world, "sh", "-c", "echo hello there; exec cat >/dev/null"),
        ("1751477356 bytes",),
    ),
    "a bridge that hangs": Case(slow_bridge, (HEAD, "0.05 s")),
    "a bridge that cannot be started": Case(
        lambda world: opened(world, "/no/such/python"), ("/no/such/python", "No such file")
    ),
    "no room for a bridge's log": Case(no_room, ("/tmp", "No space left")),
    "a bridge that was closed": Case(
        lambda world: refused(BridgeProcess(["sh"]).tell(words.Close(0), 1.0)), ("Ray",)
    ),
    "a bridge that answers something else": Case(lambda world: told(words.Closed()), ("h1",)),
    "an agent's answer that is none": Case(lambda world: told(words.Exchanged(b"\xc1")), ("h1",)),
    "a node that is lost": Case(lambda world: told(words.Lost("gone; see there")), ("h1", "gone")),
    "what fails in the bridge": Case(bridge_fails, (HEAD, "GCS said \\x1b[2Jno")),
    "what cannot be asked": Case(lambda world: bridge_cannot_ask(), ("h1", "IndexError")),
    "a cluster that does not take us in": Case(lambda world: not_taken_in(), (HEAD, "0.05 s")),
    "a node that Ray gave up": Case(
        lambda world: ended_by_ray("The actor died: missed heartbeat"),
        ("h1",),
    ),
    "an actor that Ray ended": Case(
        lambda world: ended_by_ray("The actor is dead because of " + "x" * 400),
        ("h1", "is dead because of"),
    ),
    "an agent that ends": Case(lambda world: agent_ends(world, "exit 3"), ("h1", "exit code 3")),
    "an agent that speaks otherwise": Case(
        lambda world: agent_ends(world, "printf 'TTFTOP-NODE 1\\nxxxxyyyy'"), ("h1", "2021161080 bytes")
    ),
    "a node that does not answer": Case(
        lambda world: examined(world, asyncio.TimeoutError()), ("node h1", f"{doctor._ANSWER_S:g} s")
    ),
    "a node that goes": Case(
        lambda world: examined(world, NodeLost("its agent ended; see there")), ("node h1", "agent ended")
    ),
    "a clock that is none": Case(lambda world: examined(world, Refusal("no\x1b[2J")), ("node h1", "no?[2J")),
    "no word of the server": Case(lambda world: examined(world, ClockAnswer(1), Done()), ("node h1",)),
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with monkeypatch.context() as patch:
        yield World(tmp_path, patch)


TOLD: dict[str, str] = {}


def told_of(name: str, world: World) -> str:
    """As `doctor` ends with it; that of a run lacks the option."""
    if name not in TOLD:
        TOLD[name] = f"ttftop: error: {one_line(with_next_step(f'--ray: {CASES[name].make(world)}'))}"
    return TOLD[name]


@pytest.mark.parametrize("name", CASES)
def test_what_goes_wrong_with_a_cluster_is_told_with_what_was_got_and_what_to_do(
    name: str, world: World
) -> None:
    assert_whole(told_of(name, world), *CASES[name].values)


def test_each_place_of_the_source_that_tells_of_a_cluster_is_among_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CASES:
        with monkeypatch.context() as patch:
            told_of(name, World(tmp_path, patch))
    assert untold(whole_folder("sessions/nodes/ray", MAKERS), TOLD.values()) == []


def test_doctor_ends_with_such_a_text_and_exit_code_2(typed: Command, world: World) -> None:  # noqa: F811
    world.patch.setattr(importlib.util, "find_spec", lambda name: None)
    done = typed("doctor", "--ray", "auto")
    assert (done.returncode, done.stderr) == (2, told_of("Ray is not installed", world) + "\n")
