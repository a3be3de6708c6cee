"""Due requests out, records in: open and closed loop on one event loop, its own lag measured.

Open loop: a schedule says when each request is due, whatever the server does. Closed loop: a slot's next
request is due when its last one ended. What is due while the cap on requests in flight is reached waits
in a backlog; what is never sent is counted as not sent, so due = sent + not_sent when all is over.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from loadgen.alarm import Alarm
from loadgen.arrivals.schedule import Curve, Schedule
from loadgen.clock import Clock
from loadgen.endpoints import ENDPOINTS
from loadgen.records import Request, Tick, WorkerNote
from loadgen.target.redaction import redactor_of
from loadgen.transport.connection import Connection
from loadgen.transport.pool import Pool
from loadgen.worker.backoff import FIRST_NS, UNREACHABLE, BackOff
from loadgen.worker.batch_decode import batch_decoder
from loadgen.worker.counters import Counters
from loadgen.worker.in_flight import InFlightRequest
from loadgen.worker.read_delay import read_delay_after
from loadgen.worker.ticker import Gauges, Ticker
from loadgen.worker_config import Finish, OpenLoad, SetConcurrency, SetCurve, WorkerCommand, WorkerConfig
from loadgen.workload.payloads import Payloads

_LEAD_NS = 300_000
"""An open loop wakes up so long before a request is due, makes it ready and spins until its time,"""
_LEAD_SHARE = 0.05
"""but spends no more than this share of a core on it: at high rates it wakes up later."""
_WAKE_NS = 200_000
"""Rest ends so long before the alarm rings: waking up takes some of it."""

Emit = Callable[[Tick | Request | WorkerNote], None]

_log = logging.getLogger(__name__)


def share(total: int, worker: int, workers: int) -> int:
    """This worker's part of `total` slots; the parts of all workers add up to `total`."""
    return total // workers + (worker < total % workers)


