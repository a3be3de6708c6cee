"""The agent over its pipes: real processes, a real worker, a simulator; what is read by offset is what is there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
import pytest

from loadgen.arrivals.load import OpenLoad
from loadgen.arrivals.rate_curve import steady
from loadgen.records import Request, Tick, WorkerNote
from loadgen.version import VERSION
from loadgen.worker_config import Finish
from sessions.nodes.agent import ABANDONED_S, SILENT_S, Agent
from sessions.nodes.answers import Answers
from sessions.nodes.channel import NodeLost
from sessions.nodes.frames import Frames
from sessions.nodes.launchers import local_channel
from sessions.nodes.messages import (
    READ_MOST_BYTES,
    ClockAnswer,
    ClockQuestion,
    Done,
    Hello,
    HelloAnswer,
    Kill,
    Leave,
    NodeAnswer,
    Put,
    Question,
    Read,
    ReadAnswer,
    Refusal,
    Start,
    Tell,
    decode_answer,
    encode,
)
from sessions.nodes.node_files import NodeFiles
from sessions.nodes.stream import StreamChannel, open_stream
from sessions.store.follow import SessionFollower
from tests.loadgen.worker.engine_runs import worker_config

A = TypeVar("A", bound=NodeAnswer)

PATIENCE_S = 20.0


async def ask(channel: StreamChannel, question: Question, kind: type[A]) -> A:
    answer = await channel.ask(question, PATIENCE_S)
    assert isinstance(answer, kind), answer
    return answer


@contextlib.asynccontextmanager
async def agent(below: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StreamChannel]:
    monkeypatch.setenv("TMPDIR", str(below))
    channel = await local_channel("here")
    try:
        yield channel
    finally:
        await channel.close()


def line(message: msgspec.Struct) -> bytes:
    return msgspec.json.encode(message) + b"\n"


class Copy:
    """What a host has so far, read as a host reads it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.words: list[tuple[int, bytes]] = []
        self.exits: dict[int, int] = {}

    @property
    def have(self) -> dict[str, int]:
        return {name: len(data) for name, data in self.files.items()}

    async def read(self, channel: StreamChannel, wait_s: float = 1.0) -> ReadAnswer:
        answer = await ask(channel, Read(self.have, len(self.words), wait_s), ReadAnswer)
        for name, at, data in answer.chunks:
            assert at == len(self.files.get(name, b""))
            self.files[name] = self.files.get(name, b"") + data
        self.words += answer.words
        self.exits = answer.exits
        return answer

    async def until_gone(self, channel: StreamChannel, workers: int = 1) -> None:
        """Ends those whose load is over."""
        told = False
        while not ((await self.read(channel)).whole and len(self.exits) == workers):
            if not told and "idle" in self.states(0):
                told = True
                await ask(channel, Tell([(0, line(Finish(1.0)))]), Done)

    def states(self, worker: int) -> list[str]:
        return [msgspec.json.decode(word)["state"] for number, word in self.words if number == worker]


async def told_to_run(channel: StreamChannel, url: str, *, requests: int, rate_rps: float = 100.0) -> None:
    port = urlsplit(url).port
    assert port is not None
    await ask(channel, Start([0]), Done)
    load = OpenLoad("constant", [steady(0, rate_rps)])
    config = worker_config(port, load, requests=requests)
    await ask(channel, Tell([(0, line(config))]), Done)


def records(files: dict[str, bytes], into: Path) -> list[object]:
    into.mkdir()
    for name, data in files.items():
        (into / name).parent.mkdir(exist_ok=True)
        (into / name).write_bytes(data)
    return list(SessionFollower(into, requests=True).poll())


