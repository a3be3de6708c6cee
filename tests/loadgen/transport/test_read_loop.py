"""Sockets read in rounds: each with its time, none for a receiver that is gone, delays as long as allowed."""

from __future__ import annotations

import asyncio
import select
import socket
from contextlib import ExitStack

import pytest

from loadgen.transport import batch_reader, read_loop
from loadgen.transport.receive_times import READ_BYTES
from tests.loadgen.transport.recording_receiver import (
    Bench,
    RecordingReceiver,
    complaints,
    not_understood,
    until,
)

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="rounds need epoll")


def test_every_socket_with_data_is_read_in_one_round() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench, receivers = Bench(stack), [RecordingReceiver() for _ in range(300)]
            ends = [bench.pair(receiver)[0] for receiver in receivers]
            for number, end in enumerate(ends):
                end.send(b"%d" % number)
            await until(lambda: all(receiver.heard for receiver in receivers))
            assert [receiver.heard for receiver in receivers] == [[b"%d" % number] for number in range(300)]

    asyncio.run(body())


def test_a_socket_that_another_one_closes_in_the_same_round_is_heard_no_more() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench = Bench(stack)
            first, second, third = RecordingReceiver(), RecordingReceiver(), RecordingReceiver()
            one, near_one = bench.pair(first)
            two, near_two = bench.pair(second)
            three, _ = bench.pair(third)
            nears = {"first": near_one, "second": near_two}
            first.then = lambda data: bench.read_loop.remove(nears["second"])
            second.then = lambda data: bench.read_loop.remove(nears["first"])
            for end in (one, two, three):
                end.send(b"x")
            await until(lambda: bool(third.heard))
            assert sorted([first.heard, second.heard]) == [[], [b"x"]]

    asyncio.run(body())


def test_the_number_of_a_closed_socket_may_come_back_for_another_receiver() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench = Bench(stack)
            old, new, other = RecordingReceiver(), RecordingReceiver(), RecordingReceiver()
            far, near = bench.pair(old)
            far_other, _ = bench.pair(other)

            def swap(data: bytes) -> None:
                number = near.fileno()
                bench.read_loop.remove(near)
                near.close()
                far_again, near_again = bench.pair(new)
                stack.callback(far_again.close)
                assert number in (near_again.fileno(), far_again.fileno())

            other.then = swap
            far_other.send(b"now")
            far.send(b"for the old one")
            await until(lambda: bool(other.heard))
            for _ in range(20):
                await asyncio.sleep(0)
            assert new.heard == []

    asyncio.run(body())


def test_the_end_of_a_stream_and_a_reset_are_told() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench, ended, reset = Bench(stack), RecordingReceiver(), RecordingReceiver()
            ended.then = lambda data: bench.read_loop.remove(near)
            far, near = bench.pair(ended)
            far.close()
            await until(lambda: bool(ended.heard))
            assert ended.heard == [b""]
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            client = stack.enter_context(socket.create_connection(listener.getsockname()))
            server, _ = listener.accept()
            client.setblocking(False)
            bench.read_loop.add(client, reset)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            server.close()
            await until(lambda: bool(reset.lost))
            assert isinstance(reset.lost[0], ConnectionResetError)

    asyncio.run(body())


def test_an_end_that_comes_with_the_last_data_is_told() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench, receivers = Bench(stack), [RecordingReceiver(), RecordingReceiver()]
            for receiver, pair in zip(receivers, (bench.pair, bench.tcp_pair), strict=True):
                far, _ = pair(receiver)
                far.send(b"last")
                far.close()
            await until(lambda: all(receiver.heard[-1:] == [b""] for receiver in receivers))
            assert [receiver.heard for receiver in receivers] == [[b"last", b""]] * 2

    asyncio.run(body())


