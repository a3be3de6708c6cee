"""One node followed over a channel that answers what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadgen.worker_config import Address
from sessions.nodes import node as node_module
from sessions.nodes.channel import NodeLost
from sessions.nodes.messages import ClockAnswer, HelloAnswer, NodeAnswer, Question, Read, ReadAnswer, Tell
from sessions.nodes.mirror import Mirror
from sessions.nodes.node import Node, NodeEvents
from sessions.worker.pipes import Status

PATIENCE_S = 10.0
HELLO = HelloAnswer(1, "0.1.0", "3.11.7", "a", 1, 4, "/tmp/x")


class Answering:
    """A channel; `read` answers, or raises, what a `Read` comes to."""

    name = "a"

    def __init__(self, read: Callable[[int], NodeAnswer]) -> None:
        self._read, self.reads = read, 0
        self.told, self.closed = asyncio.Event(), asyncio.Event()

    async def ask(self, question: Question, timeout_s: float) -> NodeAnswer:
        await asyncio.sleep(0)
        if isinstance(question, Tell):
            await self.told.wait()
        if not isinstance(question, Read):
            return ClockAnswer(1)
        self.reads += 1
        return self._read(self.reads)

    async def close(self) -> None:
        self.closed.set()


def followed(directory: Path, channel: Answering) -> tuple[Node, list[Any]]:
    heard: list[Any] = []
    events = NodeEvents(
        lambda number, status: heard.append(status),
        lambda number, code: None,
        lambda node: heard.append(node.why_lost),
        lambda level, text: None,
    )
    node = Node(channel, HELLO, Mirror(directory, "a"), events)
    node.expect([0])
    node.follow()
    return node, heard


def no_time(reads: int) -> NodeAnswer:
    raise msgspec.DecodeError("not\x1b[2J msgpack")


def no_utf8(reads: int) -> NodeAnswer:
    raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")


@pytest.mark.parametrize(
    ("read", "why"),
    [
        (lambda reads: ClockAnswer(7), "an answer to something else"),
        (no_time, "not?[2J msgpack"),
        (no_utf8, "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_a_node_that_says_what_no_agent_says_is_lost_in_one_line(
    read: Callable[[int], NodeAnswer], why: str, tmp_path: Path
) -> None:
    async def body() -> None:
        channel = Answering(read)
        node, heard = followed(tmp_path, channel)
        await asyncio.wait_for(channel.closed.wait(), PATIENCE_S)
        assert heard == [f"it said what no agent says: {why}; need the same ttftop there as here"]
        with pytest.raises(
            NodeLost, match=r"^it said what no agent says: an answer to something else; need "
        ):
            await node.reached(Address("127.0.0.1", 80))
        assert len(await node.leave()) == 1

    asyncio.run(body())


def test_a_word_of_a_worker_that_is_none_is_passed_over(tmp_path: Path) -> None:
    async def body() -> None:
        words = [(0, b'{"state":"\xff","message":""}'), (0, b"["), (0, msgspec.json.encode(Status("ready")))]
        enough = asyncio.Event()

        def read(reads: int) -> NodeAnswer:
            if reads > 1:
                enough.set()
            return ReadAnswer([], words if reads == 1 else [], {}, False)

        node, heard = followed(tmp_path, Answering(read))
        await asyncio.wait_for(enough.wait(), PATIENCE_S)
        assert heard == [Status("ready")]
        await node.leave()

    asyncio.run(body())


def test_a_round_trip_of_an_outage_is_none_that_the_next_change_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_module, "LOST_READS", 1000)

    async def body() -> None:
        def read(reads: int) -> NodeAnswer:
            if 3 <= reads < 6:
                raise asyncio.TimeoutError
            if reads == 6:
                channel.told.set()  # the network is back
            return ReadAnswer([], [], {}, False)

        channel = Answering(read)
        node, _ = followed(tmp_path, channel)
        node.tell([(0, b"{}\n")])
        await asyncio.wait_for(channel.told.wait(), PATIENCE_S)
        reads = channel.reads
        while channel.reads < reads + 5:
            await asyncio.sleep(0)
        assert list(node.round_trips_ns) == []
        node.tell([(0, b"{}\n")])
        while not node.round_trips_ns:
            await asyncio.sleep(0)
        await node.leave()

    asyncio.run(asyncio.wait_for(body(), PATIENCE_S))