def test_a_worker_there_writes_and_says_what_it_does_here(
    tmp_path: Path, simulator_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with agent(tmp_path, monkeypatch) as channel:
            hello = await ask(channel, Hello(), HelloAnswer)
            assert (hello.ttftop_version, hello.host) == (VERSION, os.uname().nodename)
            place = Path(hello.directory)
            assert place.parent == tmp_path
            assert place.stat().st_mode & 0o777 == 0o700
            await told_to_run(channel, simulator_url, requests=30)
            copy = Copy()
            await copy.until_gone(channel)
            assert sorted(copy.states(0)) == ["ended", "idle", "ready", "started"]
            assert copy.exits == {0: 0}
            there = {path.name: path.read_bytes() for path in place.glob("*.jsonl.gz")}
            assert {name: data for name, data in copy.files.items() if name in there} == there
            assert all(path.stat().st_mode & 0o777 == 0o600 for path in place.iterdir())
            found = records(copy.files, tmp_path / "copy")
            requests = [one for one in found if isinstance(one, Request)]
            assert sorted(one.index for one in requests) == list(range(30))
            assert sum(one.sent for one in found if isinstance(one, Tick)) == 30
            await ask(channel, Leave(), Done)
            assert not place.exists()

    asyncio.run(body())


def test_asked_again_it_answers_the_same_and_a_reader_that_begins_anew_gets_all(
    tmp_path: Path, simulator_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with agent(tmp_path, monkeypatch) as channel:
            await told_to_run(channel, simulator_url, requests=20)
            first = Copy()
            await first.until_gone(channel)
            for question in (Read({}, 0, 0.0), Read(first.have, len(first.words), 0.0)):
                once = await ask(channel, question, ReadAnswer)
                assert await ask(channel, question, ReadAnswer) == once
            assert once.chunks == []
            second = Copy()
            await second.until_gone(channel)
            assert (second.files, second.words) == (first.files, first.words)

    asyncio.run(body())


def test_an_answer_is_never_longer_than_ray_hands_on_and_says_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with agent(tmp_path, monkeypatch) as channel:
            place = Path((await ask(channel, Hello(), HelloAnswer)).directory)
            data = bytes(range(256)) * 700
            (place / "worker-0.jsonl.gz").write_bytes(data[:READ_MOST_BYTES])
            answer = await ask(channel, Read({}, 0, 5.0), ReadAnswer)
            assert (answer.chunks, answer.whole) == (
                [("worker-0.jsonl.gz", 0, data[:READ_MOST_BYTES])],
                True,
            )
            (place / "requests-0.jsonl.gz").write_bytes(data)
            (place / "worker-0.jsonl.gz").write_bytes(data)
            copy, answers = Copy(), []
            while not answers or not answers[-1].whole:
                answers.append(await copy.read(channel, 5.0))
            sizes = [sum(len(chunk[2]) for chunk in one.chunks) for one in answers]
            assert max(sizes) == READ_MOST_BYTES
            assert [one.behind_bytes for one in answers] == [
                2 * len(data) - sum(sizes[: i + 1]) for i in range(len(sizes))
            ]
            assert copy.files == {"requests-0.jsonl.gz": data, "worker-0.jsonl.gz": data}

    asyncio.run(body())


def test_a_file_that_was_removed_and_written_again_is_read_on_and_what_is_none_of_ours_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with agent(tmp_path, monkeypatch) as channel:
            place = Path((await ask(channel, Hello(), HelloAnswer)).directory)
            (place / "worker-0.jsonl.gz").write_bytes(b"one two ")
            (place / "secret").write_bytes(b"x")
            (place / "requests-1.jsonl.gz").symlink_to("/etc/passwd")
            copy = Copy()
            await copy.read(channel)
            (place / "worker-0.jsonl.gz").unlink()
            assert (await copy.read(channel, 0.0)).chunks == []
            (place / "worker-0.jsonl.gz").write_bytes(b"one two three")
            await copy.read(channel)
            assert copy.files == {"worker-0.jsonl.gz": b"one two three"}

    asyncio.run(body())


def test_the_clock_answers_while_reads_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        async with agent(tmp_path, monkeypatch) as channel:
            await ask(channel, Hello(), HelloAnswer)
            waiting = asyncio.ensure_future(channel.ask(Read({}, 0, 600.0), 600.0))
            before = time.monotonic_ns()
            there = (await ask(channel, ClockQuestion(), ClockAnswer)).t_ns
            assert before <= there <= time.monotonic_ns()
            assert not waiting.done()
            # Whoever asks anew has given up what it asked before.
            await ask(channel, Read({}, 0, 0.0), ReadAnswer)
            assert isinstance(await waiting, ReadAnswer)

    asyncio.run(body())


def test_a_file_is_put_in_parts_and_gone_once_the_host_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with agent(tmp_path, monkeypatch) as channel:
            place = Path((await ask(channel, Hello(), HelloAnswer)).directory)
            for part in (Put("trace", 0, b"abc"), Put("trace", 3, b"def"), Put("trace", 3, b"def")):
                await ask(channel, part, Done)
            assert (place / "put" / "trace").read_bytes() == b"abcdef"
            assert (place / "put" / "trace").stat().st_mode & 0o777 == 0o600
            for name in ("../x", "a/b", ""):
                assert "no name" in (await ask(channel, Put(name, 0, b""), Refusal)).message
            await ask(channel, Leave(), Done)
            assert list(tmp_path.iterdir()) == []

    asyncio.run(body())


def children(pid: int) -> Iterator[int]:
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        yield from map(int, path.read_text().split())


@pytest.mark.parametrize("how", ["stdin ends", "SIGTERM", "killed"])
def test_workers_whose_host_or_agent_is_gone_write_all_they_have(
    how: str, tmp_path: Path, simulator_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with agent(tmp_path, monkeypatch) as channel:
            hello = await ask(channel, Hello(), HelloAnswer)
            await told_to_run(channel, simulator_url, requests=10_000)
            copy = Copy()
            while "started" not in copy.states(0) or not any(copy.files.values()):
                await copy.read(channel)
            worker = next(child for child in children(hello.pid))
            if how == "SIGTERM":
                os.kill(hello.pid, signal.SIGTERM)
                with contextlib.suppress(NodeLost):  # what is written meanwhile can be had
                    await copy.until_gone(channel)
            elif how == "killed":
                os.kill(hello.pid, signal.SIGKILL)
        while Path(f"/proc/{worker}").exists():
            await asyncio.sleep(0.02)
        found = list(SessionFollower(Path(hello.directory), requests=True).poll())
        assert "host_lost" in [one.event for one in found if isinstance(one, WorkerNote)]
        sent = sum(one.sent for one in found if isinstance(one, Tick))
        assert sent > 0
        assert len([one for one in found if isinstance(one, Request)]) == sent

    if not Path("/proc/self/task").exists():
        pytest.skip("finds the worker by /proc")
    asyncio.run(body())


def test_what_makes_no_sense_is_refused_and_what_is_no_frame_ends_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with agent(tmp_path, monkeypatch) as channel:
            stdin = channel._process.stdin
            assert stdin is not None
            answer: asyncio.Future[NodeAnswer] = asyncio.get_running_loop().create_future()
            channel._waiting[9] = answer
            stdin.write(b"\0\0\0\x03\0\0\0\x09abc")
            assert "not understood" in (await answer).message  # type: ignore[union-attr]
            stdin.write(b"\xff" * 8)
            with pytest.raises(NodeLost, match="allowed are"):
                await channel.ask(Hello(), PATIENCE_S)
        assert list(tmp_path.iterdir()) == []

    asyncio.run(body())


def test_a_killed_worker_is_told_by_its_exit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        async with agent(tmp_path, monkeypatch) as channel:
            await ask(channel, Start([3]), Done)
            assert "still there" in (await ask(channel, Leave(), Refusal)).message
            await ask(channel, Kill(), Done)
            copy = Copy()
            await copy.until_gone(channel)
            assert copy.exits == {3: -signal.SIGKILL}

    asyncio.run(body())


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo hello; exit 3", "exit code 3"),
        ("echo 'no such host\x1b[2J' >&2; exit 255", r"exit code 255: no such host\?\[2J"),
        ("printf 'TTFTOP-NODE 1\\nxxxxyyyyzzzz'; sleep 60", "no agent says"),
        ("printf 'TTFTOP-NODE 1\\n\\0\\0\\0\\1\\0\\0\\0\\0x'; sleep 60", "no agent says"),
        ("kill -9 $$", "signal 9"),
    ],
)
def test_what_is_no_agent_is_a_lost_node_with_the_reason(script: str, why: str) -> None:
    async def body() -> None:
        channel = await open_stream("x", ["sh", "-c", script])
        with pytest.raises(NodeLost, match=why):
            await channel.ask(Hello(), PATIENCE_S)
        with pytest.raises(NodeLost, match=why):
            await channel.ask(Hello(), PATIENCE_S)
        await channel.close()

    asyncio.run(body())


def test_what_a_login_prints_before_the_greeting_is_passed_over(tmp_path: Path) -> None:
    async def body() -> None:
        from sessions.own_process import module_command

        said = "echo 'Welcome to node 7'; exec \"$@\""
        channel = await open_stream("x", ["sh", "-c", said, "sh", *module_command("sessions.nodes.agent")])
        assert isinstance(await channel.ask(Hello(), PATIENCE_S), HelloAnswer)
        await channel.close()

    asyncio.run(body())


def test_a_question_without_an_answer_in_time_is_that_and_no_more() -> None:
    async def body() -> None:
        channel = await open_stream("x", ["sh", "-c", "printf 'TTFTOP-NODE 1\\n'; exec cat >/dev/null"])
        with pytest.raises(asyncio.TimeoutError):
            await channel.ask(Hello(), 0.05)
        with pytest.raises(asyncio.TimeoutError):
            await channel.ask(Hello(), 0.05)
        await channel.close()

    asyncio.run(body())


def test_workers_of_a_host_that_asks_nothing_for_long_end_and_what_they_wrote_can_still_be_had(
    tmp_path: Path,
) -> None:
    files = NodeFiles(tmp_path)
    reading, writing = os.pipe()
    host = Agent(files, Answers(writing))
    host._processes.start(Start([0]))
    assert not host.look()
    host._asked_s -= SILENT_S + 1
    assert not host.look(), "it stays, for a host that comes back"
    assert host._processes.wait_all_gone(PATIENCE_S)
    assert host._processes.exits == {0: 0}
    host.take(5, encode(Read({}, 0, 0.0)))
    frames = Frames()
    ((number, payload),) = frames.feed(os.read(reading, 1 << 16))
    answer = decode_answer(payload)
    assert isinstance(answer, ReadAnswer)
    assert (number, answer.exits) == (5, {0: 0})
    host._asked_s -= ABANDONED_S
    assert host.look()
    host.end()
    for fd in (reading, writing):
        os.close(fd)
