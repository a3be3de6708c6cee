"""The fold: any session's records, in any order, to columns by time.

What is asked about an instant depends only on records up to that instant, so a live run and its replay
give the same answer for it. An hour of one busy worker and 8 GPUs takes about 45 MB, most of it sketches of
token gaps.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Collection, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import numpy as np

from loadgen.records import Request, Tick, WorkerNote
from sessions.store.records import AnyRecord, End, LoadChange, Mark, NodeClock, Note, StageChange, State
from sessions.timeline.columns import Floats, Ints, Table
from sessions.timeline.event import Event
from sessions.timeline.failures import Cause, Failures
from sessions.timeline.gpus import GpuColumns
from sessions.timeline.hosts import HostColumns
from sessions.timeline.reach import Reach
from sessions.timeline.requests import RequestColumns
from sessions.timeline.servers import ServerColumns
from sessions.timeline.sketches import Sketches, SketchLog
from sessions.timeline.stage_list import verdict_words
from sessions.timeline.targets import Targets
from sessions.timeline.worker_notes import NOTE_KINDS, NOTE_WORDS
from telemetry.records import (
    GpuDevice,
    GpuDevices,
    GpuEvent,
    GpuSamples,
    HostSample,
    ServerSample,
    SourceNote,
)

METRICS = ("ttft_from_due", "ttft_from_sent", "itl", "chunk_gap", "e2e", "send_lag")
COUNTS = (
    *("due", "sent", "succeeded", "failed", "cut_off", "not_sent", "stale_retries", "connects", "chunks"),
    *("input_tokens", "output_tokens", "itl_unknown", "reads", "coalesced_reads", "kernel_reads"),
)
GAUGES = ("in_flight", "backlog", "rate_rps", "concurrency", "loop_lag_max_ns", "cpu_ns")
_counts_and_gauges, _sketches_of = attrgetter(*COUNTS, *GAUGES), attrgetter(*METRICS)
KINDS_CAP = 256
"""Devices and sources kept apart; a session that names more is not one of ours."""
EVENTS_CAP = 20_000


class Timeline:
    """Applies records, answers questions about spans of session time."""

    def __init__(self) -> None:
        names = ("t", "dt", "worker", *COUNTS, *GAUGES, "in_flight_ns")
        self._ticks = Table(names, by="worker", followed=True)
        self.worker_ticks: dict[int, Table] = {}
        """By worker: when its ticks ended, and whether requests were in flight or waiting then (1 or 0)."""
        self._first_tick_ns: int | None = None
        self.sketch_logs = {name: SketchLog() for name in METRICS}
        self.failures = Failures()
        self.targets = Targets()
        self.requests = RequestColumns()
        """Those that ended, as far as request lines were read: a screen reads none before a view asks."""
        self._newest_tick_ns: dict[int, int] = {}
        self.gpus: dict[str, GpuColumns] = {}
        self.servers: dict[str, ServerColumns] = {}
        self.hosts: dict[str, HostColumns] = {}
        """Servers and hosts by source."""
        self.sources: dict[str, list[tuple[int, bool, str]]] = {}
        """By source: when it was found or lost, whether it works, and the sentence about it."""
        self.reach = Reach()
        self._simulated_ns: int | None = None
        self.states: list[tuple[int, str, str]] = []
        self.loads: list[LoadChange] = []
        self.stages: list[StageChange] = []
        """Beginnings and ends of the stages of a plan, by time."""
        self.events: list[Event] = []
        self.end: End | None = None
        self.clock_error_ns: int | None = None
        """The worst that a worker said of the times it translates from the kernel's clock."""
        self.clocks: dict[str, list[NodeClock]] = {}
        """By node, by time: how well its clock was known."""
        self.newest_ns = 0
        """The latest time of any record."""

    # taking in

    def apply(self, record: AnyRecord) -> None:
        """Takes one record in. A request leaves `newest_ns` as it is: ticks tell how far a run has come."""
        if isinstance(record, Request):
            self.requests.add(record)
            return
        take = _taker(type(record))
        if take is not None:
            take(self, record)
            self.newest_ns = max(self.newest_ns, record.t_ns)

    def _tick(self, tick: Tick) -> None:
        self._newest_tick_ns[tick.worker] = max(self._newest_tick_ns.get(tick.worker, 0), tick.t_ns)
        self._ticks.add(
            (
                tick.t_ns,
                max(tick.dt_ns, 1),
                tick.worker,
                *_counts_and_gauges(tick),
                float(tick.in_flight) * max(tick.dt_ns, 1),
            )
        )
        own = self.worker_ticks.setdefault(tick.worker, Table(("t", "waits")))
        own.add((tick.t_ns, float(tick.in_flight + tick.backlog > 0)))
        began_ns = tick.t_ns - max(tick.dt_ns, 1)
        self._first_tick_ns = began_ns if self._first_tick_ns is None else min(self._first_tick_ns, began_ns)
        for log, sketch in zip(self.sketch_logs.values(), _sketches_of(tick), strict=True):
            log.add(sketch)
        if self._ticks.crowded:
            _ = self.ticks
        self.failures.take(tick)
        self.targets.take(tick)

    def _worker_note(self, note: WorkerNote) -> None:
        if note.clock_error_ns is not None:
            self.clock_error_ns = max(note.clock_error_ns, self.clock_error_ns or 0)
        if note.event in ("backing_off", "reachable_again"):
            self.reach.add(note.t_ns, note.worker, note.event == "reachable_again", note.target)
        kind = NOTE_KINDS.get(note.event)
        if kind is not None:
            words = NOTE_WORDS.get(note.event, note.event.replace("_", " "))
            self._happened(note.t_ns, kind, f"{words}: {note.message}" if note.message else words)

    def _gpu_devices(self, record: GpuDevices) -> None:
        if record.simulated:
            known_ns = record.t_ns if self._simulated_ns is None else self._simulated_ns
            self._simulated_ns = min(record.t_ns, known_ns)
        for device in record.devices:
            known = self.gpu(device.gpu, record.t_ns)
            if known is not None:
                known.describe(record.t_ns, record.source, device)

    def _gpu_samples(self, record: GpuSamples) -> None:
        for sample in record.gpus:
            known = self.gpu(sample.gpu, record.t_ns)
            if known is not None:
                known.take(record, sample)

    def gpu(self, key: str, t_ns: int) -> GpuColumns | None:
        """The columns of a GPU, new or known; None when there are too many."""
        known = self.gpus.get(key)
        if known is None:
            if len(self.gpus) >= KINDS_CAP:
                return None
            number = key.rpartition("#")[2]
            index = int(number) if number.isdecimal() and number.isascii() and len(number) < 6 else 0
            known = self.gpus[key] = GpuColumns(t_ns, GpuDevice(key, index))
        known.since_ns = min(known.since_ns, t_ns)
        return known

    def _gpu_event(self, record: GpuEvent) -> None:
        kind = "error" if record.event in _GPU_ERRORS else "warning"
        code = "" if record.code is None else f" {record.code}"
        known = self.gpu(record.gpu, record.t_ns) if record.gpu else None
        if known is not None:
            known.happened(record)
        self._happened(record.t_ns, kind, record.text or f"GPU {record.event}{code}")

    def _server(self, record: ServerSample) -> None:
        if record.source in self.servers or len(self.servers) < KINDS_CAP:
            self.servers.setdefault(record.source, ServerColumns()).take(record)

    def _host(self, record: HostSample) -> None:
        if record.source in self.hosts or len(self.hosts) < KINDS_CAP:
            self.hosts.setdefault(record.source, HostColumns(record.host)).take(record)

    def _source(self, record: SourceNote) -> None:
        if record.source in self.sources or len(self.sources) < KINDS_CAP:
            insort(self.sources.setdefault(record.source, []), (record.t_ns, record.ok, record.message))
        self._happened(record.t_ns, "note" if record.ok else "warning", record.message)

    def _state(self, record: State) -> None:
        if len(self.states) < EVENTS_CAP:
            insort(self.states, (record.t_ns, record.state, record.message))
        if record.state == "draining":  # of the others a change of load tells
            self._happened(record.t_ns, "state", record.state)

    def _load(self, record: LoadChange) -> None:
        if len(self.loads) < EVENTS_CAP:
            insort(self.loads, record, key=lambda load: (load.t_ns, load.received_ns or 0, load.label))
        self._happened(record.t_ns, "load", record.label or record.change)

    def _stage(self, record: StageChange) -> None:
        if len(self.stages) < EVENTS_CAP:
            insort(self.stages, record, key=lambda stage: stage.t_ns)
        if record.event == "left":
            self._happened(record.t_ns, "note", f"the plan was left in stage {record.number + 1}")
        if record.event == "over" and (said := verdict_words(record)):
            self._happened(record.t_ns, "note", said)

    def _mark(self, record: Mark) -> None:
        self._happened(record.t_ns, "mark", record.text or "mark")

    def set_beside(self, mark: Mark) -> None:
        """A mark that is none of the session's own records: it says nothing of how far the run has come."""
        self._mark(mark)

    def _note(self, record: Note) -> None:
        kind = record.level if record.level in ("warning", "error") else "note"
        self._happened(record.t_ns, kind, record.text)

    def _node_clock(self, record: NodeClock) -> None:
        if record.node in self.clocks or len(self.clocks) < KINDS_CAP:
            insort(self.clocks.setdefault(record.node, []), record, key=lambda clock: clock.t_ns)

    def _end(self, record: End) -> None:
        if self.end is None or record.t_ns < self.end.t_ns:
            self.end = record
        self._happened(record.t_ns, "end", record.reason)

    def _happened(self, t_ns: int, kind: str, label: str) -> None:
        if len(self.events) < EVENTS_CAP:
            insort(self.events, Event(t_ns, kind, label))

    def take_ticks(self, cells: Floats, sketches: dict[str, SketchLog], waiting: dict[int, Table]) -> None:
        """All ticks at once, as they were kept: the cells of `ticks`, `sketch_logs` and `worker_ticks`."""
        self._ticks = Table.of_cells(self._ticks.names, cells, by="worker", followed=True)
        self.sketch_logs, self.worker_ticks = sketches, waiting
        t, dt, worker = cells[:3]
        self._newest_tick_ns = {number: int(t[worker == number].max()) for number in waiting}
        self._first_tick_ns = int((t - dt).min()) if len(t) else None

    # spans

    @property
    def first_ns(self) -> int:
        """When load began; 0 when it has not."""
        if self.loads:
            return self.loads[0].t_ns
        return self._first_tick_ns or 0

    @property
    def workers(self) -> list[int]:
        """Numbers of the workers heard of, ascending."""
        return sorted(self._newest_tick_ns)

    @property
    def known_ns(self) -> int:
        """The latest instant about which all is known that will be: what a live screen shows.

        Workers close their ticks within milliseconds of each other; one that is a second behind is gone.
        """
        newest = self._newest_tick_ns.values()
        if not newest or self.end is not None:
            return self.newest_ns
        lead = max(newest)
        if self.newest_ns - lead > 1_000_000_000:
            return self.newest_ns
        return min(t for t in newest if lead - t < 1_000_000_000)

    @property
    def ticks(self) -> Table:
        """All ticks of all workers: `t`, `dt`, `worker`, `COUNTS`, `GAUGES`, and `in_flight_ns`, what was in
        flight times `dt`. Its sums are kept apart by worker."""
        moved = self._ticks.merge_pending()
        if moved is not None:
            for log in self.sketch_logs.values():
                log.merge_pending(*moved)
        return self._ticks

    def sketches(self, metric: str, edges_ns: Sequence[float] | Floats) -> Sketches:
        """What was counted between successive edges, ascending: one row less than there are edges.

        A tick belongs to the span `(edge, next edge]` in which it ends.
        """
        rows = self.ticks.upto(np.asarray(edges_ns, dtype=np.float64))
        return self.sketch_logs[metric].between(rows)

    def bands_ns(self, metric: str, edges_ns: Floats) -> Floats:
        """`sketches.QS_KEPT` of `sketches`, `(spans, 3)`: cheap where most spans were asked for before."""
        return self.sketch_logs[metric].bands_ns(self.ticks.upto(edges_ns))

    def counts(self, metric: str, edges_ns: Sequence[float] | Floats) -> Ints:
        """`sketches` with a column for every bucket: `(len(edges) - 1, BUCKETS)`."""
        return self.sketches(metric, edges_ns).dense()

    def quantiles(
        self, metric: str, from_ns: float, to_ns: float, qs: Sequence[float] = (0.5, 0.95, 0.99)
    ) -> tuple[int, Floats]:
        """How many there were in `(from_ns, to_ns]`, and their quantiles in ns, NaN when none; within 1 %."""
        found = self.sketches(metric, (from_ns, to_ns))
        return found.total, found.quantiles_ns(qs)[0]

    def errors(self, to_ns: float) -> dict[str, int]:
        """Failures by kind up to `to_ns`, most frequent first."""
        return self.failures.by_kind(to_ns)

    def causes(self, to_ns: float) -> list[Cause]:
        """Why requests failed up to `to_ns`: each kind once, most frequent first."""
        return self.failures.causes(to_ns)

    def failures_between(self, kinds: Collection[str], edges: Floats) -> dict[str, Floats]:
        """Failures of each of `kinds` that there were, one count between each two of `edges`."""
        return self.failures.between(kinds, edges)

    def state(self, at_ns: int) -> tuple[str, str]:
        """State and its message at an instant; `starting` before any."""
        i = bisect_right(self.states, at_ns, key=lambda state: state[0])
        return self.states[i - 1][1:] if i else ("starting", "")

    def load(self, at_ns: int) -> LoadChange | None:
        """The last change of load up to an instant."""
        i = bisect_right(self.loads, at_ns, key=lambda load: load.t_ns)
        return self.loads[i - 1] if i else None

    def simulated(self, at_ns: int) -> bool:
        """A source had said by then that its GPUs are made up."""
        return self._simulated_ns is not None and self._simulated_ns <= at_ns

    def events_upto(self, at_ns: int) -> list[Event]:
        return self.events[: bisect_right(self.events, at_ns, key=lambda event: event.t_ns)]


_GPU_ERRORS = ("xid", "ecc_uncorrected", "remap_failed")

_TAKERS: dict[type, Callable[[Timeline, Any], None]] = {
    Tick: Timeline._tick,
    WorkerNote: Timeline._worker_note,
    GpuDevices: Timeline._gpu_devices,
    GpuSamples: Timeline._gpu_samples,
    GpuEvent: Timeline._gpu_event,
    HostSample: Timeline._host,
    ServerSample: Timeline._server,
    SourceNote: Timeline._source,
    State: Timeline._state,
    LoadChange: Timeline._load,
    StageChange: Timeline._stage,
    Mark: Timeline._mark,
    Note: Timeline._note,
    NodeClock: Timeline._node_clock,
    End: Timeline._end,
}


@cache
def _taker(kind: type) -> Callable[[Timeline, Any], None] | None:
    """Of a kind of record, or of one derived from it."""
    return next((_TAKERS[base] for base in kind.__mro__ if base in _TAKERS), None)
