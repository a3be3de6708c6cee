"""What the system says when a connection cannot be opened: our own want has kinds of its own."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket

import pytest

from loadgen.clock import MonotonicClock
from loadgen.errors import MACHINE_KINDS
from loadgen.transport.opening import failure_of
from loadgen.transport.pool import Pool
from loadgen.worker.backoff import UNREACHABLE


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EADDRNOTAVAIL, "no_ports"),
        (errno.EMFILE, "no_descriptors"),
        (errno.ENFILE, "no_descriptors"),
        (errno.ENOBUFS, "no_memory"),
        (errno.ENOMEM, "no_memory"),
        (errno.ENETUNREACH, "no_network"),
        (errno.ENETDOWN, "no_network"),
        (errno.EAFNOSUPPORT, "no_network"),
        (errno.EACCES, "not_permitted"),
        (errno.EPERM, "not_permitted"),
    ],
)
def test_what_this_machine_lacks_is_never_put_on_the_server(number: int, kind: str) -> None:
    assert failure_of(OSError(number, "said"), False) == (kind, "said")
    assert kind in MACHINE_KINDS
    assert kind not in UNREACHABLE  # or the server would be called unreachable


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ECONNREFUSED, "connect_refused"),
        (errno.ETIMEDOUT, "connect_timeout"),
        (errno.EHOSTUNREACH, "connect_failed"),
        (errno.ECONNRESET, "connect_failed"),
    ],
)
def test_what_the_other_side_or_the_way_to_it_says_is_not_ours(number: int, kind: str) -> None:
    assert failure_of(OSError(number, "said"), False) == (kind, "said")


def test_a_unix_socket_that_may_not_be_opened_is_about_its_path() -> None:
    assert failure_of(OSError(errno.EACCES, "Permission denied"), True)[0] == "connect_failed"
    assert failure_of(OSError(errno.EMFILE, "Too many"), True)[0] == "no_descriptors"


def test_a_client_out_of_descriptors_says_so_of_the_connection_that_it_could_not_open() -> None:
    async def body() -> str:
        loop = asyncio.get_running_loop()
        pool = Pool(loop, MonotonicClock(0), [(socket.AF_INET, ("127.0.0.1", 9))])
        told: asyncio.Future[str] = loop.create_future()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest = os.dup(0)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            os.close(lowest)
            pool.open(lambda connection: told.set_result("open"), lambda kind, _: told.set_result(kind))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        try:
            return await asyncio.wait_for(told, 20)
        finally:
            pool.close()

    assert asyncio.run(body()) == "no_descriptors"


def test_a_proxy_that_is_gone_is_not_a_server_that_refuses() -> None:
    async def body(through_proxy: bool) -> str:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            loop = asyncio.get_running_loop()
            where = [(socket.AF_INET, nobody.getsockname())]
            pool = Pool(loop, MonotonicClock(0), where, through_proxy=through_proxy)
            told: asyncio.Future[str] = loop.create_future()
            pool.open(lambda connection: told.set_result("open"), lambda kind, _: told.set_result(kind))
            try:
                return await asyncio.wait_for(told, 20)
            finally:
                pool.close()

    assert [asyncio.run(body(proxy)) for proxy in (False, True)] == ["connect_refused", "proxy"]
    assert "proxy" in UNREACHABLE  # nothing is sent to it in vain
