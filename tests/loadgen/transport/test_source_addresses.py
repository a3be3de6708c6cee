"""Connections from addresses of ours, in turn, as the server sees them."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter

import pytest

from loadgen.clock import MonotonicClock, monotonic_ns
from loadgen.transport.awaited import NotOpened, opened
from loadgen.transport.connection import Connection
from loadgen.transport.opening import new_socket
from loadgen.transport.pool import Pool
from loadgen.transport.source_addresses import SourceAddresses, is_source, why_not

NOT_OURS = "192.0.2.1"  # RFC 5737: nobody has it


async def connected_from(sources: tuple[str, ...], count: int, host: str = "127.0.0.1") -> list[str]:
    """The addresses that a server sees `count` connections come from."""
    seen: list[str] = []

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("peername")[0])
        writer.close()

    server = await asyncio.start_server(accepted, host)
    async with server:
        loop = asyncio.get_running_loop()
        family, where = server.sockets[0].family, server.sockets[0].getsockname()
        pool = Pool(loop, MonotonicClock(monotonic_ns()), [(family, where)], sources=sources)
        try:
            connections: list[Connection] = [await opened(pool) for _ in range(count)]
            while len(seen) < count:
                await asyncio.sleep(0)
        finally:
            pool.close()
        assert len(connections) == count
    return seen


def test_connections_go_from_each_source_address_in_turn() -> None:
    seen = asyncio.run(connected_from(("127.0.0.2", "127.0.0.3"), 6))
    assert Counter(seen) == {"127.0.0.2": 3, "127.0.0.3": 3}


def test_without_one_the_kernel_chooses() -> None:
    assert asyncio.run(connected_from((), 1)) == ["127.0.0.1"]


def test_one_of_another_family_is_not_used() -> None:
    assert asyncio.run(connected_from(("::1",), 1)) == ["127.0.0.1"]
    turns = SourceAddresses(["127.0.0.2", "::1"])
    to_v4, to_v6 = (socket.AF_INET, None), (socket.AF_INET6, None)
    assert [turns.next_to(to) for to in (to_v4, to_v6, to_v4)] == ["127.0.0.2", "::1", "127.0.0.2"]


def test_workers_begin_with_different_ones() -> None:
    to = (socket.AF_INET, None)
    assert [SourceAddresses(["127.0.0.2", "127.0.0.3"], worker).next_to(to) for worker in (0, 1, 2)] == [
        "127.0.0.2",
        "127.0.0.3",
        "127.0.0.2",
    ]


@pytest.mark.parametrize("ip", ["127.0.0.2", "::1"])
def test_its_port_is_chosen_only_when_it_connects(ip: str) -> None:
    """So a port that serves one server serves another as well. Source: ip(7), IP_BIND_ADDRESS_NO_PORT."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    if why_not(ip):
        pytest.skip("no IPv6 here")
    with new_socket((family, None), ip) as sock:
        assert sock.getsockname()[:2] == (ip, 0)


def test_an_address_that_is_none_of_ours_is_told_as_such() -> None:
    async def body() -> NotOpened:
        with pytest.raises(NotOpened) as failed:
            await connected_from((NOT_OURS,), 1)
        return failed.value

    failed = asyncio.run(body())
    assert (failed.kind, failed.message) == (
        "no_network",
        f"from {NOT_OURS}: Cannot assign requested address",
    )
    assert why_not(NOT_OURS) == "cannot assign requested address"
    assert why_not("127.0.0.3") == ""


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        *[("127.0.0.2", True), ("10.1.2.3", True), ("::1", True), ("fd00::5", True)],
        *[("0.0.0.0", False), ("::", False), ("224.0.0.1", False), ("eth0", False), ("10.0.0.0/8", False)],
        *[("fe80::1%eth0", False), ("", False), ("127.1", False)],
    ],
)
def test_what_may_be_one(text: str, is_one: bool) -> None:
    assert is_source(text) is is_one