def test_a_socket_that_is_never_empty_keeps_the_loop_no_longer_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch_reader, "READ_BYTES", 4)

    async def body() -> None:
        with ExitStack() as stack:
            bench, receiver = Bench(stack), RecordingReceiver()
            far, _ = bench.pair(receiver)
            far.send(b"x" * 20_000)
            await until(lambda: bool(receiver.heard))
            a_turn = []
            for _ in range(5):
                # As the loop does where epoll tells of the socket, too.
                far.send(b"more")
                bench.read_loop._round()
                before = len(receiver.heard)
                await asyncio.sleep(0)
                a_turn.append(len(receiver.heard) - before)
            assert 1 <= max(a_turn) <= 2, a_turn

    asyncio.run(body())


def test_rounds_may_be_closed_while_there_is_more_to_read() -> None:
    async def body() -> None:
        told = complaints()
        with ExitStack() as stack:
            bench = Bench(stack)
            receiver = RecordingReceiver(lambda data: bench.read_loop.close())
            far, _ = bench.pair(receiver)
            far.send(b"last")
            far.close()
            await until(lambda: bool(receiver.heard))
            for _ in range(5):
                await asyncio.sleep(0)
            assert (receiver.heard, told) == ([b"last"], [])

    asyncio.run(body())


def test_a_read_as_long_as_it_can_be_is_followed_by_another() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench, receiver = Bench(stack), RecordingReceiver()
            far, _ = bench.pair(receiver)
            sent = far.send(b"x" * 150_000)
            assert sent > 2 * READ_BYTES
            await until(lambda: sum(map(len, receiver.heard)) == sent)

    asyncio.run(body())


def test_a_round_is_followed_by_the_delay_that_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[int] = []
    monkeypatch.setattr(read_loop, "sleep_ns", slept.append)

    async def body() -> None:
        with ExitStack() as stack:
            bench, receiver = Bench(stack), RecordingReceiver()
            far, _ = bench.pair(receiver)
            for number, allowed_ns in enumerate([0, 400_000, 10_000, -5]):
                bench.read_loop.read_delay_ns = lambda allowed_ns=allowed_ns: allowed_ns  # type: ignore[misc]
                far.send(b"x")
                await until(lambda number=number: len(receiver.heard) == number + 1)  # type: ignore[misc]

    asyncio.run(body())
    assert slept == [400_000]


def test_few_sockets_are_read_at_a_time_while_something_is_about_to_be_due() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench, receivers = Bench(stack), [RecordingReceiver() for _ in range(30)]
            bench.read_loop.read_delay_ns = lambda: -1
            for receiver in receivers:
                bench.pair(receiver)[0].send(b"x")
            bench.read_loop._round()
            assert sum(bool(receiver.heard) for receiver in receivers) == 4
            await until(lambda: all(receiver.heard == [b"x"] for receiver in receivers))
            bench.read_loop.read_delay_ns = lambda: 0
            more = [RecordingReceiver() for _ in range(30)]
            for receiver in more:
                bench.pair(receiver)[0].send(b"y")
            bench.read_loop._round()
            assert all(receiver.heard == [b"y"] for receiver in more)

    asyncio.run(body())


def test_a_receiver_that_fails_costs_the_others_nothing() -> None:
    async def body() -> None:
        told = complaints()
        with ExitStack() as stack:
            bench, receivers = (
                Bench(stack),
                [RecordingReceiver(), RecordingReceiver(not_understood), RecordingReceiver()],
            )
            ends = [bench.pair(receiver)[0] for receiver in receivers]
            for end in ends:
                end.send(b"x")
            await until(lambda: all(receiver.heard for receiver in receivers))
            assert [receiver.heard for receiver in receivers] == [[b"x"]] * 3
            assert told == ["not understood"]

    asyncio.run(body())


def test_without_epoll_each_socket_is_watched_by_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "epoll")

    async def body() -> None:
        with ExitStack() as stack:
            bench, receiver = Bench(stack), RecordingReceiver()
            far, near = bench.pair(receiver)
            far.send(b"x")
            await until(lambda: receiver.heard == [b"x"])
            bench.read_loop.remove(near)
            far.send(b"y")
            for _ in range(20):
                await asyncio.sleep(0)
            assert receiver.heard == [b"x"]

    asyncio.run(body())
