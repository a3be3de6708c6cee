"""One request and its response, awaited, over the sockets and the parser of the load itself.

What the load cannot read the probe cannot read either, and says so before the load begins.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Any

from loadgen.clock import MonotonicClock
from loadgen.transport.addresses import Addresses, Resolver, dns_trouble, resolve, tried
from loadgen.transport.awaited import NotOpened, addresses_of, opened
from loadgen.transport.connection import Connection
from loadgen.transport.http1 import Headers
from loadgen.transport.pool import Pool
from loadgen.worker_config import Address


class Broken(Exception):
    """There was no whole response: `kind` is one of `loadgen.errors.ERROR_KINDS`, `message` what was seen.

    `answered` is whether any of a response came.
    """

    def __init__(self, kind: str, message: str, *, answered: bool = False) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind, self.message, self.answered = kind, message, answered


class RoundTrip:
    """The `Exchange` of a connection that carries one request. Ask for `head`, then for each `piece`."""

    token_end = b""

    def __init__(self, connection: Connection, payload: bytes) -> None:
        self._told = asyncio.Event()
        self._connection: Connection | None = connection
        self._head: tuple[int, Headers] | None = None
        self._pieces: deque[tuple[int, bytes]] = deque()
        self._ended = False
        self._broken: Broken | None = None
        connection.send(payload, self)

    async def head(self) -> tuple[int, Headers]:
        """Status and headers.

        Raises:
            Broken: there are none.
        """
        while self._head is None:
            if self._broken is not None:
                raise self._broken
            await self._news(None)
        return self._head

    async def piece(self, timeout_s: float | None = None) -> tuple[int, bytes] | None:
        """What one read brought of the body, after `time.monotonic_ns()` of its arrival; None at the end.

        Raises:
            Broken: the body was cut off, or is none.
            TimeoutError: nothing came within `timeout_s`.
        """
        while not self._pieces:
            if self._broken is not None:
                raise self._broken
            if self._ended:
                return None
            await self._news(timeout_s)
        return self._pieces.popleft()

    def give_up(self) -> None:
        """Closes the connection, whatever may still come."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abandon()

    async def _news(self, timeout_s: float | None) -> None:
        self._told.clear()
        await asyncio.wait_for(self._told.wait(), timeout_s)

    # what the connection tells

    def on_sent(self, t_ns: int) -> None:
        pass

    def on_headers(self, t_ns: int, status: int, headers: Headers) -> None:
        self._head = status, headers
        self._told.set()

    def on_body(self, t_ns: int, data: bytes, by_kernel: bool) -> None:
        self._pieces.append((t_ns, data))
        self._told.set()

    def on_token_events(self, events: list[Any], times_ns: list[int], size: int) -> None:
        raise AssertionError("no read is a token event here")

    def on_end(self, t_ns: int) -> None:
        self._ended, self._connection = True, None
        self._told.set()

    def on_fail(self, t_ns: int, kind: str, message: str, *, answered: bool, reused: bool) -> None:
        self._broken, self._connection = Broken(kind, message, answered=answered), None
        self._told.set()


class Network:
    """Opens connections to one server as a load worker does; each carries one request."""

    def __init__(
        self, address: Address, tls: ssl.SSLContext | None, connect_s: float, resolver: Resolver = resolve
    ) -> None:
        self._address, self._tls, self._connect_s, self._resolver = address, tls, connect_s, resolver
        self._pool: Pool | None = None
        self.found = Addresses([], {})
        """What the server's name stands for; known after the first request."""

    async def send(self, payload: bytes) -> RoundTrip:
        """Sends a request on a connection of its own: llama.cpp closes kept-alive ones without saying so.

        Raises:
            Broken: the server cannot be reached.
        """
        if self._pool is None:
            self._pool = await self._new_pool()
        self._pool.sweep()
        try:
            connection = await opened(self._pool)
        except NotOpened as error:
            raise Broken(error.kind, error.message) from None
        return RoundTrip(connection, payload)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()

    async def _new_pool(self) -> Pool:
        address = self._address
        try:
            where = await addresses_of(address.host, address.port, address.unix_path, self._resolver)
        except OSError as error:
            raise Broken("dns", dns_trouble(error)) from None
        self.found = await tried(where, self._connect_s)
        loop, name, taken = asyncio.get_running_loop(), address.server_name or address.host, self.found.taken
        pool = Pool(
            loop,
            MonotonicClock(0),
            taken,
            self._tls,
            name,
            self._connect_s,
            address.tunnel,
            sources=address.sources,
        )
        pool.reuse = False
        return pool
