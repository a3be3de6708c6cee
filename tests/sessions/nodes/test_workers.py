"""Workers on nodes as a supervisor has them, in this process: silence, refusals, what is said before."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from loadgen.arrivals.load import ClosedLoad
from loadgen.records import Request
from loadgen.worker_config import Address, Finish
from sessions.nodes import node as node_module
from sessions.nodes.channel import Channel, NodeLost
from sessions.nodes.launchers import believed, introduced, local_channel
from sessions.nodes.messages import HelloAnswer
from sessions.nodes.stream import open_stream
from sessions.nodes.workers import NodesToldOf, NodeWorkers, Watched
from sessions.store.follow import SessionFollower
from sessions.store.records import NodeClock
from sessions.worker.pipes import Status
from tests.loadgen.worker.engine_runs import worker_config

PATIENCE_S = 30.0


class Heard:
    """All that a supervisor would be told."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str]] = []
        self.statuses: list[tuple[int, Status]] = []
        self.exits: dict[int, int] = {}
        self.lost: list[str] = []
        self.refused: list[str] = []
        self.clocks: list[NodeClock] = []

    def told(self) -> NodesToldOf:
        return NodesToldOf(
            lambda number, status: self.statuses.append((number, status)),
            self.exits.__setitem__,
            lambda node: self.lost.append(node.why_lost),
            self.refused.append,
            lambda level, text: self.notes.append((level, text)),
            self.clocks.append,
        )


class Nodes:
    def __init__(self, directory: Path, url: str, names: Sequence[str] = ("a",)) -> None:
        self.heard, self.directory = Heard(), directory
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self.port = parts.port
        self.names = names
        self.workers = NodeWorkers(
            directory,
            self.open,
            lambda offers: [1] * len(offers),
            Address(parts.hostname, parts.port),
            self.heard.told(),
            Watched(0, [], "", {}),
        )

    async def open(self) -> list[tuple[Channel, HelloAnswer]]:
        found: list[tuple[Channel, HelloAnswer]] = []
        for name in self.names:
            channel = await local_channel(name)
            found.append((channel, await introduced(channel)))
        return found

    async def begin(self, requests: int, output_tokens: int = 4) -> None:
        await self.workers.start()
        await until(lambda: self.workers.states.all_ready.is_set() or self.heard.refused)
        assert self.heard.refused == []
        address = Address("127.0.0.1", self.port, at=("127.0.0.1",))
        assert await self.workers.prepare([address], []) == ""
        for number in range(self.workers.count):
            config = worker_config(self.port, ClosedLoad(2), requests=requests)
            config = msgspec.structs.replace(config, worker=number, workers=self.workers.count)
            self.workers.tell(number, config)

    def requests(self) -> list[int]:
        found = SessionFollower(self.directory, requests=True).poll()
        return sorted(one.index for one in found if isinstance(one, Request))


async def until(true: Callable[[], object]) -> None:
    async def look() -> None:
        while not true():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(look(), PATIENCE_S)