class Engine:
    """One worker's load. Made, `start`ed, told commands; `ended` is set when nothing more will happen."""

    def __init__(
        self, plan: WorkerConfig, clock: Clock, loop: asyncio.AbstractEventLoop, pool: Pool, emit: Emit
    ) -> None:
        self._plan, self._clock, self._loop, self._pool, self._emit = plan, clock, loop, pool, emit
        self._endpoint = ENDPOINTS[plan.template.endpoint]
        self._payloads = Payloads(plan)
        self._redactor = redactor_of(plan.template.headers)
        self._counters = Counters()
        self._in_flight: set[InFlightRequest] = set()
        self._backlog: deque[tuple[int, int]] = deque()
        self._cap = max(1, share(plan.max_in_flight, plan.worker, plan.workers))
        self._alarm = Alarm(loop, clock, self._on_alarm)
        self._schedule: Schedule | None = None
        self._concurrency = 0
        self._closed_index = plan.worker
        self._closed_from_ns = plan.start_ns
        if isinstance(plan.load, OpenLoad):
            self._schedule = Schedule(
                plan.load.arrivals,
                plan.seed,
                Curve(plan.load.curve),
                worker=plan.worker,
                workers=plan.workers,
                end_ns=plan.end_ns,
                requests=plan.requests,
            )
        else:
            self._concurrency = plan.load.concurrency
        self._pending_changes: list[SetCurve | SetConcurrency] = []
        self._load_over = self._finishing = False
        self._drain_until_ns = 0
        self._back_off = BackOff()
        self._lead_ns = self._read_delay_ns = 0
        pool.read_loop.read_delay_ns = self._may_delay_ns
        pool.read_loop.batch_reader.decode_batch = batch_decoder(self._endpoint, plan.chunk_counts)
        self._ticker = Ticker(
            loop,
            clock,
            self._counters,
            pool,
            plan.worker,
            plan.start_ns,
            self._gauges,
            self._on_tick,
            self._look_after,
        )
        self.idle = asyncio.Event()
        """Nothing more is due and nothing is under way: the load has come to its end by itself."""
        self.ended = asyncio.Event()

    # life

    def start(self) -> None:
        self._pool.sweep()
        self._prepare()
        self._note("started")
        self._ticker.start()
        self._rearm()

    def command(self, command: WorkerCommand) -> None:
        """Obeys a command from the host. Changes take effect at their `at_ns`, in every worker alike."""
        if isinstance(command, Finish):
            self._begin_finish(command.drain_s)
        else:
            self._pending_changes.append(command)
            self._rearm()

    def _begin_finish(self, drain_s: float) -> None:
        now = self._clock.now_ns()
        self._finishing = True
        self._drain_until_ns = now + int(drain_s * 1e9)
        self._drop_backlog()
        self._alarm.set(None)
        if drain_s <= 0:
            self._abort_all(now)
        self._end_if_done()

    def _abort_all(self, now_ns: int) -> None:
        for request in list(self._in_flight):
            give_up = request.give_up_opening
            if callable(give_up):
                give_up()
            request.fail(now_ns, "unfinished", "the run ended first")

    def _end_if_done(self) -> None:
        if self._in_flight or self.ended.is_set():
            return
        if self._finishing:
            self._ticker.stop()
            self._note("ended")
            self._alarm.close()
            self._pool.close()
            self.ended.set()
        elif not self._backlog and self._nothing_more():
            self.idle.set()

    def _nothing_more(self) -> bool:
        now = self._clock.now_ns()
        if self._schedule is not None:
            return self._schedule.exhausted(now)
        plan = self._plan
        if plan.end_ns is not None and now >= plan.end_ns:
            return True
        return plan.requests is not None and self._closed_index >= plan.requests

    # what is due

    def _rearm(self) -> None:
        """Sets the alarm for whatever comes next."""
        if self._finishing or self.ended.is_set():
            return
        times = [change.at_ns for change in self._pending_changes]
        if self._schedule is not None:
            if (due := self._schedule.due_ns()) is not None:
                rate_rps = self._schedule.curve.rate_rps(due) / self._plan.workers
                self._lead_ns = min(_LEAD_NS, int(_LEAD_SHARE * 1e9 / max(rate_rps, 1.0)))
                times.append(due - self._lead_ns)
        elif self._slots_wanted() > len(self._in_flight) and not self._nothing_more():
            times.append(max(self._closed_from_ns, self._back_off.until_ns))
        if self._plan.end_ns is not None and not self._load_over:
            times.append(self._plan.end_ns)
        self._alarm.set(min(times) if times else None)

    def _on_alarm(self) -> None:
        if self._finishing or self.ended.is_set():
            return
        now = self._clock.now_ns()
        self._apply_changes(now)
        if self._schedule is not None:
            self._send_due(self._schedule, now)
        else:
            self._fill_slots(now)
        if self._plan.end_ns is not None and now >= self._plan.end_ns:
            self._load_over = True
            self._drop_backlog()
        self._rearm()
        self._end_if_done()

    def _apply_changes(self, now_ns: int) -> None:
        ripe = [change for change in self._pending_changes if change.at_ns <= now_ns]
        self._pending_changes = [change for change in self._pending_changes if change.at_ns > now_ns]
        for change in ripe:
            if isinstance(change, SetConcurrency):
                self._concurrency = change.concurrency
            elif self._schedule is not None:
                self._schedule.change(change.at_ns, change.curve)
                if change.drop_backlog:
                    self._drop_backlog(self._schedule, now_ns)

    def _send_due(self, schedule: Schedule, now_ns: int) -> None:
        # A change of the curve between now and then may move what would be due.
        until_ns = min([now_ns + self._lead_ns, *(change.at_ns - 1 for change in self._pending_changes)])
        while (due := schedule.due_ns()) is not None and due <= until_ns:
            index = schedule.next_index
            schedule.advance()
            self._counters.due += 1
            if len(self._in_flight) >= self._cap:
                self._backlog.append((index, due))
            elif self._back_off.forbids(now_ns):
                self._counters.not_sent += 1
            else:
                self._launch(index, due, waited=False)

    def _slots_wanted(self) -> int:
        return min(self._cap, share(self._concurrency, self._plan.worker, self._plan.workers))

    def _fill_slots(self, now_ns: int) -> None:
        while (
            now_ns >= self._closed_from_ns
            and len(self._in_flight) < self._slots_wanted()
            and not self._nothing_more()
            and not self._back_off.forbids(now_ns)
        ):
            index = self._closed_index
            self._closed_index += self._plan.workers
            self._counters.due += 1
            self._launch(index, now_ns, waited=False)

    def _drop_backlog(self, schedule: Schedule | None = None, now_ns: int = 0) -> None:
        """Gives up what waits for the cap, and what `schedule` has due by now."""
        while schedule is not None and (due := schedule.due_ns()) is not None and due <= now_ns:
            schedule.advance()
            self._counters.due += 1
            self._counters.not_sent += 1
        self._counters.not_sent += len(self._backlog)
        self._backlog.clear()

    # sending

    def _prepare(self) -> None:
        self._payloads.prepare(
            self._schedule.next_index if self._schedule is not None else self._closed_index
        )
        resting = self._finishing or self._back_off.active or len(self._in_flight) >= self._cap
        if self._schedule is not None and not resting:
            self._pool.connect_ahead()

    def _launch(self, index: int, due_ns: int, *, waited: bool) -> None:
        request = InFlightRequest(
            Request(index=index, worker=self._plan.worker, due_ns=due_ns),
            self._payloads.take(index),
            self._endpoint,
            self._counters,
            self,
            redactor=self._redactor,
            chunk_counts=self._plan.chunk_counts,
            one_token_chunks=self._plan.one_token_chunks,
            waited_for_cap=waited,
        )
        self._loop.call_soon(self._prepare)
        self._in_flight.add(request)
        self._counters.sent += 1
        connection = self._pool.idle()
        if connection is not None:
            self._carry(request, connection)
        else:
            self._open_for(request)

    def _carry(self, request: InFlightRequest, connection: Connection) -> None:
        request.connection = connection
        if not connection.uses:
            request.record.connect_ns = connection.connect_ns
        while self._clock.now_ns() < request.record.due_ns:
            pass  # for the lead at the most
        connection.send(request.payload, request)

    def _open_for(self, request: InFlightRequest) -> None:
        self._back_off.trying = True

        def opened(connection: Connection) -> None:
            self._back_off.trying = False
            self._reachable()
            request.give_up_opening = None
            self._carry(request, connection)

        def failed(kind: str, message: str) -> None:
            self._back_off.trying = False
            request.give_up_opening = None
            now = self._clock.now_ns()
            if kind in UNREACHABLE:
                if not self._back_off.active:
                    self._note("backing_off", message)
                self._back_off.failed(now)
            request.fail(now, kind, message)

        request.give_up_opening = self._pool.open(opened, failed)

    def _reachable(self) -> None:
        if self._back_off.active:
            self._back_off.reached()
            self._note("reachable_again")

    # what a request tells

    def on_finished(self, request: InFlightRequest) -> None:
        self._in_flight.discard(request)
        self._emit(request.record)
        if request.record.status is not None:
            self._reachable()
        if self._finishing:
            self._end_if_done()
            return
        now = self._clock.now_ns()
        if self._schedule is None:
            if request.record.error is not None:
                # A server that fails at once must not be asked again at once.
                self._closed_from_ns = max(self._closed_from_ns, now + FIRST_NS)
            self._fill_slots(now)
            self._rearm()
        elif self._backlog and len(self._in_flight) < self._cap and not self._back_off.forbids(now):
            index, due_ns = self._backlog.popleft()
            self._launch(index, due_ns, waited=True)
        self._end_if_done()

    def on_stale(self, request: InFlightRequest) -> None:
        self._counters.stale_retries += 1
        reused = self._pool.reuse
        self._pool.stale()
        if reused and not self._pool.reuse:
            self._note("no_reuse", "the server closes them unasked; each request gets a new one")
        request.record.sent_ns = request.record.headers_ns = None
        self._open_for(request)

    # the tick

    def _gauges(self, t_ns: int) -> Gauges:
        schedule, over = self._schedule, self._finishing or self._load_over
        return Gauges(
            in_flight=len(self._in_flight),
            backlog=len(self._backlog),
            rate_rps=None if schedule is None else 0.0 if over else schedule.curve.rate_rps(t_ns),
            concurrency=None if schedule is not None else 0 if over else self._concurrency,
        )

    def _on_tick(self, tick: Tick) -> None:
        self._emit(tick)
        self._read_delay_ns = read_delay_after(tick)

    def _look_after(self, now_ns: int) -> None:
        self._pool.sweep()
        for request in list(self._in_flight):
            if (kind := request.overdue(now_ns, self._plan.deadlines)) is not None:
                request.fail(now_ns, kind)
        if self._finishing and now_ns >= self._drain_until_ns:
            self._abort_all(now_ns)
        self._end_if_done()

    def _may_delay_ns(self) -> int:
        """How long nothing but sockets that can wait would be kept waiting."""
        if not self._read_delay_ns or self._ticker.settling or self._pool.opening:
            return 0
        if (at_ns := self._alarm.at_ns) is None:
            return self._read_delay_ns
        return min(self._read_delay_ns, at_ns - _WAKE_NS - self._clock.now_ns())

    def _note(self, event: str, message: str = "") -> None:
        _log.info("%s %s", event, message)
        self._emit(WorkerNote(self._clock.now_ns(), self._plan.worker, event, message))
