"""A connection as a coroutine waits for it: its addresses looked up, then opened or not."""

from __future__ import annotations

import asyncio
import socket

from loadgen.transport.addresses import Resolver, resolve
from loadgen.transport.connection import Connection, SocketAddress
from loadgen.transport.pool import Pool


class NotOpened(Exception):
    """No connection could be made: `kind` is one of `loadgen.errors.ERROR_KINDS`, `message` what was seen."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind, self.message = kind, message


async def addresses_of(
    host: str, port: int, unix_path: str | None, resolver: Resolver = resolve
) -> list[SocketAddress]:
    """Where to connect, in the order to try; the socket at `unix_path` if there is one.

    Raises:
        OSError: the name cannot be resolved.
    """
    return [(socket.AF_UNIX, unix_path)] if unix_path is not None else await resolver(host, port)


async def opened(pool: Pool) -> Connection:
    """A new connection. Whoever is cancelled meanwhile leaves none behind.

    Raises:
        NotOpened: there is none to be had.
    """
    opening: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()

    def on_open(connection: Connection) -> None:
        if opening.done():
            connection.close()
        else:
            opening.set_result(connection)

    def on_failed(kind: str, message: str) -> None:
        if not opening.done():
            opening.set_exception(NotOpened(kind, message))

    give_up = pool.open(on_open, on_failed)
    try:
        return await opening
    except asyncio.CancelledError:
        if opening.done() and not opening.cancelled() and opening.exception() is None:
            opening.result().close()
        raise
    finally:
        give_up()
