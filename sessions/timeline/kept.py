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

from loadgen.records import Request, Tick
from sessions.metrics import Floats
from sessions.store.bounds import SKETCH_COUNT_CAP, TEXT_CAP, WORKERS_CAP
from sessions.store.parse import BadLine, parse_packed
from sessions.store.records import AnyRecord
from sessions.timeline import paged
from sessions.timeline.column_codec import BadColumn, Packed, pack, pack_ints, unpack, unpack_ints
from sessions.timeline.columns import Table
from sessions.timeline.gpus import GPU_FIELDS
from sessions.timeline.hosts import HostColumns
from sessions.timeline.servers import BOUNDS_CAP, HISTOGRAMS, HistogramColumns, ServerColumns
from sessions.timeline.sketches import SketchLog
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


class _Heads(msgspec.Struct):
    newest_ns: _Ns
    lines: int
    """Bytes of lines, which come next; then the columns, in this order."""
    ticks: _Head
    sketches: list[tuple[Packed, Packed, Packed]]
    """Entries a row, buckets, counts."""
    waiting: list[_Head]
    """Of each worker, ascending."""
    gpus: list[_Gpu]
    servers: list[_Server]
    hosts: list[tuple[_Text, _Text, _Head]]


class NotKept(ValueError):
    """The bytes are none of `keep`."""


def rare(record: AnyRecord) -> AnyRecord | None:
    """What of a record no column tells; None where they tell all of it."""
    if isinstance(record, Tick):
        if not record.errors and not record.causes and not record.targets:
            return None
        told = {"errors": record.errors, "causes": record.causes, "targets": record.targets}
        return Tick(record.t_ns, record.dt_ns, record.worker, **told)  # type: ignore[arg-type]
    return None if isinstance(record, GpuSamples | ServerSample | HostSample | Request) else record


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

    def sketch(log: SketchLog) -> tuple[Packed, Packed, Packed]:
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
    )
    told = msgspec.msgpack.encode(heads)
    return b"".join([len(told).to_bytes(4, "little"), told, lines])


def put_in_place(timeline: Timeline) -> None:
    """All rows that wait to be: a timeline that takes in no more is then only read, here and in a frame."""
    _ = timeline.ticks
    tables = [*timeline.worker_ticks.values(), *(host.samples for host in timeline.hosts.values())]
    tables += [table for gpu in timeline.gpus.values() for table in gpu.tables.values()]
    for server in timeline.servers.values():
        tables += [server.samples, *(histogram.table for histogram in server.histograms.values())]
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


_decode_heads = msgspec.msgpack.Decoder(_Heads).decode


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
        for line in lines:
            self._apply(timeline, parse_packed(line))
        if self._left:
            raise BadColumn("bytes that nobody tells of")
        timeline.newest_ns = max(timeline.newest_ns, heads.newest_ns)
        return timeline

    def _apply(self, timeline: Timeline, record: AnyRecord | None) -> None:
        if isinstance(record, Tick):
            timeline.take_apart(record)
        elif isinstance(record, GpuSamples):
            for sample in record.gpus:
                if (gpu := timeline.gpus.get(sample.gpu)) is not None:
                    gpu.computes(record.t_ns, tuple(sample.processes or ()))
        elif record is not None:
            timeline.apply(record)

    def _ticks(self, timeline: Timeline) -> None:
        heads, names = self._heads, timeline.ticks.names
        cells = self._table(heads.ticks, names[:-1]).cells()
        dt, worker = cells[1:3]
        gauges = [names.index("rate_rps"), names.index("concurrency")]
        counted = (column for at, column in enumerate(cells) if at not in gauges)
        if not all((column >= 0).all() for column in counted) or not (dt >= 1).all():  # NaN is not, either
            raise BadColumn("a tick that is none")
        if not (worker < WORKERS_CAP).all() or not (worker == np.floor(worker)).all():
            raise BadColumn("a worker that is none")
        workers = np.unique(worker).astype(np.int64).tolist()
        if len(heads.waiting) != len(workers) or len(heads.sketches) != len(timeline.sketch_logs):
            raise BadColumn("ticks that do not fit each other")
        logs = [self._sketch(three, heads.ticks.rows) for three in heads.sketches]
        waiting = {
            number: self._table(head, ("t", "waits"))
            for number, head in zip(workers, heads.waiting, strict=True)
        }
        whole = paged.empty((len(names), cells.shape[1]))
        whole[:-1], whole[-1] = cells, cells[names.index("in_flight")] * dt
        timeline.take_ticks(whole, dict(zip(timeline.sketch_logs, logs, strict=True)), waiting)

    def _sketch(self, three: tuple[Packed, Packed, Packed], rows: int) -> SketchLog:
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
        if head.columns[0].code == "same" and head.rows > 1:  # all others may be: these bytes bound the rows
            raise BadColumn("rows of one time")
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
        data = paged.empty((size,), np.uint8).data
        if self._file.readinto(data) != size:  # type: ignore[attr-defined]  # of what is opened for reading
            raise BadColumn("cut off meanwhile")
        return data
