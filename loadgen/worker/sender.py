"""Requests onto connections: an idle one, else a new one; none to a server that cannot be reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loadgen.clock import Clock
from loadgen.transport.connection import Connection
from loadgen.transport.pool import Pool
from loadgen.worker.backoff import UNREACHABLE, AnyBackOff, BackOff
from loadgen.worker.in_flight import InFlightRequest, nothing_is_opening


class Sender:
    """Sends requests that were made ready. What becomes of them they tell their owner themselves."""

    def __init__(
        self,
        clock: Clock,
        pools: Sequence[Pool],
        note: Callable[[int, str, str], None],
        on_reached: Callable[[], None],
    ) -> None:
        """`pools`: of the targets, by number; `note` is told the target's number, an event and its words;
        `on_reached` is called when one answers that could not be reached before."""
        self._clock, self._pools, self._note, self._on_reached = clock, pools, note, on_reached
        self.back_offs = [BackOff() for _ in pools]
        """By the target's number."""
        self.back_off = AnyBackOff(self.back_offs) if len(pools) > 1 else self.back_offs[0]
        """Whether there is any target that may be sent to."""

    def send(self, request: InFlightRequest) -> None:
        """Sends it when it is due, which is now or very soon."""
        connection = self._pools[request.record.target or 0].idle()
        if connection is not None:
            self._carry(request, connection)
        else:
            self._open_for(request)

    def send_again(self, request: InFlightRequest) -> None:
        """Sends it over a new connection: the one it was sent on had died, with no response byte."""
        target = request.record.target or 0
        pool = self._pools[target]
        reused = pool.reuse
        pool.stale()
        if reused and not pool.reuse:
            self._note(target, "no_reuse", "the server closes them unasked; each request gets a new one")
        request.record.sent_ns = request.record.headers_ns = None
        self._open_for(request)

    def reached(self, target: int) -> None:
        """The server was heard of."""
        back_off = self.back_offs[target]
        if back_off.active:
            back_off.reached()
            self._note(target, "reachable_again", "")
            self._on_reached()

    def _carry(self, request: InFlightRequest, connection: Connection) -> None:
        request.connection = connection
        if not connection.uses:
            request.record.connect_ns = connection.connect_ns
        while self._clock.now_ns() < request.record.due_ns:
            pass  # for the lead at the most
        connection.send(request.payload, request)

    def _open_for(self, request: InFlightRequest) -> None:
        target = request.record.target or 0
        back_off = self.back_offs[target]
        back_off.trying(True)

        def opened(connection: Connection) -> None:
            back_off.trying(False)
            self.reached(target)
            request.give_up_opening = nothing_is_opening
            self._carry(request, connection)

        def failed(kind: str, message: str) -> None:
            back_off.trying(False)
            request.give_up_opening = nothing_is_opening
            now = self._clock.now_ns()
            if kind in UNREACHABLE:
                if not back_off.active:
                    self._note(target, "backing_off", message)
                back_off.failed(now)
            request.fail(now, kind, message)

        request.give_up_opening = self._pools[target].open(opened, failed)
