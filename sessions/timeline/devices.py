"""GPUs, servers and hosts of a session as columns by time: what telemetry said, in any order, put in order.

A GPU that several sources speak of (NVML and a dcgm-exporter) keeps a table of each; which one is read
depends on nothing but the instant that is asked about.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sessions.timeline.columns import Floats, Table
from telemetry.records import (
    THROTTLE_REASONS,
    GpuDevice,
    GpuEvent,
    GpuProcess,
    GpuSample,
    GpuSamples,
    Histogram,
    HostSample,
    ServerSample,
)

GPU_VALUES = (
    *("util_pct", "memory_used_bytes", "memory_reserved_bytes", "memory_total_bytes", "power_w"),
    *("power_limit_w", "temperature_c", "sm_clock_mhz", "memory_clock_mhz", "energy_j", "power_average_w"),
    *("memory_temperature_c", "pcie_rx_bytes_per_s", "pcie_tx_bytes_per_s", "nvlink_rx_bytes_per_s"),
    *("nvlink_tx_bytes_per_s", "sm_active_pct", "tensor_active_pct", "dram_active_pct"),
)
THROTTLED = ("power_throttled_pct", "thermal_throttled_pct", "brake_throttled_pct")
"""Share of the time in which the power cap, heat, or a power brake held the clocks down."""
GPU_FIELDS = (*GPU_VALUES, *THROTTLED, "reasons", "lost", "age_ns", "poll_ns")
SERVER_FIELDS = (
    *("running", "waiting", "kv_pct", "preemptions", "prompt_tokens", "output_tokens"),
    *("prefix_hit_pct", "prefix_queried_tokens", "cached_tokens", "finished"),
)
HISTOGRAMS = ("ttft", "itl", "queue")
HOST_FIELDS = (
    *("cpu_pct", "cores", "load1", "memory_used_bytes", "memory_total_bytes", "net_rx_bytes_per_s"),
    *("net_tx_bytes_per_s", "steal_pct", "throttled_pct"),
)

DEVICES_CAP = 1000
"""Times that one GPU is described anew."""
EVENTS_CAP = 1000
PROCESSES_CAP = 64
"""Processes of one GPU that are kept."""
SOURCES_CAP = 16
"""Sources of one GPU."""
BOUNDS_CAP = 200
"""Buckets of a histogram."""

_NAN = float("nan")
_CAUSES = (("power cap",), ("thermal", "HW thermal"), ("power brake", "HW slowdown"))
"""For each of `THROTTLED`, the reasons it stands for. A hardware slowdown that is not of heat is a brake."""


def or_nan(value: float | None) -> float:
    return _NAN if value is None else value


@dataclass
class GpuColumns:
    """One GPU: what it is, and its samples."""

    since_ns: int
    unnamed: GpuDevice
    """All that a sample alone tells."""
    said: list[tuple[int, str, GpuDevice]] = field(default_factory=list)
    """When which source described it."""
    tables: dict[str, Table] = field(default_factory=dict)
    """By source: `t`, `GPU_FIELDS`."""
    computing: list[tuple[int, tuple[GpuProcess, ...]]] = field(default_factory=list)
    """Since when which processes compute there, as far as that was asked."""
    events: list[tuple[int, str, int]] = field(default_factory=list)
    """When, which (`GpuEvent.event`), and how many."""

    def happened(self, record: GpuEvent) -> None:
        if len(self.events) < EVENTS_CAP:
            self.events.append((record.t_ns, record.event, 1 if record.count is None else record.count))

    def describe(self, t_ns: int, source: str, device: GpuDevice) -> None:
        if len(self.said) < DEVICES_CAP:
            insort(self.said, (t_ns, source, device), key=lambda said: said[:2])

    def device(self, at_ns: int) -> GpuDevice:
        """What was known of it at an instant, by the best source that had described it."""
        known: dict[str, GpuDevice] = {}
        for t_ns, source, device in self.said:
            if t_ns > at_ns:
                break
            known[source] = device
        return known[min(known, key=_rank)] if known else self.unnamed

    def source(self, at_ns: int) -> str:
        """The best source that had measured it by then; empty when none had."""
        known = [source for source, table in self.tables.items() if len(table) and table["t"][0] <= at_ns]
        return min(known, key=_rank, default="")

    def samples(self, at_ns: int) -> Table:
        """The samples of that source."""
        return self.tables.get(self.source(at_ns)) or _NO_SAMPLES

    def processes(self, at_ns: int) -> tuple[GpuProcess, ...]:
        """Those that were last seen to compute there, most memory first; () also where nobody asked."""
        i = bisect_right(self.computing, at_ns, key=lambda seen: seen[0])
        found = self.computing[i - 1][1] if i else ()
        return tuple(sorted(found, key=lambda process: (-(process.memory_bytes or 0), process.pid)))

    def _computes(self, t_ns: int, processes: tuple[GpuProcess, ...]) -> None:
        before = bisect_right(self.computing, t_ns, key=lambda seen: seen[0])
        same = before and self.computing[before - 1][1] == processes
        if not same and len(self.computing) < DEVICES_CAP:
            self.computing.insert(before, (t_ns, processes))

    def take(self, record: GpuSamples, sample: GpuSample) -> None:
        if sample.processes is not None:
            self._computes(record.t_ns, tuple(sample.processes[:PROCESSES_CAP]))
        table = self.tables.get(record.source)
        if table is None:
            if len(self.tables) >= SOURCES_CAP:
                return
            table = self.tables[record.source] = Table(("t", *GPU_FIELDS))
        table.add(
            (
                record.t_ns,
                *(or_nan(getattr(sample, name)) for name in GPU_VALUES),
                *_throttled(sample),
                _NAN if sample.throttle is None else _bits(sample.throttle),
                float(sample.lost),
                or_nan(record.age_ns),
                record.took_ns,
            )
        )


def _rank(source: str) -> tuple[bool, str]:
    """NVML itself before an exporter, which is older."""
    return not source.startswith("nvml"), source


_NO_SAMPLES = Table(("t", *GPU_FIELDS))


def reasons(bits: float) -> list[str]:
    """The names in a value of the column `reasons`."""
    return [] if np.isnan(bits) else [name for i, name in enumerate(THROTTLE_REASONS) if int(bits) >> i & 1]


def _bits(names: list[str]) -> float:
    return float(sum(1 << i for i, name in enumerate(THROTTLE_REASONS) if name in names))


def _throttled(sample: GpuSample) -> list[float]:
    """By the counters; where there are none, 100 for a reason that holds at this instant, else 0."""
    shares, now = sample.throttled_pct, sample.throttle
    if shares is not None:
        return [max((shares[name] for name in names if name in shares), default=_NAN) for names in _CAUSES]
    if now is None:
        return [_NAN] * len(_CAUSES)
    of_heat = "HW thermal" in now
    return [
        100.0 if any(name in now and not (name == "HW slowdown" and of_heat) for name in names) else 0.0
        for names in _CAUSES
    ]


class HistogramColumns:
    """One of a server's histograms over time."""

    def __init__(self, bounds_s: list[float]) -> None:
        self.bounds_s = bounds_s
        self._table = Table(("t", *map(str, range(len(bounds_s) + 1))))

    def take(self, t_ns: int, histogram: Histogram) -> None:
        """A histogram of other bounds or of another length is of another server, and left out."""
        if histogram.bounds_s == self.bounds_s and len(histogram.counts) == len(self.bounds_s) + 1:
            self._table.add((t_ns, *histogram.counts))

    def quantiles_s(
        self, from_ns: float, to_ns: float, qs: tuple[float, ...]
    ) -> tuple[int, list[Quantile]] | None:
        """How many were observed between the last readings up to both instants, and their quantiles.

        None when nothing was observed or the counts fell.
        """
        a, b = self._table.upto(np.array([from_ns, to_ns])).tolist()
        a = max(a, 1)
        if b <= a:
            return None
        names = [str(i) for i in range(len(self.bounds_s) + 1)]
        cells = self._table.block(names)
        gained = cells[:, b - 1] - cells[:, a - 1]
        total = gained[-1]
        if total <= 0 or (gained < 0).any() or (np.diff(gained) < 0).any():
            return None
        edges: Floats = np.array([0.0, *self.bounds_s])
        below: Floats = np.concatenate([[0.0], gained[:-1]])
        return int(total), [_within(edges, below, q * total) for q in qs]


