"""The connections of one worker: kept-alive ones used again, new ones opened as needed, without limit.

A server of several addresses is asked at each in turn. One that cannot be reached is left aside, and tried
again beside the load until it can be.

A kept-alive connection is given up before the server would (`IDLE_S`, or a second less than its
`Keep-Alive: timeout`), because a request sent into a closing connection is lost through no fault of
the server. One that dies all the same with no response byte is the engine's to repeat; where many do,
each request gets a connection of its own.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import NamedTuple

from loadgen.clock import Clock
from loadgen.errors import MACHINE_KINDS
from loadgen.transport.connection import Connection, SocketAddress
from loadgen.transport.read_loop import ReadLoop
from loadgen.transport.receive_times import TimedReader
from loadgen.transport.rotation import Rotation
from loadgen.transport.source_addresses import SourceAddresses

IDLE_S = 4.0
"""Below the 5 s that uvicorn, and so vLLM, keeps an idle connection."""

_JUDGED_REUSES = 8
_STALE_SHARE = 0.25
"""When of so many reused connections more than this share died unanswered, none is used again: llama.cpp's
server closes after two or three streams without saying so, and each request sent in vain is one more that
the server may have seen."""

_LATE_NS = 250_000_000
"""A timer that rings so late says that we have stood still: what has come meanwhile is not looked at yet."""

_UNREACHED = ("connect_refused", "connect_timeout", "connect_failed")

OnOpen = Callable[[Connection], None]
OnFailed = Callable[[str, str], None]


class _Opening(NamedTuple):
    on_open: OnOpen
    on_failed: OnFailed
    timer: asyncio.TimerHandle


class Pool:
    """Hands out connections to one server."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        addresses: list[SocketAddress],
        tls: ssl.SSLContext | None = None,
        server_name: str = "",
        connect_s: float = 10.0,
        tunnel: str | None = None,
        turn: int | None = None,
        through_proxy: bool = False,
        sources: Sequence[str] = (),
        beside: Pool | None = None,
    ) -> None:
        """`turn`: requests go to the addresses in turn, the first one to this; None: all to one of them, the
        first that opens. `through_proxy`: the addresses are a proxy's, and it is the proxy that cannot be
        reached where none can. `sources`: addresses of this machine that connections go from, in turn, the
        first one from that of this `turn`. `beside`: the pool of another server, whose loop reads the sockets
        of this one too, and which is closed after it."""
        self._loop, self._clock = loop, clock
        self._addresses = list(dict.fromkeys(addresses))
        self._rotation = Rotation(len(self._addresses), turn or 0, in_turn=turn is not None)
        self._tls, self._server_name, self._connect_s = tls, server_name, connect_s
        self._tunnel, self._through_proxy = tunnel, through_proxy
        self._sources = SourceAddresses(sources, turn or 0)
        self._beside = beside
        self.reader: TimedReader = TimedReader(clock) if beside is None else beside.reader
        self.read_loop: ReadLoop = ReadLoop(loop, clock, self.reader) if beside is None else beside.read_loop
        self._connecting_ahead = False
        self.opened = 0
        """Connections opened so far."""
        self.reuse = True
        """False once the server was found to close kept-alive connections unasked."""
        self.on_address: Callable[[str, str], None] | None = None
        """Told `address_lost` or `address_back`, and which: one of several is left aside, or used again."""
        self._reused = self._stale = 0
        self._idle: list[list[tuple[Connection, int]]] = [[] for _ in self._addresses]
        """By address."""
        self._all: set[Connection] = set()
        self._waiting: dict[Connection, _Opening] = {}
        self._retries: dict[int, asyncio.TimerHandle] = {}

    def idle(self) -> Connection | None:
        """A kept-alive connection to the address whose turn it is, the one used last first, or None."""
        now, idle = self._clock.now_ns(), self._idle[self._rotation.at]
        while idle:
            connection, until_ns = idle.pop()
            if connection.closed:
                continue
            if now < until_ns:
                self._reused += connection.uses > 0
                self._rotation.advance()
                return connection
            connection.close()
            self._all.discard(connection)
        return None

    def stale(self) -> None:
        """A reused connection died with no response byte."""
        self._stale += 1
        if self._reused >= _JUDGED_REUSES and self._stale > _STALE_SHARE * self._reused:
            self.reuse = False
            for connection, _ in (kept for idle in self._idle for kept in idle):
                if connection.uses:
                    connection.close()
                    self._all.discard(connection)

    def open(self, on_open: OnOpen, on_failed: OnFailed) -> Callable[[], None]:
        """Opens a connection; one of the two is called, later. Returns a way to give it up before."""
        order = self._rotation.order()
        self._rotation.advance()
        return self._open(order, on_open, on_failed)

    def _open(self, order: list[int], on_open: OnOpen, on_failed: OnFailed) -> Callable[[], None]:
        """To the first of `order` that opens."""
        state: dict[str, Connection] = {}

        def attempt(tried: int) -> None:
            at = order[tried]

            def failed(kind: str, message: str) -> None:
                if kind not in MACHINE_KINDS and self._rotation.lost(at):
                    self._tell_address("address_lost", at, f" ({message})")
                    self._retry_later(at)
                if tried + 1 < len(order):
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
                self._sources.next_to(self._addresses[at]),
            )
            connection.at = at
            state["now"] = connection
            self._all.add(connection)
            self._waiting[connection] = _Opening(on_open, failed, self._deadline(connection))

        def give_up() -> None:
            connection = state["now"]
            if (waiting := self._waiting.pop(connection, None)) is not None:
                waiting.timer.cancel()
                connection.close()
                self._all.discard(connection)

        attempt(0)
        return give_up

    def _deadline(self, connection: Connection) -> asyncio.TimerHandle:
        due_ns = self._clock.now_ns() + int(self._connect_s * 1e9)
        return self._loop.call_later(self._connect_s, self._too_slow, connection, due_ns)

    @property
    def opening(self) -> bool:
        """Some connection is being opened."""
        return bool(self._waiting)

    def connect_ahead(self) -> None:
        """Opens a connection for the next request, which would have to wait for it: unless one is idle."""
        at = self._rotation.at
        if self._connecting_ahead or any(not connection.closed for connection, _ in self._idle[at]):
            return
        self._connecting_ahead = True

        def opened(connection: Connection) -> None:
            self._connecting_ahead = False
            self.on_idle(connection, None)

        def failed(kind: str, message: str) -> None:
            # The next request meets the same trouble, and records it.
            self._connecting_ahead = False

        self._open([at], opened, failed)

    # addresses that cannot be reached

    def _retry_later(self, at: int) -> None:
        if (wait_s := self._rotation.retry_s(at)) is not None:
            self._retries[at] = self._loop.call_later(wait_s, self._retry, at)

    def _retry(self, at: int) -> None:
        del self._retries[at]
        self._open([at], lambda connection: self.on_idle(connection, None), lambda *_: self._retry_later(at))

    def _tell_address(self, event: str, at: int, more: str = "") -> None:
        where = self._addresses[at][1]
        if self.on_address is not None:
            self.on_address(event, f"{where[0] if isinstance(where, tuple) else where}{more}")

    def sweep(self) -> None:
        """Closes what has been idle for too long; also keeps the kernel clock's offset fresh."""
        if self._beside is None:
            self.reader.refresh()
        now = self._clock.now_ns()
        for at, idle in enumerate(self._idle):
            kept = []
            for connection, until_ns in idle:
                if connection.closed:
                    continue
                if now < until_ns:
                    kept.append((connection, until_ns))
                else:
                    connection.close()
                    self._all.discard(connection)
            self._idle[at] = kept

    def close(self) -> None:
        for timer in (*self._retries.values(), *(opening.timer for opening in self._waiting.values())):
            timer.cancel()
        self._retries.clear()
        self._waiting.clear()
        for connection in list(self._all):
            connection.close()
        self._all.clear()
        self._idle = [[] for _ in self._addresses]
        if self._beside is None:
            self.read_loop.close()

    def _too_slow(self, connection: Connection, due_ns: int) -> None:
        opening = self._waiting.get(connection)
        if opening is not None and self._clock.now_ns() - due_ns > _LATE_NS:
            self._waiting[connection] = opening._replace(timer=self._deadline(connection))
            return
        connection.close()
        self.on_open_failed(connection, "connect_timeout", f"no connection after {self._connect_s:g} s")

    # what a connection tells its owner

    def on_open(self, connection: Connection) -> None:
        waiting = self._waiting.pop(connection, None)
        if waiting is None:
            connection.close()
            return
        waiting.timer.cancel()
        if self._rotation.reached(connection.at):
            self._tell_address("address_back", connection.at)
        self.opened += 1
        waiting.on_open(connection)

    def on_open_failed(self, connection: Connection, kind: str, message: str) -> None:
        self._all.discard(connection)
        waiting = self._waiting.pop(connection, None)
        if waiting is not None:
            waiting.timer.cancel()
            if self._through_proxy and kind in _UNREACHED and not message.startswith("the proxy"):
                kind = "proxy"  # what a proxy says of the server begins so
            waiting.on_failed(kind, message)

    def on_idle(self, connection: Connection, keep_alive_s: float | None) -> None:
        stay_s = IDLE_S if keep_alive_s is None else min(IDLE_S, keep_alive_s - 1.0)
        if stay_s <= 0 or (connection.uses and not self.reuse):
            connection.close()
            self._all.discard(connection)
            return
        self._idle[connection.at].append((connection, self._clock.now_ns() + int(stay_s * 1e9)))

    def on_gone(self, connection: Connection) -> None:
        self._all.discard(connection)
