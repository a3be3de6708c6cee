"""Our timed transport for any `httpx.AsyncClient`: each piece of a body with the time the kernel had it.

`examples/timed_httpx.py` shows its use. HTTP/1.1 over TCP, TLS or a Unix socket; connections are kept alive,
without limit to their number. Not done: HTTP/2, proxies, `Expect: 100-continue`.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx

from loadgen.clock import MonotonicClock
from loadgen.errors import printable
from loadgen.transport.awaited import NotOpened, addresses_of, opened
from loadgen.transport.connection import Connection
from loadgen.transport.http1 import Headers
from loadgen.transport.pool import Pool

TIMES = "ttftop_times"
"""Key in `response.extensions`: a list of `Piece`, one for each piece of `aiter_raw()`, as they are given."""
SENT = "ttftop_sent_ns"
"""Key in `response.extensions`: when the first byte of the request was handed to the socket."""

BUFFER_BYTES_MAX = 64 << 20
"""What may wait unread before the response is given up: times need reading ahead of a slow consumer."""
_CONNECT_AT_MOST_S = 86_400.0
_SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
_NO_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE", "TRACE"})
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ILLEGAL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Piece(NamedTuple):
    """When a piece of a response's body came, and how large it was."""

    t_ns: int
    """`time.monotonic_ns()` at which the kernel had the last byte of the read it came with."""
    size: int
    by_kernel: bool
    """False: the kernel gave no time, `t_ns` is that of the read."""


class _Stale(Exception):
    """A kept-alive connection was closed by the server before it answered."""


class _Exchange:
    """One request on a connection; what the connection tells is kept until it is asked for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pool: Pool, without_body: bool) -> None:
        self._loop, self._pool, self._without_body = loop, pool, without_body
        self.connection: Connection | None = None
        self.sent_ns = 0
        self.status: int | None = None
        self.headers: Headers = []
        self.pieces: deque[tuple[bytes, Piece]] = deque()
        self.ended = False
        self.error: httpx.TransportError | _Stale | None = None
        self.token_end = b""
        self._waiting = 0
        self._wake: asyncio.Future[None] | None = None

    # what the connection tells

    def on_sent(self, t_ns: int) -> None:
        self.sent_ns = t_ns

    def on_headers(self, t_ns: int, status: int, headers: Headers) -> None:
        self.status, self.headers = status, headers
        if self._without_body:
            # The parser would wait for a body; its length header tells of one that never comes.
            self._loop.call_soon(self._end_without_body)
        self._tell()

    def on_body(self, t_ns: int, data: bytes, by_kernel: bool) -> None:
        self._pool.reader.refresh()
        self._waiting += len(data)
        if self._waiting > BUFFER_BYTES_MAX:
            self.error = httpx.ReadError(f"more than {BUFFER_BYTES_MAX} bytes were left unread")
            self.give_up()
        else:
            self.pieces.append((data, Piece(t_ns, len(data), by_kernel)))
        self._tell()

    def on_token_events(self, events: list[Any], times_ns: list[int], size: int) -> None:
        raise AssertionError("no read is a token event here")

    def on_end(self, t_ns: int) -> None:
        self.ended, self.connection = True, None
        self._tell()

    def on_fail(self, t_ns: int, kind: str, message: str, *, answered: bool, reused: bool) -> None:
        self.connection = None
        text = printable(message) or kind
        if reused and not answered:
            self.error = _Stale(text)
        elif kind == "bad_response" or text.startswith("the server closed"):
            self.error = httpx.RemoteProtocolError(text)
        else:
            self.error = httpx.ReadError(text)
        self._tell()

    def _end_without_body(self) -> None:
        if not self.ended:
            self.ended = True
            self.give_up()
            self._tell()

    def _tell(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    # what the client asks

    def give_up(self) -> None:
        """Closes the connection, unless the response is complete."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abandon()

    def take(self) -> tuple[bytes, Piece]:
        data, piece = self.pieces.popleft()
        self._waiting -= piece.size
        return data, piece

    async def more(self, timeout_s: float | None) -> None:
        """Waits until something was told.

        Raises:
            httpx.ReadTimeout: nothing was, in time.
        """
        self._wake = self._loop.create_future()
        try:
            await asyncio.wait_for(self._wake, timeout_s)
        except asyncio.TimeoutError:
            self.give_up()
            raise httpx.ReadTimeout(f"nothing was received for {timeout_s:g} s") from None
        except asyncio.CancelledError:
            self.give_up()
            raise
        finally:
            self._wake = None


class TimedStream(httpx.AsyncByteStream):
    """The body of a response. `times` grows by one entry for each piece that was given."""

    def __init__(self, exchange: _Exchange, read_s: float | None) -> None:
        self._exchange, self._read_s = exchange, read_s
        self.times: list[Piece] = []

    async def __aiter__(self) -> AsyncIterator[bytes]:
        exchange = self._exchange
        while True:
            while exchange.pieces:
                data, piece = exchange.take()
                self.times.append(piece)
                yield data
            if exchange.ended:
                return
            if isinstance(exchange.error, httpx.TransportError):
                raise exchange.error
            await exchange.more(self._read_s)

    async def aclose(self) -> None:
        self._exchange.give_up()


