"""One HTTP/1.1 connection on non-blocking sockets, driven by an event loop's readiness.

It knows bytes and times, nothing of tokens. What happens to a request it tells an `Exchange`; what
happens to itself, its owner (`loadgen.transport.pool`).
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from typing import Protocol

import httptools

from loadgen.clock import Clock
from loadgen.transport.rounds import Rounds
from loadgen.transport.stamps import StampedReader, ask_for_stamps

HEADER_BYTES_MAX = 131_072


class Exchange(Protocol):
    """One request and its response, told as it happens. Times are session ns."""

    def on_sent(self, t_ns: int) -> None:
        """The first byte is about to be handed to the socket."""

    def on_headers(self, t_ns: int, status: int, headers: dict[bytes, bytes]) -> None:
        """Final response headers (1xx are skipped); names lower case."""

    def on_body(self, t_ns: int, data: bytes, by_kernel: bool) -> None:
        """Decoded body bytes of one socket read, which the kernel had at `t_ns`."""

    def on_end(self, t_ns: int) -> None:
        """The response ended as HTTP says it should."""

    def on_fail(self, t_ns: int, kind: str, message: str, *, answered: bool, reused: bool) -> None:
        """It broke. `answered`: some byte of the response had come. `reused`: on a kept-alive connection."""


class Owner(Protocol):
    """Whoever keeps the connections."""

    def on_open(self, connection: Connection) -> None: ...

    def on_open_failed(self, connection: Connection, kind: str, message: str) -> None: ...

    def on_idle(self, connection: Connection, keep_alive_s: float | None) -> None:
        """The response is complete and the connection may carry another request."""

    def on_gone(self, connection: Connection) -> None:
        """Closed by the server while idle, or no longer usable."""


SocketAddress = tuple[socket.AddressFamily, object]

_REFUSED = {errno.ECONNREFUSED: "connect_refused", errno.ETIMEDOUT: "connect_timeout"}


def _open_failure(error: OSError) -> tuple[str, str]:
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "no_descriptors", "out of file descriptors (raise `ulimit -n`)"
    return _REFUSED.get(error.errno or 0, "connect_failed"), error.strerror or str(error)


class Connection:
    """Opens itself when made; then carries one exchange at a time."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        reader: StampedReader,
        rounds: Rounds,
        owner: Owner,
        address: SocketAddress,
        tls: ssl.SSLContext | None = None,
        server_name: str = "",
    ) -> None:
        self._loop, self._clock, self._reader, self._owner = loop, clock, reader, owner
        self._rounds = rounds
        self.connect_ns: int | None = None
        """How long opening took, TLS included; None until open."""
        self.uses = 0
        self._exchange: Exchange | None = None
        self._answered = False
        self._read_t_ns, self._read_by_kernel = 0, False
        self._unsent = b""
        self._writing = False
        self._opened_ns = clock.now_ns()
        self._body: list[bytes] = []
        # httptools asks for it once, so a chunk costs no call of Python.
        self.on_body = self._body.append
        self._headers: dict[bytes, bytes] = {}
        self._header_bytes = 0
        self._ended = self._informational = self._no_length = False
        self._keep_alive = False
        self._broken: str | None = None
        self._in_tls: ssl.MemoryBIO | None = None
        self._tls: ssl.SSLObject | None = None
        if tls is not None:
            self._in_tls, self._out_tls = ssl.MemoryBIO(), ssl.MemoryBIO()
            self._tls = tls.wrap_bio(self._in_tls, self._out_tls, server_hostname=server_name or None)
        self._shaking = self._tls is not None
        self._parser = httptools.HttpResponseParser(self)
        self._sock: socket.socket | None = None
        try:
            sock = socket.socket(address[0], socket.SOCK_STREAM)
        except OSError as error:
            # The owner must hear of it as of any failure to open: later, not inside this constructor.
            loop.call_soon(owner.on_open_failed, self, *_open_failure(error))
            return
        self._sock, self._fd = sock, sock.fileno()
        sock.setblocking(False)
        if address[0] != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ask_for_stamps(sock)
        failed = sock.connect_ex(address[1])  # type: ignore[arg-type]
        if failed in (0, errno.EINPROGRESS, errno.EAGAIN):
            loop.add_writer(self._fd, self._on_connected)
            self._writing = True
        else:
            loop.call_soon(self._open_failed, OSError(failed, errno.errorcode.get(failed, "connect")))

    # opening

    @property
    def closed(self) -> bool:
        return self._sock is None

    def _on_connected(self) -> None:
        assert self._sock is not None
        failed = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            self._open_failed(OSError(failed, os.strerror(failed)))
            return
        self._stop_writing()
        self._rounds.add(self._fd, self._on_readable)
        if self._shaking:
            self._shake_hands()
        else:
            self._opened()

    def _opened(self) -> None:
        self.connect_ns = self._clock.now_ns() - self._opened_ns
        self._owner.on_open(self)

    def _open_failed(self, error: OSError) -> None:
        if self.closed:
            return
        self.close()
        self._owner.on_open_failed(self, *_open_failure(error))

    def _shake_hands(self) -> bool:
        """Takes the TLS handshake as far as it goes now; True once it is done."""
        assert self._tls is not None
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush_tls()
            return False
        except ssl.SSLError as error:
            self._flush_tls()
            self.close()
            reason = getattr(error, "verify_message", "") or error.reason or str(error)
            self._owner.on_open_failed(self, "tls", str(reason))
            return False
        self._flush_tls()
        self._shaking = False
        self._opened()
        return not self.closed

    # sending

    def send(self, payload: bytes, exchange: Exchange) -> None:
        """Sends one request. The connection must be open and idle."""
        self._exchange, self._answered = exchange, False
        self._ended = self._informational = self._no_length = False
        self._headers, self._header_bytes = {}, 0
        self.uses += 1
        exchange.on_sent(self._clock.now_ns())
        if self._tls is not None:
            self._tls.write(payload)
            self._flush_tls()
        else:
            self._write(payload)

    def _flush_tls(self) -> None:
        if data := self._out_tls.read():
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._sock is None:
            return
        if not self._unsent:
            try:
                sent = self._sock.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as error:
                self._lost(error)
                return
            if sent == len(data):
                return
            data = data[sent:]
        self._unsent += data
        if not self._writing:
            self._writing = True
            self._loop.add_writer(self._fd, self._on_writable)

    def _on_writable(self) -> None:
        assert self._sock is not None
        try:
            sent = self._sock.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lost(error)
            return
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            self._stop_writing()

    def _stop_writing(self) -> None:
        if self._writing:
            self._loop.remove_writer(self._fd)
            self._writing = False

    # receiving

    def _on_readable(self) -> None:
        assert self._sock is not None
        try:
            data, t_ns, by_kernel = self._reader.read(self._sock)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lost(error)
            return
        if not data:
            self._on_eof(t_ns)
            return
        if self._tls is not None:
            data = self._decrypt(data)
            if not data:
                return
        self._on_data(data, t_ns, by_kernel)

    def _decrypt(self, data: bytes) -> bytes:
        assert self._tls is not None
        assert self._in_tls is not None
        self._in_tls.write(data)
        if self._shaking and not self._shake_hands():
            return b""
        plain: list[bytes] = []
        try:
            while piece := self._tls.read(65536):
                plain.append(piece)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        except ssl.SSLError as error:
            self._lost(OSError(errno.EPROTO, f"TLS: {error.reason or error}"))
            return b""
        self._flush_tls()
        return b"".join(plain)

    def _on_data(self, data: bytes, t_ns: int, by_kernel: bool) -> None:
        exchange = self._exchange
        if exchange is None:
            # Bytes nobody asked for: the connection's framing can no longer be trusted.
            self.close()
            self._owner.on_gone(self)
            return
        self._answered = True
        self._read_t_ns, self._read_by_kernel = t_ns, by_kernel
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail("bad_response", self._broken or f"not HTTP: {error}")
            return
        if self._body:
            body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._body.clear()
            exchange.on_body(t_ns, body, by_kernel)
        if self._ended and self._exchange is exchange:
            self._complete(t_ns)

    def _complete(self, t_ns: int) -> None:
        exchange, self._exchange = self._exchange, None
        # Offered again before the exchange hears of its end, since that may start the next request.
        if self._keep_alive and not self._unsent:
            self._owner.on_idle(self, self._keep_alive_s())
        else:
            self.close()
            self._owner.on_gone(self)
        if exchange is not None:
            exchange.on_end(t_ns)

    def _keep_alive_s(self) -> float | None:
        for part in self._headers.get(b"keep-alive", b"").split(b","):
            name, _, value = part.strip().partition(b"=")
            if name.lower() == b"timeout" and value.strip().isdigit():
                return float(value)
        return None

    def _on_eof(self, t_ns: int) -> None:
        if self._shaking:
            self.close()
            self._owner.on_open_failed(
                self, "tls", "the server closed the connection during the TLS handshake"
            )
        elif self._exchange is None:
            self.close()
            self._owner.on_gone(self)
        elif self._no_length:
            # Neither Content-Length nor chunked: the end of the connection is the end of the body.
            self._keep_alive = False
            self._complete(t_ns)
        elif self._answered:
            self._fail("cut_mid_stream", "the server closed the connection in the middle of the response")
        else:
            self._fail("cut_mid_stream", "the server closed the connection without a response")

    def _lost(self, error: OSError) -> None:
        if self._shaking or self.connect_ns is None:
            self._open_failed(error)
        elif self._exchange is None:
            self.close()
            self._owner.on_gone(self)
        else:
            self._fail("cut_mid_stream", error.strerror or str(error))

    def _fail(self, kind: str, message: str) -> None:
        exchange, self._exchange = self._exchange, None
        self.close()
        if exchange is not None:
            exchange.on_fail(
                self._clock.now_ns(), kind, message, answered=self._answered, reused=self.uses > 1
            )
        self._owner.on_gone(self)

    # what httptools calls, inside feed_data

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > HEADER_BYTES_MAX:
            self._broken = f"response headers larger than {HEADER_BYTES_MAX} bytes"
            raise ValueError(self._broken)
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._informational = 100 <= status < 200
        if self._informational:
            self._headers = {}
            return
        self._keep_alive = self._parser.should_keep_alive()
        encoding = self._headers.get(b"transfer-encoding", b"").lower()
        self._no_length = b"content-length" not in self._headers and b"chunked" not in encoding
        if self._exchange is not None:
            self._exchange.on_headers(self._read_t_ns, status, self._headers)

    def on_message_complete(self) -> None:
        if not self._informational:
            self._ended = True

    # closing

    def abandon(self) -> None:
        """Closes and forgets the exchange without telling it: the owner of the exchange gave it up."""
        self._exchange = None
        self.close()
        self._owner.on_gone(self)

    def close(self) -> None:
        sock, self._sock = self._sock, None
        if sock is None:
            return
        self._stop_writing()
        self._rounds.remove(self._fd)
        sock.close()
