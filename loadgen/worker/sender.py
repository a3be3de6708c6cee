"""Requests onto connections: an idle one, else a new one; none to a server that cannot be reached."""

from __future__ import annotations

from collections.abc import Callable

from loadgen.clock import Clock
from loadgen.transport.connection import Connection
from loadgen.transport.pool import Pool
from loadgen.worker.backoff import UNREACHABLE, BackOff
from loadgen.worker.in_flight import InFlightRequest, nothing_is_opening


class Sender:
    """Sends requests that were made ready. What becomes of them they tell their owner themselves."""

    def __init__(
        self, clock: Clock, pool: Pool, note: Callable[[str, str], None], on_reached: Callable[[], None]
    ) -> None:
        """`on_reached` is called when a server answers that could not be reached before."""
        self._clock, self._pool, self._note, self._on_reached = clock, pool, note, on_reached
        self.back_off = BackOff()

    def send(self, request: InFlightRequest) -> None:
        """Sends it when it is due, which is now or very soon."""
        connection = self._pool.idle()
        if connection is not None:
            self._carry(request, connection)
        else:
            self._open_for(request)

    def send_again(self, request: InFlightRequest) -> None:
        """Sends it over a new connection: the one it was sent on had died, with no response byte."""
        reused = self._pool.reuse
        self._pool.stale()
        if reused and not self._pool.reuse:
            self._note("no_reuse", "the server closes them unasked; each request gets a new one")
        request.record.sent_ns = request.record.headers_ns = None
        self._open_for(request)

    def reached(self) -> None:
        """The server was heard of."""
        if self.back_off.active:
            self.back_off.reached()
            self._note("reachable_again", "")
            self._on_reached()

    def _carry(self, request: InFlightRequest, connection: Connection) -> None:
        request.connection = connection
        if not connection.uses:
            request.record.connect_ns = connection.connect_ns
        while self._clock.now_ns() < request.record.due_ns:
            pass  # for the lead at the most
        connection.send(request.payload, request)

    def _open_for(self, request: InFlightRequest) -> None:
        self.back_off.trying(True)

        def opened(connection: Connection) -> None:
            self.back_off.trying(False)
            self.reached()
            request.give_up_opening = nothing_is_opening
            self._carry(request, connection)

        def failed(kind: str, message: str) -> None:
            self.back_off.trying(False)
            request.give_up_opening = nothing_is_opening
            now = self._clock.now_ns()
            if kind in UNREACHABLE:
                if not self.back_off.active:
                    self._note("backing_off", message)
                self.back_off.failed(now)
            request.fail(now, kind, message)

        request.give_up_opening = self._pool.open(opened, failed)