COARSE = 1.5
"""Upper bound of a bucket to its lower one, above which what lies within is not told apart: one of vLLM's
goes from 20 to 40 s."""


class Quantile(NamedTuple):
    """What a histogram tells of one."""

    value_s: float | None
    """Linear within its bucket. None where that is wider than `COARSE`, as the first one, which begins at 0,
    and beyond the last bound: a figure from within would be invented."""
    at_least_s: float
    at_most_s: float | None


def _within(edges: Floats, below: Floats, rank: float) -> Quantile:
    i = int(np.searchsorted(below, rank, side="left"))
    if i >= len(edges):
        return Quantile(None, float(edges[-1]), None)
    if i <= 1:
        return Quantile(None, 0.0, float(edges[min(1, len(edges) - 1)]))
    low, high = float(edges[i - 1]), float(edges[i])
    if high > COARSE * low:
        return Quantile(None, low, high)
    share = (rank - below[i - 1]) / (below[i] - below[i - 1])
    return Quantile(low + share * (high - low), low, high)


@dataclass
class ServerColumns:
    """What one server says of itself."""

    samples: Table = field(default_factory=lambda: Table(("t", *SERVER_FIELDS)))
    histograms: dict[str, HistogramColumns] = field(default_factory=dict)

    def take(self, record: ServerSample) -> None:
        self.samples.add((record.t_ns, *(or_nan(getattr(record, name)) for name in SERVER_FIELDS)))
        for name in HISTOGRAMS:
            histogram: Histogram | None = getattr(record, name)
            if histogram is not None and len(histogram.bounds_s) <= BOUNDS_CAP:
                known = self.histograms.setdefault(name, HistogramColumns(histogram.bounds_s))
                known.take(record.t_ns, histogram)