def runs(pid: str) -> bool:
    """A zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def run(body: Coroutine[Any, Any, None]) -> None:
    asyncio.run(body)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nodes").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nodes"))
    (tmp_path / "session").mkdir()
    return tmp_path / "session"


def test_a_network_that_was_away_costs_nothing_and_is_told(
    session: Path, simulator_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_module, "UNANSWERED_S", 0.1)
    monkeypatch.setattr(node_module, "READ_WAIT_S", 0.1)
    monkeypatch.setattr(node_module, "LOST_READS", 1000)

    async def body() -> None:
        nodes = Nodes(session, simulator_url)
        await nodes.begin(requests=60)
        await until(nodes.requests)
        (node,) = nodes.workers.nodes
        os.kill(node.hello.pid, signal.SIGSTOP)  # its workers go on
        await until(lambda: any("no answer" in text for _, text in nodes.heard.notes))
        os.kill(node.hello.pid, signal.SIGCONT)
        await until(nodes.workers.states.all_idle.is_set)
        nodes.workers.tell_all(Finish(1.0))
        await nodes.workers.wait_or_kill(PATIENCE_S)
        assert nodes.workers.unsaved == []
        assert nodes.heard.exits == {0: 0}
        assert nodes.requests() == list(range(60))
        said = [(level, text) for level, text in nodes.heard.notes if "answer" in text]
        # A busy machine alone is silent for 0.1 s now and then.
        assert [level for level, _ in said] == ["warning", "info"] * (len(said) // 2)
        assert said
        assert all("answers again" in text for _, text in said[1::2])
        assert nodes.heard.lost == []

    run(body())


def test_a_node_that_stays_silent_is_lost_sends_no_more_and_where_its_files_are_is_said(
    session: Path, simulator_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_module, "UNANSWERED_S", 0.1)
    monkeypatch.setattr(node_module, "READ_WAIT_S", 0.1)
    monkeypatch.setattr(node_module, "ORDER_S", 0.3)
    monkeypatch.setattr(node_module, "LOST_READS", 3)

    async def body() -> None:
        nodes = Nodes(session, simulator_url)
        await nodes.begin(requests=100_000)
        await until(nodes.requests)
        (node,) = nodes.workers.nodes
        agent = Path(f"/proc/{node.hello.pid}/task")
        load = [pid for thread in agent.glob("*/children") for pid in thread.read_text().split()]
        assert load
        os.kill(node.hello.pid, signal.SIGSTOP)
        await until(nodes.workers.states.all_gone.is_set)
        assert nodes.heard.lost == ["no answer for 0.3 s; need a network that lasts"]
        os.kill(node.hello.pid, signal.SIGCONT)  # its network is back, long before the run is over
        await until(lambda: not any(map(runs, load)))
        await nodes.workers.wait_or_kill(0.0)
        (left,) = nodes.workers.unsaved
        assert left.startswith("node a: ")
        assert node.place in left

    run(body())


def test_a_server_of_this_machine_alone_is_none_of_a_node_elsewhere(
    session: Path, simulator_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        nodes = Nodes(session, simulator_url)
        real = nodes.open

        async def elsewhere() -> list[tuple[Channel, HelloAnswer]]:
            return [(one, msgspec.structs.replace(hello, network="another")) for one, hello in await real()]

        nodes.workers._open_nodes = elsewhere
        await nodes.workers.start()
        await until(lambda: nodes.heard.refused)
        (line,) = nodes.heard.refused
        assert line == (
            "node a: 127.0.0.1 is the node itself there, not this machine; need an address that the nodes reach"
        )
        await nodes.workers.wait_or_kill(0.0)

    run(body())
    assert list((session.parent / "nodes").iterdir()) == []


def test_a_server_that_a_node_does_not_reach_is_one_line(session: Path) -> None:
    async def body() -> None:
        nodes = Nodes(session, "http://127.0.0.1:9")
        await nodes.workers.start()
        await until(lambda: nodes.heard.refused)
        assert nodes.heard.refused == [
            "node a: the server is not reached from there (127.0.0.1 port 9: Connection refused); "
            "need an address that it reaches"
        ]
        await nodes.workers.wait_or_kill(0.0)

    run(body())


def test_what_runs_where_is_said_before_it_starts_and_a_lead_covers_the_slowest(
    session: Path, simulator_url: str
) -> None:
    async def body() -> None:
        nodes = Nodes(session, simulator_url, ["a", "b"])
        await nodes.begin(requests=4)
        said = [text for level, text in nodes.heard.notes if level == "info"]
        assert [text.split(";")[0] for text in said] == ["node a: 1 load worker", "node b: 1 load worker"]
        slow = nodes.workers.nodes[1]
        slow.round_trips_ns.extend([80_000_000] * 200)
        assert nodes.workers.lead_ns == 240_000_000
        assert nodes.workers.start_lead_ns == 400_000_000
        slow.round_trips_ns.extend([400_000_000] * 200)
        assert nodes.workers.lead_ns == 1_000_000_000, "who presses a key waits no longer"
        await until(nodes.workers.states.all_idle.is_set)
        nodes.workers.tell_all(Finish(0.0))
        await nodes.workers.wait_or_kill(PATIENCE_S)
        assert nodes.requests() == [0, 1, 2, 3]
        told = [(one.node, one.workers) for one in nodes.heard.clocks]
        assert min(told.count(("a", [0])), told.count(("b", [1]))) >= 2, "before the load, and after it"

    run(body())


def test_files_are_brought_whole_and_gone_afterwards(
    session: Path, simulator_url: str, tmp_path: Path
) -> None:
    big = tmp_path / "trace-0.bin"
    big.write_bytes(os.urandom(3_000_001))
    empty = tmp_path / "empty"
    empty.write_bytes(b"")

    async def body() -> None:
        nodes = Nodes(session, simulator_url)
        await nodes.workers.start()
        await until(nodes.workers.states.all_ready.is_set)
        address = Address("127.0.0.1", nodes.port, at=("127.0.0.1",))
        assert await nodes.workers.prepare([address], [str(big), str(empty), str(big)]) == ""
        (node,) = nodes.workers.nodes
        assert Path(node.files[str(big)]).read_bytes() == big.read_bytes()
        assert Path(node.files[str(empty)]).read_bytes() == b""
        assert "No such file" in await nodes.workers.prepare([address], ["/nowhere"])
        nodes.workers.tell_all(Finish(0.0))
        await nodes.workers.wait_or_kill(PATIENCE_S)

    run(body())
    assert list((session.parent / "nodes").iterdir()) == []


def test_what_a_node_says_of_itself_is_bounded_and_steers_no_terminal() -> None:
    hello = HelloAnswer(1, "0.1.0", "3.11\x1b[2J", "n" * 10_000, 1, -5, "/tmp/\u202ex")
    safe = believed(hello)
    assert (safe.python, safe.host, safe.cores, safe.directory) == ("3.11?[2J", "n" * 300, 1, "/tmp/?x")
    assert (safe.version, safe.ttftop_version, safe.gpus) == (1, "0.1.0", None)


def test_another_version_there_is_refused_in_one_line(tmp_path: Path) -> None:
    """By a node that is a script: it answers the first question as an older ttftop would."""
    from sessions.nodes.frames import GREETING, framed
    from sessions.nodes.messages import encode

    answer = tmp_path / "answer"
    old = HelloAnswer(1, "0.0.1", "3.11.7", "far", 1, 4, "/tmp/x")
    answer.write_bytes(GREETING + framed(0, encode(old)))

    async def body() -> None:
        # Behind the question, as an answer is.
        channel = await open_stream("far", ["sh", "-c", f"head -c 8 >&2; cat '{answer}'; exec sleep 60"])
        with pytest.raises(
            NodeLost, match=r"^node far: ttftop 0\.0\.1 there, .* here; need the same on both$"
        ):
            await introduced(channel)

    run(body())
