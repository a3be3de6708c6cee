"""Sockets read in rounds: each with its time, none for a receiver that is gone, rests as long as allowed."""

from __future__ import annotations

import asyncio
import select
import socket
from contextlib import ExitStack

import pytest

from loadgen.transport import batch_reader, read_loop
from loadgen.transport.receive_times import READ_BYTES
from tests.loadgen.transport.recording_receiver import Bench, Ear, complaints, not_understood, until

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="rounds need epoll")


def test_every_socket_with_data_is_read_in_one_round() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench, ears = Bench(stack), [Ear() for _ in range(300)]
            ends = [bench.pair(ear)[0] for ear in ears]
            for number, end in enumerate(ends):
                end.send(b"%d" % number)
            await until(lambda: all(ear.heard for ear in ears))
            assert [ear.heard for ear in ears] == [[b"%d" % number] for number in range(300)]

    asyncio.run(body())


def test_a_socket_that_another_one_closes_in_the_same_round_is_heard_no_more() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench = Bench(stack)
            first, second, third = Ear(), Ear(), Ear()
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
            old, new, other = Ear(), Ear(), Ear()
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
            bench, ended, reset = Bench(stack), Ear(), Ear()
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
            bench, ears = Bench(stack), [Ear(), Ear()]
            for ear, pair in zip(ears, (bench.pair, bench.tcp_pair), strict=True):
                far, _ = pair(ear)
                far.send(b"last")
                far.close()
            await until(lambda: all(ear.heard[-1:] == [b""] for ear in ears))
            assert [ear.heard for ear in ears] == [[b"last", b""]] * 2

    asyncio.run(body())


def test_a_socket_that_is_never_empty_keeps_the_loop_no_longer_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch_reader, "READ_BYTES", 4)

    async def body() -> None:
        with ExitStack() as stack:
            bench, ear = Bench(stack), Ear()
            far, _ = bench.pair(ear)
            far.send(b"x" * 20_000)
            await until(lambda: bool(ear.heard))
            a_turn = []
            for _ in range(5):
                # As the loop does where epoll tells of the socket, too.
                far.send(b"more")
                bench.read_loop._round()
                before = len(ear.heard)
                await asyncio.sleep(0)
                a_turn.append(len(ear.heard) - before)
            assert 1 <= max(a_turn) <= 2, a_turn

    asyncio.run(body())


def test_rounds_may_be_closed_while_there_is_more_to_read() -> None:
    async def body() -> None:
        told = complaints()
        with ExitStack() as stack:
            bench = Bench(stack)
            ear = Ear(lambda data: bench.read_loop.close())
            far, _ = bench.pair(ear)
            far.send(b"last")
            far.close()
            await until(lambda: bool(ear.heard))
            for _ in range(5):
                await asyncio.sleep(0)
            assert (ear.heard, told) == ([b"last"], [])

    asyncio.run(body())


def test_a_read_as_long_as_it_can_be_is_followed_by_another() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench, ear = Bench(stack), Ear()
            far, _ = bench.pair(ear)
            sent = far.send(b"x" * 150_000)
            assert sent > 2 * READ_BYTES
            await until(lambda: sum(map(len, ear.heard)) == sent)

    asyncio.run(body())


def test_a_round_is_followed_by_the_delay_that_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[int] = []
    monkeypatch.setattr(read_loop, "sleep_ns", slept.append)

    async def body() -> None:
        with ExitStack() as stack:
            bench, ear = Bench(stack), Ear()
            far, _ = bench.pair(ear)
            for number, allowed_ns in enumerate([0, 400_000, 10_000, -5]):
                bench.read_loop.read_delay_ns = lambda allowed_ns=allowed_ns: allowed_ns  # type: ignore[misc]
                far.send(b"x")
                await until(lambda number=number: len(ear.heard) == number + 1)  # type: ignore[misc]

    asyncio.run(body())
    assert slept == [400_000]


def test_few_sockets_are_read_at_a_time_while_something_is_about_to_be_due() -> None:
    async def body() -> None:
        with ExitStack() as stack:
            bench, ears = Bench(stack), [Ear() for _ in range(30)]
            bench.read_loop.read_delay_ns = lambda: -1
            for ear in ears:
                bench.pair(ear)[0].send(b"x")
            bench.read_loop._round()
            assert sum(bool(ear.heard) for ear in ears) == 4
            await until(lambda: all(ear.heard == [b"x"] for ear in ears))
            bench.read_loop.read_delay_ns = lambda: 0
            more = [Ear() for _ in range(30)]
            for ear in more:
                bench.pair(ear)[0].send(b"y")
            bench.read_loop._round()
            assert all(ear.heard == [b"y"] for ear in more)

    asyncio.run(body())


def test_a_receiver_that_fails_costs_the_others_nothing() -> None:
    async def body() -> None:
        told = complaints()
        with ExitStack() as stack:
            bench, ears = Bench(stack), [Ear(), Ear(not_understood), Ear()]
            ends = [bench.pair(ear)[0] for ear in ears]
            for end in ends:
                end.send(b"x")
            await until(lambda: all(ear.heard for ear in ears))
            assert [ear.heard for ear in ears] == [[b"x"]] * 3
            assert told == ["not understood"]

    asyncio.run(body())


def test_without_epoll_each_socket_is_watched_by_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "epoll")

    async def body() -> None:
        with ExitStack() as stack:
            bench, ear = Bench(stack), Ear()
            far, near = bench.pair(ear)
            far.send(b"x")
            await until(lambda: ear.heard == [b"x"])
            bench.read_loop.remove(near)
            far.send(b"y")
            for _ in range(20):
                await asyncio.sleep(0)
            assert ear.heard == [b"x"]

    asyncio.run(body())