@dataclass
class HostColumns:
    """One machine."""

    host: str
    samples: Table = field(default_factory=lambda: Table(("t", *HOST_FIELDS)))

    def take(self, record: HostSample) -> None:
        self.samples.add((record.t_ns, *(or_nan(getattr(record, name)) for name in HOST_FIELDS)))


def metered(gpus: dict[str, GpuColumns], at_ns: int) -> list[GpuColumns]:
    """The GPUs that the load under test runs on, as far as was known at an instant.

    Those on which a process of the server computes; where nobody can tell, all that are visible and are not
    known to serve nothing. A MIG instance counts as what it is.
    """
    known = [gpu for gpu in gpus.values() if gpu.since_ns <= at_ns]
    known.sort(key=lambda gpu: place(gpu.device(at_ns)))
    devices = [gpu.device(at_ns) for gpu in known]
    if any(device.serves_target for device in devices):
        return [gpu for gpu, device in zip(known, devices, strict=True) if device.serves_target]
    parents = {device.parent for device in devices if device.parent}
    return [
        gpu
        for gpu, device in zip(known, devices, strict=True)
        if device.serves_target is None and device.visible is not False and device.gpu not in parents
    ]


def powered(gpus: dict[str, GpuColumns], at_ns: int) -> list[GpuColumns]:
    """Whose meters count for them: of MIG instances that is the whole GPU, once."""
    keys = (gpu.device(at_ns).parent or gpu.device(at_ns).gpu for gpu in metered(gpus, at_ns))
    return [gpus[key] for key in dict.fromkeys(keys) if key in gpus]


def place(device: GpuDevice) -> tuple[str, bool, int, int, str]:
    """GPUs are shown by host, those that CUDA shows first and in its order, then by number."""
    order = device.index if device.cuda_index is None else device.cuda_index
    return device.host, device.visible is False, order, device.index, device.gpu