class TimedTransport(httpx.AsyncBaseTransport):
    """An `httpx` transport on the sockets of the load generator. It belongs to one event loop.

    `verify` is as in httpx: True, False, or an SSL context. `unix_path`: connect there instead of to the
    host of the URL.
    """

    def __init__(self, verify: ssl.SSLContext | bool = True, unix_path: str | None = None) -> None:
        self._verify, self._unix_path = verify, unix_path
        self._clock = MonotonicClock(0)
        self._pools: dict[tuple[str, str, int], Pool] = {}
        self._retired: list[Pool] = []
        """Used no more, though some of their streams may go on."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends one request; returns once the headers of its response are there.

        Raises:
            httpx.TransportError: as httpx's own transport does: `ConnectError`, `ConnectTimeout`,
                `ReadTimeout`, `ReadError`, `RemoteProtocolError`, `LocalProtocolError`,
                `UnsupportedProtocol`.
        """
        limits = request.extensions.get("timeout", {})
        payload = await _payload(request)
        repeat = request.method in _SAFE_TO_REPEAT
        while True:
            exchange = await self._sent(request, payload, limits.get("connect"))
            try:
                while exchange.status is None and exchange.error is None:
                    await exchange.more(limits.get("read"))
            except BaseException:
                exchange.give_up()
                raise
            if exchange.status is not None:
                break
            if isinstance(exchange.error, _Stale):
                if repeat:
                    continue  # that connection is gone, and with each turn one fewer is left
                raise httpx.RemoteProtocolError(str(exchange.error))
            assert exchange.error is not None
            raise exchange.error
        stream = TimedStream(exchange, limits.get("read"))
        return httpx.Response(
            exchange.status,
            headers=exchange.headers,
            stream=stream,
            extensions={"http_version": b"HTTP/1.1", TIMES: stream.times, SENT: exchange.sent_ns},
        )

    async def aclose(self) -> None:
        pools, self._pools = self._pools, {}
        for pool in (*pools.values(), *self._retired):
            pool.close()
        self._retired.clear()

    async def _sent(self, request: httpx.Request, payload: bytes, connect_s: float | None) -> _Exchange:
        loop = asyncio.get_running_loop()
        key, pool = await self._pool(request)
        pool.sweep()
        exchange = _Exchange(loop, pool, without_body=request.method == "HEAD")
        connection = pool.idle()
        if connection is None:
            try:
                connection = await _opened(pool, connect_s)
            except httpx.ConnectError:
                # Its name may stand for another address by the next time.
                if self._pools.get(key) is pool:
                    del self._pools[key]
                    self._retired.append(pool)
                raise
        exchange.connection = connection
        connection.send(payload, exchange)
        return exchange

    async def _pool(self, request: httpx.Request) -> tuple[tuple[str, str, int], Pool]:
        url = request.url
        if url.scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol(f"the URL's scheme is {url.scheme!r}, need http or https")
        host = url.raw_host.decode("ascii")
        key = (url.scheme, host, url.port or (443 if url.scheme == "https" else 80))
        pool = self._pools.get(key)
        if pool is None:
            loop = asyncio.get_running_loop()
            try:
                where = await addresses_of(host, key[2], self._unix_path)
            except OSError as error:
                raise httpx.ConnectError(f"{printable(host)}: {error.strerror or error}") from None
            tls = self._context() if url.scheme == "https" else None
            name = str(request.extensions.get("sni_hostname") or host)
            pool = self._pools.setdefault(key, Pool(loop, self._clock, where, tls, name, _CONNECT_AT_MOST_S))
        return key, pool

    def _context(self) -> ssl.SSLContext:
        if isinstance(self._verify, ssl.SSLContext):
            return self._verify
        from loadgen.target.tls_context import context

        return context(None, insecure=not self._verify)


async def _opened(pool: Pool, connect_s: float | None) -> Connection:
    try:
        return await asyncio.wait_for(opened(pool), connect_s)
    except asyncio.TimeoutError:
        raise httpx.ConnectTimeout(f"no connection after {connect_s:g} s") from None
    except NotOpened as failed:
        error = httpx.ConnectTimeout if failed.kind == "connect_timeout" else httpx.ConnectError
        raise error(printable(failed.message)) from None


async def _payload(request: httpx.Request) -> bytes:
    """The whole request as bytes; a body that comes in parts is gathered, so that it has a length."""
    assert isinstance(request.stream, httpx.AsyncByteStream)
    body = b"".join([part async for part in request.stream])
    method, target = request.method.encode("ascii", "replace"), request.url.raw_path
    if not _TOKEN.fullmatch(method):
        raise httpx.LocalProtocolError("illegal method")
    lines = [b"%s %s HTTP/1.1" % (method, target)]
    counted = False
    for name, value in request.headers.raw:
        if not _TOKEN.fullmatch(name) or _ILLEGAL.search(value):
            # Never the value: it may be a key.
            raise httpx.LocalProtocolError(f"illegal header {printable(name.decode('latin-1'), 40)}")
        lower = name.lower()
        if lower != b"transfer-encoding":
            lines.append(b"%s: %s" % (name, value))
            counted = counted or lower == b"content-length"
    if not counted and (body or request.method not in _NO_BODY):
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
