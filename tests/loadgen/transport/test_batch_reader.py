"""What looks like one token event waits to be taken in with others: not for long, and never behind what came after it."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
import time
from contextlib import ExitStack

import pytest

from loadgen.transport import batch_reader, read_loop
from tests.loadgen.transport.recording_receiver import (
    Bench,
    RecordingReceiver,
    complaints,
    not_understood,
    until,
)

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="rounds need epoll")


class TokenBench(Bench):
    """Reads that end in `d` look like one token event each, and are, unless one of them is `odd`. All carry a stamp."""

    def __init__(self, stack: ExitStack, read_delay_ns: int = 0) -> None:
        super().__init__(stack)
        self.read_loop.batch_reader.recvmsg = self._stamped
        self.read_loop.batch_reader.decode_batch = self._understand
        self.read_loop.read_delay_ns = lambda: read_delay_ns
        self.reader.refresh()
        self.batch_decoder: list[int] = []
        """Of how many reads at once it was asked what they say."""
        self.reads = 0
        self.broken: list[socket.socket] = []
        self.why_broken = OSError()
        self.stamp_ahead_ns = -1_000_000

    def _stamped(self, sock: socket.socket, size: int, room: int) -> object:
        if sock in self.broken:
            raise self.why_broken
        data = sock.recv(size)
        self.reads += 1
        stamp = struct.pack("ll", *divmod(time.time_ns() + self.stamp_ahead_ns, 1_000_000_000))
        return data, [(1, 35, stamp)], 0, None

    def _understand(self, reads: list[bytes]) -> list[object]:
        self.batch_decoder.append(len(reads))
        return [] if b"odd" in reads else list(reads)

    def stream(self, receiver: RecordingReceiver) -> socket.socket:
        """The end to write to of one whose token reads end in `d`."""
        return self.pair(receiver, token_end=b"d")[0]

    def three_of_which_one_is_broken(
        self, why: OSError
    ) -> tuple[list[RecordingReceiver], list[socket.socket]]:
        """Three streams, told one token each, and the ends to write to; reading the second one raises `why`."""
        receivers = [RecordingReceiver() for _ in range(3)]
        pairs = [self.pair(receiver, token_end=b"d") for receiver in receivers]
        self.broken, self.why_broken = [pairs[1][1]], why
        for far, _ in pairs:
            far.send(b"held")
        return receivers, [far for far, _ in pairs]

    async def read(self, count: int) -> None:
        """Waits for the round that makes that many reads in all."""
        await until(lambda: self.reads == count)
        await asyncio.sleep(0)

    def flush(self) -> None:
        for buffer in self.read_loop.unflushed():
            buffer.flush()


@pytest.fixture(autouse=True)
def _rests_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_loop, "sleep_ns", lambda ns: None)


A_DELAY_NS = 1_000_000


def test_token_reads_are_taken_in_at_once_where_no_delay_is_allowed() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench, receivers = TokenBench(stack), [RecordingReceiver() for _ in range(3)]
            ends = [bench.stream(receiver) for receiver in receivers]
            for end in ends:
                end.send(b"held")
            await bench.read(3)
            assert sum(bench.batch_decoder) == 3
            bench.flush()
            assert [receiver.heard for receiver in receivers] == [[b"held"]] * 3

    asyncio.run(body())


def test_while_rests_are_allowed_it_waits_until_there_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_reader, "ENOUGH", 4)

    async def body() -> None:
        with ExitStack() as stack:
            bench, receiver = TokenBench(stack, A_DELAY_NS), RecordingReceiver()
            end = bench.stream(receiver)
            for number in range(1, 4):
                end.send(b"held")
                await bench.read(number)
            assert bench.batch_decoder == []
            end.send(b"held")
            await bench.read(4)
            assert bench.batch_decoder == [4]
            bench.flush()
            assert receiver.heard == [b"held"] * 4
            assert receiver.times_ns == sorted(set(receiver.times_ns))

    asyncio.run(body())


def test_it_waits_much_longer_while_there_is_no_time_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_reader, "ENOUGH", 2)
    monkeypatch.setattr(batch_reader, "_TOO_MUCH", 5)

    async def body() -> None:
        with ExitStack() as stack:
            bench, receiver = TokenBench(stack, read_delay_ns=-1), RecordingReceiver()
            end = bench.stream(receiver)
            for number in range(1, 5):
                end.send(b"held")
                await bench.read(number)
            assert bench.batch_decoder == []
            end.send(b"held")
            await bench.read(5)
            assert bench.batch_decoder == [5]

    asyncio.run(body())


def test_it_is_taken_in_before_anything_else_is_told() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench, receiver, other = TokenBench(stack, A_DELAY_NS), RecordingReceiver(), RecordingReceiver()
            end = bench.stream(receiver)
            far, _ = bench.pair(other)
            end.send(b"held")
            await bench.read(1)
            before: list[list[int]] = []
            other.then = lambda data: before.append(list(bench.batch_decoder))
            far.send(b"x")
            await until(lambda: other.heard == [b"x"])
            assert before == [[1]]
            end.send(b"held")
            await bench.read(3)
            end.send(b"end")
            end.send(b"!")
            await until(lambda: b"".join(receiver.heard).endswith(b"!"))
            assert b"".join(receiver.heard) == b"heldheldend!"

    asyncio.run(body())


def test_it_is_taken_in_when_it_is_asked_what_is_held() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench, receiver = TokenBench(stack, A_DELAY_NS), RecordingReceiver()
            end = bench.stream(receiver)
            end.send(b"held")
            await bench.read(1)
            assert (bench.batch_decoder, receiver.heard) == ([], [])
            bench.flush()
            assert receiver.heard == [b"held"]

    asyncio.run(body())


def test_what_waits_behind_an_odd_read_is_a_token_read_only_if_it_still_may_be() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench, receiver = TokenBench(stack, A_DELAY_NS), RecordingReceiver()
            far, near = bench.pair(receiver, token_end=b"d")
            buffer = bench.read_loop._open[near.fileno()]

            def none_from_now_on(data: bytes) -> None:
                buffer.token_end = b""

            receiver.then = none_from_now_on
            for number, data in enumerate([b"odd", b"held"], 1):
                far.send(data)
                await bench.read(number)
            bench.read_loop.batch_reader.decode_pending()
            assert receiver.heard == [b"odd", b"held"]
            assert bench.batch_decoder == [2, 1], "both together, then the odd one alone"
            assert receiver.by_kernel == [True, True]

    asyncio.run(body())


def test_what_waits_for_one_who_is_gone_is_told_to_nobody() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench, receiver = TokenBench(stack, A_DELAY_NS), RecordingReceiver()
            far, near = bench.pair(receiver, token_end=b"d")
            far.send(b"held")
            await bench.read(1)
            bench.read_loop.remove(near)
            bench.flush()
            assert receiver.heard == []

    asyncio.run(body())


def test_a_read_as_long_as_it_can_be_is_no_token_read_however_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch_reader, "READ_BYTES", 4)

    async def body() -> None:
        with ExitStack() as stack:
            bench, receiver = TokenBench(stack, A_DELAY_NS), RecordingReceiver()
            bench.stream(receiver).send(b"abcdefd")
            await bench.read(2)
            assert receiver.heard == [b"abcd"]
            bench.flush()
            assert receiver.heard == [b"abcd", b"efd"]

    asyncio.run(body())


def test_a_socket_that_has_more_and_is_told_of_again_is_read_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch_reader, "READ_BYTES", 4)

    async def body() -> None:
        with ExitStack() as stack:
            bench = TokenBench(stack, A_DELAY_NS)
            more = iter([b"abc!eed"])
            receiver = RecordingReceiver(lambda data: [far.send(one) for one in more] and None)
            far = bench.stream(receiver)
            far.send(b"full")
            await until(lambda: bench.reads >= 3)
            bench.flush()
            assert b"".join(receiver.heard) == b"fullabc!eed"

    asyncio.run(body())


def test_a_broken_one_among_streams_is_told_and_costs_the_others_nothing() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench = TokenBench(stack)
            receivers, _ = bench.three_of_which_one_is_broken(ConnectionResetError())
            await bench.read(2)
            await until(lambda: bool(receivers[1].lost))
            bench.flush()
            assert [receiver.heard for receiver in receivers] == [[b"held"], [], [b"held"]]

    asyncio.run(body())


def test_a_socket_without_data_is_left_alone() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench = TokenBench(stack)
            receivers, fars = bench.three_of_which_one_is_broken(BlockingIOError())
            await bench.read(2)
            bench.broken = []
            fars[1].send(b" and more held")
            await bench.read(3)
            bench.flush()
            assert [receiver.heard for receiver in receivers] == [
                [b"held"],
                [b"held and more held"],
                [b"held"],
            ]
            assert receivers[1].lost == []

    asyncio.run(body())


def test_a_stamp_later_than_its_read_is_not_believed() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench, receiver = TokenBench(stack), RecordingReceiver()
            bench.stamp_ahead_ns = 5_000_000
            bench.stream(receiver).send(b"held")
            await until(lambda: receiver.heard == [b"held"])
            assert receiver.times_ns[0] <= bench.clock.now_ns()
            assert receiver.by_kernel == [False]

    asyncio.run(body())


def test_a_receiver_that_fails_at_what_was_held_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch_reader, "TOLD_AT_ONCE", 1)

    async def body() -> None:
        told = complaints()
        with ExitStack() as stack:
            bench, receivers = (
                TokenBench(stack),
                [
                    RecordingReceiver(),
                    RecordingReceiver(not_understood),
                    RecordingReceiver(),
                    RecordingReceiver(),
                ],
            )
            ends = [
                bench.pair(receiver, token_end=b"d" if receiver is not receivers[3] else b"")[0]
                for receiver in receivers
            ]
            for end, data in zip(ends, [b"held", b"held", b"odd", b"other"], strict=True):
                end.send(data)
            await until(lambda: all(receiver.heard for receiver in receivers))
            assert [receiver.heard for receiver in receivers] == [[b"held"], [b"held"], [b"odd"], [b"other"]]
            assert told == ["not understood"]

    asyncio.run(body())
