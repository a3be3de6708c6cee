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
from typing import Any

from loadgen.clock import Clock
from loadgen.transport.exchange import Exchange, Owner
from loadgen.transport.http1 import CHUNK_END, BadResponse, Headers, ResponseParser
from loadgen.transport.opening import SocketAddress as SocketAddress
from loadgen.transport.opening import failure_of, new_socket
from loadgen.transport.read_buffer import ReadBuffer
from loadgen.transport.read_loop import ReadLoop
from loadgen.transport.tls import TlsFailed, TlsLayer
from loadgen.transport.tunnel import Tunnel, TunnelRefused


class Connection:
    """Opens itself when made; then carries one exchange at a time."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        read_loop: ReadLoop,
        owner: Owner,
        address: SocketAddress,
        tls: ssl.SSLContext | None = None,
        server_name: str = "",
        tunnel: str | None = None,
        source: str | None = None,
    ) -> None:
        """`source`: the address of this machine to go from; None: as the kernel chooses."""
        self._loop, self._clock, self._read_loop, self._owner = loop, clock, read_loop, owner
        self.connect_ns: int | None = None
        """How long opening took, tunnel and TLS included; None until open."""
        self.uses = 0
        self.at = 0
        """Which of its owner's addresses it goes to; the owner's to set."""
        self._exchange: Exchange | None = None
        self._answered = False
        self._read_t_ns = 0
        self._unsent = b""
        self._writing = False
        self._opened_ns = clock.now_ns()
        self._framing = ResponseParser(self._on_headers)
        self._tunnel = Tunnel(tunnel) if tunnel is not None else None
        """The proxy's tunnel while it is not open yet; None once it is, or where there is no proxy."""
        self._tls = TlsLayer(tls, server_name) if tls is not None else None
        self.buffer: ReadBuffer | None = None
        """None until the server is reached."""
        self._sock: socket.socket | None = None
        self._unix = address[0] == socket.AF_UNIX
        try:
            sock = new_socket(address, source)
        except OSError as error:
            # The owner must hear of it as of any failure to open: later, not inside this constructor.
            loop.call_soon(owner.on_open_failed, self, *failure_of(error, False))
            return
        self._sock, self._fd = sock, sock.fileno()
        failed = sock.connect_ex(address[1])  # type: ignore[arg-type]
        if failed in (0, errno.EINPROGRESS, errno.EAGAIN):
            loop.add_writer(self._fd, self._on_connected)
            self._writing = True
        else:
            loop.call_soon(self._open_failed, OSError(failed, os.strerror(failed)))

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
        self.buffer = self._read_loop.add(self._sock, self)
        if self._tunnel is not None:
            self._write(self._tunnel.request)
        else:
            self._on_reached()

    def _on_reached(self) -> None:
        """What is sent from now on goes to the server itself."""
        if self._tls is not None:
            self._shake_hands(self._tls)
        else:
            self._opened()

    def _opened(self) -> None:
        self.connect_ns = self._clock.now_ns() - self._opened_ns
        self._owner.on_open(self)

    def _open_failed(self, error: OSError) -> None:
        if self.closed:
            return
        self.close()
        self._owner.on_open_failed(self, *failure_of(error, self._unix))

    def _dig(self, tunnel: Tunnel, data: bytes) -> None:
        try:
            dug = tunnel.feed(data)
        except TunnelRefused as refused:
            self.close()
            self._owner.on_open_failed(self, "connect_failed", str(refused))
            return
        if dug:
            self._tunnel = None
            self._on_reached()

    def _shake_hands(self, tls: TlsLayer) -> bool:
        """Takes the handshake as far as it goes now; True once it is done."""
        try:
            tls.shake()
        except TlsFailed as error:
            self._write(tls.outgoing())  # the alert that tells the server why
            self.close()
            self._owner.on_open_failed(self, "tls", str(error))
            return False
        self._write(tls.outgoing())
        if tls.shaking:
            return False
        self._opened()
        return not self.closed

    # sending

    def send(self, payload: bytes, exchange: Exchange) -> None:
        """Sends one request. The connection must be open and idle."""
        self._exchange, self._answered = exchange, False
        self._framing.begin()
        self.uses += 1
        exchange.on_sent(self._clock.now_ns())
        if self._tls is not None:
            self._tls.write(payload)
            self._write(self._tls.outgoing())
        else:
            self._write(payload)

    def _write(self, data: bytes) -> None:
        if self._sock is None or not data:
            return
        if not self._unsent:
            try:
                sent = self._sock.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as error:
                self.on_lost(error)
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
            self.on_lost(error)
            return
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            self._stop_writing()

    def _stop_writing(self) -> None:
        if self._writing:
            self._loop.remove_writer(self._fd)
            self._writing = False

    # receiving

    def on_read(self, data: bytes, t_ns: int, by_kernel: bool) -> None:
        if not data:
            self._on_eof(t_ns)
            return
        if self._tunnel is not None:
            self._dig(self._tunnel, data)
            return
        if self._tls is not None:
            data = self._decrypt(self._tls, data, t_ns)
            if not data:
                return
        exchange = self._exchange
        if exchange is None:
            # Bytes nobody asked for: the connection's framing can no longer be trusted.
            self.close()
            self._owner.on_gone(self)
            return
        self._answered, self._read_t_ns = True, t_ns
        parser = self._framing
        try:
            body = parser.feed(data)
        except BadResponse as error:
            self._fail("bad_response", str(error))
            return
        if body:
            exchange.on_body(t_ns, body, by_kernel)
        if parser.ended and self._exchange is exchange:
            self._complete(t_ns)
        buffer = self.buffer
        if buffer is not None:
            may_be = exchange.token_end and parser.whole_next and self._tls is None
            buffer.token_end = exchange.token_end + CHUNK_END if may_be else b""

    def on_token_events(self, events: list[Any], times_ns: list[int], size: int) -> None:
        if self._exchange is not None:
            self._exchange.on_token_events(events, times_ns, size)

    def flush(self) -> None:
        """Tells the exchange of all that was read for it."""
        if self.buffer is not None:
            self._read_loop.batch_reader.decode_pending()
            self.buffer.flush()

    def _decrypt(self, tls: TlsLayer, data: bytes, t_ns: int) -> bytes:
        tls.take(data)
        if tls.shaking and not self._shake_hands(tls):
            return b""
        try:
            plain = tls.read()
        except TlsFailed as error:
            self.on_lost(OSError(errno.EPROTO, str(error)))
            return b""
        self._write(tls.outgoing())
        if tls.ended:
            # Not before `plain` is taken in. Some servers keep the connection until they have our own word.
            self._loop.call_soon(self._on_last_word, t_ns)
        return plain

    def _on_last_word(self, t_ns: int) -> None:
        if not self.closed:
            self._on_eof(t_ns)

    def _complete(self, t_ns: int) -> None:
        exchange, self._exchange = self._exchange, None
        # Offered again before the exchange hears of its end, since that may start the next request.
        if self._framing.keep_alive and not self._unsent:
            self._owner.on_idle(self, self._framing.keep_alive_s)
        else:
            self.close()
            self._owner.on_gone(self)
        if exchange is not None:
            exchange.on_end(t_ns)

    def _on_eof(self, t_ns: int) -> None:
        if self.connect_ns is None:
            self.close()
            if self._tunnel is not None:
                self._owner.on_open_failed(self, "connect_failed", "the proxy closed the connection")
            else:
                why = "the server closed the connection during the TLS handshake"
                self._owner.on_open_failed(self, "tls", why)
        elif self._exchange is None:
            self.close()
            self._owner.on_gone(self)
        elif self._framing.until_close:
            # Neither Content-Length nor chunked: the end of the connection is the end of the body.
            self._framing.keep_alive = False
            self._complete(t_ns)
        elif self._answered:
            self._fail("cut_mid_stream", "the server closed the connection in the middle of the response")
        else:
            self._fail("cut_mid_stream", "the server closed the connection without a response")

    def on_lost(self, error: OSError) -> None:
        if self.connect_ns is None:
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

    def _on_headers(self, status: int, headers: Headers) -> None:
        if self._exchange is not None:
            self._exchange.on_headers(self._read_t_ns, status, headers)

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
        self._read_loop.remove(sock)
        sock.close()
