"""A timeline as bytes, and back: what a cache file keeps of a session that is written no more.

What comes by the ten thousand is kept as columns; the rest are the session's own lines, and are read as such.
Requests are left out. What comes back is as untrusted as the session itself: it is in the bounds that its
lines are held to, and the columns fit each other, or nothing comes back.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Annotated, BinaryIO, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta

from loadgen.decoding import ready
from loadgen.records import Request, Tick
from sessions.metrics import Floats
from sessions.store.bounds import SKETCH_COUNT_CAP, TARGETS_CAP, TEXT_CAP, WORKERS_CAP
from sessions.store.parse import BadLine, parse_packed
from sessions.store.records import AnyRecord
from sessions.timeline import paged
from sessions.timeline.column_codec import BadColumn, Packed, pack, pack_ints, unpack, unpack_ints
from sessions.timeline.columns import Table
from sessions.timeline.failures import COLUMNS, MOST_KEPT, Failures
from sessions.timeline.gpus import GPU_FIELDS
from sessions.timeline.hosts import HostColumns
from sessions.timeline.servers import BOUNDS_CAP, HISTOGRAMS, HistogramColumns, ServerColumns
from sessions.timeline.sketches import SketchLog
from sessions.timeline.targets import TargetColumns
from sessions.timeline.timeline import KINDS_CAP, Timeline
from telemetry.bounds import MOST_FLOAT, TEN_YEARS_NS
from telemetry.records import GpuSample, GpuSamples, HostSample, ServerSample

RARE_CAP = 50_000
"""Lines that are kept as they are; of a session with more of them, nothing is kept."""
CELLS_CAP = 1 << 27
"""Of all tables together: 38 hours of eight GPUs. Columns that are the same all along take no bytes."""

_Ns = Annotated[int, Meta(ge=0, le=TEN_YEARS_NS)]
_Text = Annotated[str, Meta(max_length=TEXT_CAP)]
_Bounds = Annotated[list[Annotated[float, Meta(ge=-MOST_FLOAT, le=MOST_FLOAT)]], Meta(max_length=BOUNDS_CAP)]


class _Head(NamedTuple):
    """Of a table: its columns lie one after the other."""

    rows: int
    columns: list[Packed]


class _Gpu(NamedTuple):
    key: _Text
    since_ns: _Ns
    tables: list[tuple[_Text, _Head]]


class _Server(NamedTuple):
    source: _Text
    samples: _Head
    histograms: list[tuple[_Text, _Bounds, _Head]]


class _Failed(NamedTuple):
    kinds: list[tuple[_Text, _Head]]
    said: list[tuple[_Text, _Text, _Head]]
    """Kind, words."""


_Three = tuple[Packed, Packed, Packed]
"""Of sketches: entries a row, buckets, counts."""


class _Target(NamedTuple):
    number: Annotated[int, Meta(ge=0, lt=TARGETS_CAP)]
    ticks: _Head
    sketches: list[_Three]
    failures: _Failed


class _Heads(msgspec.Struct):
    newest_ns: _Ns
    lines: int
    """Bytes of lines, which come next; then the columns, in this order."""
    ticks: _Head
    sketches: list[_Three]
    waiting: list[_Head]
    """Of each worker, ascending."""
    gpus: list[_Gpu]
    servers: list[_Server]
    hosts: list[tuple[_Text, _Text, _Head]]
    failures: _Failed
    targets: list[_Target]


_MAY_BE_MISSING = ("rate_rps", "concurrency")
"""Of the columns of ticks."""


class NotKept(ValueError):
    """The bytes are none of `keep`."""


def rare(record: AnyRecord) -> AnyRecord | None:
    """What of a record no column tells; None where they tell all of it."""
    told = isinstance(record, Tick | GpuSamples | ServerSample | HostSample | Request)
    return None if told else record


def keep(timeline: Timeline, rare_records: Iterable[AnyRecord], columns: BinaryIO) -> bytes:
    """All of a timeline that is read no further: what stands before its columns, and they are written.

    `rare_records`: what `rare` gave of its records, in order.
    """

    def head(table: Table, leave_out: int = 0) -> _Head:
        cells = table.cells()
        kept = []
        for column in cells[: len(cells) - leave_out]:
            packed, data = pack(column)
            kept.append(packed)
            columns.write(data)
        paged.hold_less(freed=True)
        return _Head(cells.shape[1], kept)

    def failed(failures: Failures) -> _Failed:
        kinds = [(kind, head(table)) for kind, table in failures.kinds.items()]
        return _Failed(kinds, [(*said, head(table)) for said, table in failures.said.items()])

    def sketch(log: SketchLog) -> _Three:
        lengths, buckets, counts = (pack_ints(column, columns.write) for column in log.entries())
        paged.hold_less(freed=True)
        return lengths, buckets, counts

    encode = msgspec.json.Encoder().encode
    lines = b"".join(encode(record) + b"\n" for record in [*rare_records, *_computing(timeline)])
    heads = _Heads(
        newest_ns=timeline.newest_ns,
        lines=len(lines),
        ticks=head(timeline.ticks, leave_out=1),  # the last is the product of two others
        sketches=[sketch(log) for log in timeline.sketch_logs.values()],
        waiting=[head(timeline.worker_ticks[worker]) for worker in timeline.workers],
        gpus=[
            _Gpu(key, gpu.since_ns, [(source, head(table)) for source, table in gpu.tables.items()])
            for key, gpu in timeline.gpus.items()
        ],
        servers=[
            _Server(
                source,
                head(server.samples),
                [(name, of.bounds_s, head(of.table)) for name, of in server.histograms.items()],
            )
            for source, server in timeline.servers.items()
        ],
        hosts=[(source, host.host, head(host.samples)) for source, host in timeline.hosts.items()],
        failures=failed(timeline.failures),
        targets=[
            _Target(
                number,
                head(target.ticks),
                [sketch(log) for log in target.sketch_logs.values()],
                failed(target.failures),
            )
            for number, target in timeline.targets.each.items()
        ],
    )
    told = msgspec.msgpack.encode(heads)
    return b"".join([len(told).to_bytes(4, "little"), told, lines])


def put_in_place(timeline: Timeline) -> None:
    """All rows that wait to be: a timeline that takes in no more is then only read, here and in a frame."""
    _ = timeline.ticks, *(target.ticks for target in timeline.targets.each.values())
    tables = [*timeline.worker_ticks.values(), *(host.samples for host in timeline.hosts.values())]
    tables += [table for gpu in timeline.gpus.values() for table in gpu.tables.values()]
    for server in timeline.servers.values():
        tables += [server.samples, *(histogram.table for histogram in server.histograms.values())]
    for failures in (timeline.failures, *(target.failures for target in timeline.targets.each.values())):
        tables += [*failures.kinds.values(), *failures.said.values()]
    for table in tables:
        table.merge_pending()


def _computing(timeline: Timeline) -> Iterator[GpuSamples]:
    """Which processes computed where since when, as samples that tell nothing else."""
    for key, gpu in timeline.gpus.items():
        for t_ns, processes in gpu.computing:
            yield GpuSamples(t_ns, 0, "", [GpuSample(key, processes=list(processes))])


def timeline_of(file: BinaryIO) -> Timeline:
    """The timeline that `keep` was given: of what it returned and then the columns, from here to the end.

    Raises:
        NotKept: these are no such bytes.
    """
    try:
        return _Reader(file).timeline()
    except (msgspec.DecodeError, BadLine, ValueError, RecursionError, OSError) as error:
        raise NotKept(str(error)) from None


_decode_heads = msgspec.msgpack.Decoder(ready(_Heads)).decode


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file, begin = file, file.tell()
        self._left = file.seek(0, os.SEEK_END) - begin
        file.seek(begin)
        told = int.from_bytes(self._take(4), "little")
        self._heads = _decode_heads(self._take(told))
        self._cells = 0

    def timeline(self) -> Timeline:
        heads, timeline = self._heads, Timeline()
        lines = bytes(self._take(heads.lines)).split(b"\n")[:-1]
        self._ticks(timeline)
        # In the order in which they were met, which lists of them keep to.
        for gpu in heads.gpus:
            known = timeline.gpu(gpu.key, gpu.since_ns)
            for source, head in gpu.tables if known is not None else ():
                known.tables[source] = self._table(head, ("t", *GPU_FIELDS))  # type: ignore[union-attr]
        if max(len(heads.servers), len(heads.hosts)) > KINDS_CAP:
            raise BadColumn("too many servers")
        for server in heads.servers:
            made = timeline.servers[server.source] = ServerColumns()
            made.samples = self._table(server.samples, made.samples.names)
            for name, bounds_s, head in server.histograms:
                if name not in HISTOGRAMS:
                    raise BadColumn(f"a histogram of {name[:20]!r}")
                histogram = made.histograms[name] = HistogramColumns(bounds_s)
                histogram.table = self._table(head, histogram.table.names)
        for source, host, head in heads.hosts:
            columns = timeline.hosts[source] = HostColumns(host)
            columns.samples = self._table(head, columns.samples.names)
        self._failures(heads.failures, timeline.failures)
        for kept in heads.targets:
            target = timeline.targets.each[kept.number] = TargetColumns()
            cells = self._tick_cells(kept.ticks, target.ticks.names)
            target.take_ticks(cells, self._sketches(kept.sketches, kept.ticks.rows, target.sketch_logs))
            self._failures(kept.failures, target.failures)
        for line in lines:
            self._apply(timeline, parse_packed(line))
        if self._left:
            raise BadColumn("bytes that nobody tells of")
        timeline.newest_ns = max(timeline.newest_ns, heads.newest_ns)
        return timeline

    def _apply(self, timeline: Timeline, record: AnyRecord | None) -> None:
        if isinstance(record, GpuSamples):
            for sample in record.gpus:
                if (gpu := timeline.gpus.get(sample.gpu)) is not None:
                    gpu.computes(record.t_ns, tuple(sample.processes or ()))
        elif record is not None and rare(record) is not None:
            timeline.apply(record)

    def _ticks(self, timeline: Timeline) -> None:
        heads, names = self._heads, timeline.ticks.names
        cells = self._tick_cells(heads.ticks, names[:-1])
        dt, worker = cells[1:3]
        workers = np.unique(worker).astype(np.int64).tolist()
        if len(heads.waiting) != len(workers):
            raise BadColumn("ticks that do not fit each other")
        logs = self._sketches(heads.sketches, heads.ticks.rows, timeline.sketch_logs)
        waiting = {
            number: self._table(head, ("t", "waits"))
            for number, head in zip(workers, heads.waiting, strict=True)
        }
        whole = paged.empty((len(names), cells.shape[1]))
        whole[:-1], whole[-1] = cells, cells[names.index("in_flight")] * dt
        timeline.take_ticks(whole, logs, waiting)

    def _tick_cells(self, head: _Head, names: tuple[str, ...]) -> Floats:
        cells = self._table(head, names).cells()
        dt, worker = cells[1:3]
        counted = (column for name, column in zip(names, cells, strict=True) if name not in _MAY_BE_MISSING)
        if not all((column >= 0).all() for column in counted) or not (dt >= 1).all():  # NaN is not, either
            raise BadColumn("a tick that is none")
        if not (worker < WORKERS_CAP).all() or not (worker == np.floor(worker)).all():
            raise BadColumn("a worker that is none")
        return cells

    def _failures(self, kept: _Failed, into: Failures) -> None:
        if max(len(kept.kinds), len(kept.said)) > MOST_KEPT:
            raise BadColumn("too many kinds of failures")
        into.kinds |= {kind: self._table(head, COLUMNS) for kind, head in kept.kinds}
        into.said |= {(kind, text): self._table(head, COLUMNS) for kind, text, head in kept.said}
        for table in (*into.kinds.values(), *into.said.values()):
            if not (table["count"] >= 0).all():
                raise BadColumn("a number of failures that is none")

    def _sketches(self, kept: list[_Three], rows: int, names: dict[str, SketchLog]) -> dict[str, SketchLog]:
        if len(kept) != len(names):
            raise BadColumn("sketches that do not fit their ticks")
        return {name: self._sketch(three, rows) for name, three in zip(names, kept, strict=True)}

    def _sketch(self, three: _Three, rows: int) -> SketchLog:
        lengths, buckets, counts = (unpack_ints(one.code, self._take(one.size)) for one in three)
        if len(lengths) != rows or int(lengths.sum()) != len(buckets) or len(buckets) != len(counts):
            raise BadColumn("sketches that do not fit their ticks")
        if counts.max(initial=0) > SKETCH_COUNT_CAP:
            raise BadColumn("a count out of bounds")
        return SketchLog.of_entries(lengths, buckets, counts)

    def _table(self, head: _Head, names: tuple[str, ...]) -> Table:
        if len(head.columns) != len(names) or head.rows < 0:
            raise BadColumn("another number of columns")
        self._cells += head.rows * len(names)
        if self._cells > CELLS_CAP:
            raise BadColumn("too many cells")
        if head.columns[0].code == "same" and head.rows > WORKERS_CAP:
            raise BadColumn("rows of one time")  # all columns may be: these bytes bound the rows
        cells: Floats = paged.empty((len(names), head.rows))
        for column, one in zip(cells, head.columns, strict=True):
            column[:] = unpack(one.code, self._take(one.size), head.rows)
            if (np.abs(column) > MOST_FLOAT).any():
                raise BadColumn("a figure out of bounds")
        times = cells[0]
        if not ((times >= 0) & (times <= TEN_YEARS_NS)).all() or (np.diff(times) < 0).any():
            raise BadColumn("times out of order")
        return Table.of_cells(names, cells)

    def _take(self, size: int) -> memoryview:
        if not 0 <= size <= self._left:
            raise BadColumn("cut off")
        self._left -= size
        data = paged.read(self._file, size)
        if len(data) != size:
            raise BadColumn("cut off meanwhile")
        return data
