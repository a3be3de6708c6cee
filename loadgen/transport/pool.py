"""The connections of one worker: kept-alive ones used again, new ones opened as needed, without limit.

A kept-alive connection is given up before the server would (`IDLE_S`, or a second less than its
`Keep-Alive: timeout`), because a request sent into a closing connection is lost through no fault of
the server. One that dies all the same with no response byte is the engine's to repeat; where many do,
each request gets a connection of its own.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from loadgen.clock import Clock
from loadgen.transport.connection import Connection, SocketAddress
from loadgen.transport.read_loop import ReadLoop
from loadgen.transport.receive_times import TimedReader

IDLE_S = 4.0
"""Below the 5 s that uvicorn, and so vLLM, keeps an idle connection."""

_JUDGED_REUSES = 8
_STALE_SHARE = 0.25
"""When of so many reused connections more than this share died unanswered, none is used again: llama.cpp's
server closes after two or three streams without saying so, and each request sent in vain is one more that
the server may have seen."""

OnOpen = Callable[[Connection], None]
OnFailed = Callable[[str, str], None]


class Pool:
    """Hands out connections to one address. `addresses` are tried in order until one opens."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        addresses: list[SocketAddress],
        tls: ssl.SSLContext | None = None,
        server_name: str = "",
        connect_s: float = 10.0,
        tunnel: str | None = None,
    ) -> None:
        self._loop, self._clock = loop, clock
        self._addresses, self._good = addresses, 0
        self._tls, self._server_name, self._connect_s = tls, server_name, connect_s
        self._tunnel = tunnel
        self.reader = TimedReader(clock)
        self.read_loop = ReadLoop(loop, clock, self.reader)
        self._connecting_ahead = False
        self.opened = 0
        """Connections opened so far."""
        self.reuse = True
        """False once the server was found to close kept-alive connections unasked."""
        self._reused = self._stale = 0
        self._idle: list[tuple[Connection, int]] = []
        self._all: set[Connection] = set()
        self._waiting: dict[Connection, tuple[OnOpen, OnFailed, int, asyncio.TimerHandle]] = {}

    def idle(self) -> Connection | None:
        """A kept-alive connection, the one used last first; None when there is none."""
        now = self._clock.now_ns()
        while self._idle:
            connection, until_ns = self._idle.pop()
            if connection.closed:
                continue
            if now < until_ns:
                self._reused += connection.uses > 0
                return connection
            connection.close()
            self._all.discard(connection)
        return None

    def stale(self) -> None:
        """A reused connection died with no response byte."""
        self._stale += 1
        if self._reused >= _JUDGED_REUSES and self._stale > _STALE_SHARE * self._reused:
            self.reuse = False
            for connection, _ in self._idle:
                if connection.uses:
                    connection.close()
                    self._all.discard(connection)

    def open(self, on_open: OnOpen, on_failed: OnFailed) -> Callable[[], None]:
        """Opens a connection; one of the two is called, later. Returns a way to give it up before."""
        state: dict[str, Connection] = {}

        def attempt(tried: int) -> None:
            at = (self._good + tried) % len(self._addresses)

            def failed(kind: str, message: str) -> None:
                if tried + 1 < len(self._addresses):
                    attempt(tried + 1)
                else:
                    on_failed(kind, message)

            connection = Connection(
                self._loop,
                self._clock,
                self.read_loop,
                self,
                self._addresses[at],
                self._tls,
                self._server_name,
                self._tunnel,
            )
            state["now"] = connection
            self._all.add(connection)
            timer = self._loop.call_later(self._connect_s, self._too_slow, connection)
            self._waiting[connection] = (on_open, failed, at, timer)

        def give_up() -> None:
            connection = state["now"]
            if (waiting := self._waiting.pop(connection, None)) is not None:
                waiting[3].cancel()
                connection.close()
                self._all.discard(connection)

        attempt(0)
        return give_up

    @property
    def opening(self) -> bool:
        """Some connection is being opened."""
        return bool(self._waiting)

    def connect_ahead(self) -> None:
        """Opens a connection for the next request, which would have to wait for it: unless one is idle."""
        if self._connecting_ahead or any(not connection.closed for connection, _ in self._idle):
            return
        self._connecting_ahead = True

        def opened(connection: Connection) -> None:
            self._connecting_ahead = False
            self.on_idle(connection, None)

        def failed(kind: str, message: str) -> None:
            # The next request meets the same trouble, and records it.
            self._connecting_ahead = False

        self.open(opened, failed)

    def sweep(self) -> None:
        """Closes what has been idle for too long; also keeps the kernel clock's offset fresh."""
        self.reader.refresh()
        now = self._clock.now_ns()
        kept = []
        for connection, until_ns in self._idle:
            if connection.closed:
                continue
            if now < until_ns:
                kept.append((connection, until_ns))
            else:
                connection.close()
                self._all.discard(connection)
        self._idle = kept

    def close(self) -> None:
        for _, _, _, timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()
        for connection in list(self._all):
            connection.close()
        self._all.clear()
        self._idle.clear()
        self.read_loop.close()

    def _too_slow(self, connection: Connection) -> None:
        connection.close()
        self.on_open_failed(connection, "connect_timeout", f"no connection after {self._connect_s:g} s")

    # what a connection tells its owner

    def on_open(self, connection: Connection) -> None:
        waiting = self._waiting.pop(connection, None)
        if waiting is None:
            connection.close()
            return
        on_open, _, at, timer = waiting
        timer.cancel()
        self._good = at
        self.opened += 1
        on_open(connection)

    def on_open_failed(self, connection: Connection, kind: str, message: str) -> None:
        self._all.discard(connection)
        waiting = self._waiting.pop(connection, None)
        if waiting is not None:
            waiting[3].cancel()
            waiting[1](kind, message)

    def on_idle(self, connection: Connection, keep_alive_s: float | None) -> None:
        stay_s = IDLE_S if keep_alive_s is None else min(IDLE_S, keep_alive_s - 1.0)
        if stay_s <= 0 or (connection.uses and not self.reuse):
            connection.close()
            self._all.discard(connection)
            return
        self._idle.append((connection, self._clock.now_ns() + int(stay_s * 1e9)))

    def on_gone(self, connection: Connection) -> None:
        self._all.discard(connection)
