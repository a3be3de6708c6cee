"""One worker's load on one event loop: what is due is sent, what is in flight is followed to its end.

When requests are due a load model says (`loadgen.arrivals`), what each asks for a workload
(`loadgen.workload`). What is due while the cap on requests in flight is reached waits in a backlog; what is
never sent is counted as not sent, so due = sent + not_sent when all is over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from loadgen.alarm import Alarm
from loadgen.arrivals.load import Load, LoadModel
from loadgen.clock import Clock
from loadgen.endpoints import as_seen
from loadgen.endpoints.sse import HeldBytes
from loadgen.records import Request, Tick, WorkerNote
from loadgen.transport.pool import Pool
from loadgen.worker.batch_decode import batch_decoder
from loadgen.worker.brake import Brake
from loadgen.worker.in_flight import InFlightRequest
from loadgen.worker.load_share import LoadShare
from loadgen.worker.notes import Notes
from loadgen.worker.overdue import Overdue
from loadgen.worker.read_delay import ReadDelay
from loadgen.worker.request_maker import RequestMaker
from loadgen.worker.sender import Sender
from loadgen.worker.targets import Targets
from loadgen.worker.ticker import Ticker
from loadgen.worker_config import Finish, SetLoad, Stage, WorkerCommand, WorkerConfig
from loadgen.workload.payloads import Payloads
from loadgen.workload.spec import WorkloadSpec
from loadgen.workload.workloads import WORKLOADS

_BURST_NS = 5_000_000
"""After sending for so long at a stretch, sockets, timers and commands have their turn: all slots of a large
closed loop at once would take seconds, in which nobody reads what the first ones are answered."""
_STOOD_STILL_NS = 1_000_000_000
"""A tick this long says that the process was not let run: what came meanwhile is not read yet."""

Emit = Callable[[Tick | Request | WorkerNote], None]


class Engine:
    """One worker's load. Made, `start`ed, told commands; `ended` is set when nothing more will happen."""

    def __init__(
        self,
        config: WorkerConfig,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        pool: Pool,
        emit: Emit,
        on_failing: Callable[[str], None] = lambda words: None,
        more_pools: Sequence[Pool] = (),
    ) -> None:
        """`on_failing` is called when the first `config.give_up` requests have all failed: why, in words.
        `pool`: of the first target, `more_pools`: of those after it, beside it."""
        self._config, self._clock, self._loop, self._emit = config, clock, loop, emit
        notes = Notes(config, clock, emit)
        self._targets = Targets(config, [pool, *more_pools], notes.note_of)
        self._counters, self._read_loop = self._targets.tally.each, pool.read_loop
        template = config.template
        self._endpoint = as_seen(
            template.endpoint, line_events=template.line_events, index_counts=template.index_counts
        )
        self._requests = RequestMaker(config, self._endpoint, self._counters, self, HeldBytes())
        self._note = notes.note
        self._overdue = Overdue(config.deadlines, self._note)
        self._brake = Brake(config.give_up, on_failing)
        self._sender = Sender(clock, self._targets.pools, notes.note_of, self._rearm)
        self._in_flight: set[InFlightRequest] = set()
        self._backlog: deque[tuple[int, int, int, Payloads]] = deque()
        self._share = LoadShare(config)
        self._cap = self._share.cap
        self._alarm = Alarm(loop, clock, self._on_alarm)
        self._last_index = -1
        self._stage: Stage | None = None
        self._end_ns = config.end_ns
        self._model = self._model_of(config.load, config.start_ns)
        self._changes: list[SetLoad] = []
        self._load_over = self._finishing = self._stood_still = False
        self._drain_until_ns = self._lead_ns = 0
        self._take_up(config.workload)
        told = (config.worker, config.start_ns, self._on_tick, self._look_after)
        self._ticker = Ticker(loop, clock, self._targets, *told)
        self._read_delay = ReadDelay(clock, self._alarm, self._targets, lambda: self._ticker.flushing)
        self._read_loop.read_delay_ns = self._read_delay.now_ns
        self.idle = asyncio.Event()
        """Nothing more is due and nothing is under way: the load has come to its end by itself."""
        self.on_idle: Callable[[int | None], None] = lambda stage: None
        """Called then, with the number of the stage if it is one."""
        self.ended = asyncio.Event()

    # life

    def start(self) -> None:
        self._targets.sweep()
        self._prepare()
        self._note("started")
        self._ticker.start()
        self._rearm()

    def command(self, command: WorkerCommand) -> None:
        """Obeys a command. A load takes effect at its `at_ns`, in every worker alike."""
        if isinstance(command, Finish):
            self._begin_finish(command.drain_s)
        else:
            if command.stage is None:  # the next stage of a plan is nobody's second thought
                self._brake.release()
            self._changes.append(command)
            self._rearm()

    def _begin_finish(self, drain_s: float) -> None:
        now = self._clock.now_ns()
        self._finishing = True
        self._drain_until_ns = now + int(drain_s * 1e9)
        self._drop_backlog(now)
        self._alarm.set(None)
        if drain_s <= 0:
            self._abort_all(now)
        self._end_if_done()

    def _abort_all(self, now_ns: int) -> None:
        for request in list(self._in_flight):
            request.give_up_opening()
            request.fail(now_ns, "unfinished", "the run ended first")

    def _end_if_done(self) -> None:
        if self._in_flight or self.ended.is_set():
            return
        if self._finishing:
            self._ticker.stop()
            self._note("ended")
            self._alarm.close()
            self._targets.close()
            self.ended.set()
        elif not self._backlog and not self.idle.is_set() and self._model.exhausted(self._clock.now_ns()):
            self.idle.set()
            self.on_idle(None if self._stage is None else self._stage.number)

    # the load

    def _take_up(self, workload: WorkloadSpec) -> None:
        """From now on requests ask for what `workload` says."""
        config = self._config
        self._workload = WORKLOADS[type(workload)](workload, config.seed)
        self._payloads = self._targets.payloads(self._workload, workload)
        self._read_loop.batch_reader.decode_batch = batch_decoder(
            self._endpoint,
            chunk_counts=config.chunk_counts,
            one_token_chunks=config.one_token_chunks,
            needs_text=self._workload.needs_text,
        )

    def _model_of(self, load: Load, at_ns: int) -> LoadModel:
        under_way = len(self._in_flight) + len(self._backlog)
        return self._share.model(load, at_ns, self._last_index, under_way, self._stage)

    def _change_load(self, now_ns: int) -> None:
        ripe = [change for change in self._changes if change.at_ns <= now_ns]
        self._changes = [change for change in self._changes if change.at_ns > now_ns]
        for change in ripe:
            # What was due before is of the load before.
            if change.drop_backlog:
                self._take_due(now_ns, change.at_ns, send=False)
                self._drop_backlog(now_ns)
            else:
                self._take_due(now_ns, change.at_ns - 1)
            self._begin_load(change)

    def _begin_load(self, change: SetLoad) -> None:
        stage, before = change.stage, self._stage
        if (workload := change.workload if stage is None else stage.workload) is not None:
            self._take_up(workload)
            self._loop.call_soon(self._prepare)
        if stage is None and before is None and self._model.change(change.at_ns, change.load):
            return
        self._stage = stage
        self._end_ns = self._config.end_ns if stage is None else stage.end_ns
        self._model = self._model_of(change.load, change.at_ns)
        self._load_over = False
        self.idle.clear()

    # what is due

    def _rearm(self) -> None:
        self._set_alarm(self._model.due_ns(self._sender.back_off.sendable_ns))

    def _set_alarm(self, due_ns: int | None) -> None:
        """Sets the alarm for whatever comes next; `due_ns` is when the next request is due."""
        if self._finishing or self.ended.is_set():
            return
        times = [change.at_ns for change in self._changes]
        if due_ns is not None:
            self._lead_ns = self._model.lead_ns
            times.append(due_ns - self._lead_ns)
        if self._end_ns is not None and not self._load_over:
            times.append(self._end_ns)
        sendable_ns = self._sender.back_off.sendable_ns
        if self._backlog and sendable_ns is not None and len(self._in_flight) < self._cap:
            times.append(sendable_ns)
        self._alarm.set(min(times) if times else None)

    def _on_alarm(self) -> None:
        if self._finishing or self.ended.is_set():
            return
        now = self._clock.now_ns()
        self._change_load(now)
        stop_ns = now if self._ticker.flushing else now + _BURST_NS
        self._send_waiting(now, stop_ns)
        due_ns = self._take_due(now, now + self._lead_ns, stop_ns=stop_ns)
        if self._end_ns is not None and now >= self._end_ns:
            self._load_over = True
            due_ns = self._take_due(now, now, send=False)
            self._drop_backlog(now)
        self._set_alarm(due_ns)
        self._end_if_done()

    def _take_due(
        self, now_ns: int, until_ns: int, *, send: bool = True, stop_ns: int | None = None
    ) -> int | None:
        """Takes what is due until `until_ns`: sends it, or lets it wait for room, or gives it up.

        Returns when the request is due that comes after. What is left at `stop_ns` stays due: the alarm will
        ring for it at once. One is sent in any case.
        """
        if self._changes:
            # A change of load before then may move what would be due.
            until_ns = min(until_ns, *(change.at_ns - 1 for change in self._changes))
        model, back_off, back_offs = self._model, self._sender.back_off, self._sender.back_offs
        payloads = self._payloads
        launched = False
        while (due_ns := model.due_ns(back_off.sendable_ns)) is not None and due_ns <= until_ns:
            if launched and stop_ns is not None and self._clock.now_ns() >= stop_ns:
                break
            index = model.take()
            if index > self._last_index:
                self._last_index = index
            target = payloads.target_of(index)
            self._counters[target].due += 1
            if send and len(self._in_flight) >= self._cap:
                self._backlog.append((index, due_ns, target, payloads))
            elif not send or back_offs[target].forbids(now_ns):
                self._give_up(index, target, now_ns)
            elif self._backlog:  # which waits for its turn: first come, first sent
                self._backlog.append((index, due_ns, target, payloads))
            else:
                self._launch(index, due_ns, target, payloads, waited=False)
                launched = True
        return due_ns

    def _give_up(self, index: int, target: int, now_ns: int) -> None:
        self._counters[target].not_sent += 1
        if self._workload.needs_text:  # it keeps something until there is an answer
            self._workload.answered(self._requests.unsent(index, now_ns), "")
        self._model.ended(index, now_ns, failed=True)

    def _send_waiting(self, now_ns: int, stop_ns: int) -> None:
        """Sends what waited for room, as far as there is some now, in the order in which it was due."""
        while self._backlog and len(self._in_flight) < self._cap:
            if self._sender.back_off.forbids(now_ns):
                return
            index, due_ns, target, payloads = self._backlog.popleft()
            if self._sender.back_offs[target].forbids(now_ns):  # nobody else waits for this one of several
                self._give_up(index, target, now_ns)
            else:
                self._launch(index, due_ns, target, payloads, waited=True)
            if self._clock.now_ns() >= stop_ns:
                return

    def _drop_backlog(self, now_ns: int) -> None:
        while self._backlog:
            index, _, target, _ = self._backlog.popleft()
            self._give_up(index, target, now_ns)

    # sending

    def _prepare(self) -> None:
        """Makes the next request ready, and a connection for it while it is not due yet."""
        if (index := self._model.next_index) is not None:
            self._payloads.prepare(index)
        if index is None and self._targets.several:  # nobody knows yet whose turn it will be
            return
        target = 0 if index is None else self._payloads.target_of(index)
        if self._finishing or self._sender.back_offs[target].active or len(self._in_flight) >= self._cap:
            return
        if (due_ns := self._model.due_ns(0)) is not None and due_ns > self._clock.now_ns():
            self._targets.pools[target].connect_ahead()

    def _launch(self, index: int, due_ns: int, target: int, payloads: Payloads, *, waited: bool) -> None:
        needs_text = self._workload.needs_text
        request = self._requests.make(index, due_ns, target, payloads, needs_text=needs_text, waited=waited)
        self._loop.call_soon(self._prepare)
        self._in_flight.add(request)
        self._counters[target].sent += 1
        self._sender.send(request)

    # what a request tells

    def on_finished(self, request: InFlightRequest) -> None:
        record = request.record
        self._in_flight.discard(request)
        self._emit(record)
        if self._workload.needs_text:
            self._workload.answered(record, request.text)
        if record.status is not None:
            self._sender.reached(record.target or 0)
        if not self._brake.off:
            self._brake.ended(record.error)
        if self._finishing:
            self._end_if_done()
            return
        now = self._clock.now_ns()
        one_more = self._model.ended(record.index, now, failed=record.error is not None)
        if waits := bool(self._backlog):
            self._send_waiting(now, now)
        if one_more:
            self._set_alarm(self._take_due(now, now, stop_ns=now))
        elif waits:
            self._rearm()
        self._end_if_done()

    def on_stale(self, request: InFlightRequest) -> None:
        self._counters[request.record.target or 0].stale_retries += 1
        self._sender.send_again(request)

    # the tick

    def _on_tick(self, tick: Tick) -> None:
        offered = self._model.offered(tick.t_ns)
        if self._finishing or self._load_over:
            offered = offered.over()
        tick.in_flight, tick.backlog = len(self._in_flight), len(self._backlog)
        self._targets.note_in_flight(tick, self._in_flight)
        tick.rate_rps, tick.concurrency = offered
        self._emit(tick)
        self._read_delay.note(tick)
        self._stood_still = tick.dt_ns > _STOOD_STILL_NS

    def _look_after(self, now_ns: int) -> None:
        self._targets.sweep()
        if not self._stood_still:  # else all that came meanwhile is read first
            self._overdue.end(list(self._in_flight), now_ns)
        if self._finishing and now_ns >= self._drain_until_ns:
            self._abort_all(now_ns)
        self._end_if_done()
