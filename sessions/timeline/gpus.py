"""The GPUs of a session as columns by time: what telemetry said, in any order, put in order.

A GPU that several sources speak of (NVML and a dcgm-exporter) keeps a table of each; which one is read
depends on nothing but the instant that is asked about.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field
from operator import attrgetter

import numpy as np

from sessions.timeline.columns import Table
from telemetry.records import (
    THROTTLE_REASONS,
    GpuDevice,
    GpuEvent,
    GpuProcess,
    GpuSample,
    GpuSamples,
    throttle_reasons,
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

DEVICES_CAP = 1000
"""Times that one GPU is described anew."""
EVENTS_CAP = 1000
PROCESSES_CAP = 64
"""Processes of one GPU that are kept."""
SOURCES_CAP = 16
"""Sources of one GPU."""
_values_of = attrgetter(*GPU_VALUES)
_CAUSES = (("power cap",), ("thermal", "HW thermal"), ("power brake", "HW slowdown"))
"""For each of `THROTTLED`, the reasons it stands for. A hardware slowdown that is not of heat is a brake."""


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
        known = [source for source, table in self.tables.items() if table.begins_by(at_ns)]
        return known[0] if len(known) == 1 else min(known, key=_rank, default="")

    def samples(self, at_ns: int) -> Table:
        """The samples of that source."""
        if len(self.tables) == 1:
            (only,) = self.tables.values()
            return only if only.begins_by(at_ns) else _NO_SAMPLES
        if len(self.tables) == 1:
            (only,) = self.tables.values()
            return only if only.begins_by(at_ns) else _NO_SAMPLES
        return self.tables.get(self.source(at_ns)) or _NO_SAMPLES

    def processes(self, at_ns: int) -> tuple[GpuProcess, ...]:
        """Those that were last seen to compute there, most memory first; () also where nobody asked."""
        i = bisect_right(self.computing, at_ns, key=lambda seen: seen[0])
        found = self.computing[i - 1][1] if i else ()
        return tuple(sorted(found, key=lambda process: (-(process.memory_bytes or 0), process.pid)))

    def computes(self, t_ns: int, processes: tuple[GpuProcess, ...]) -> None:
        before = bisect_right(self.computing, t_ns, key=lambda seen: seen[0])
        same = before and self.computing[before - 1][1] == processes
        if not same and len(self.computing) < DEVICES_CAP:
            self.computing.insert(before, (t_ns, processes))

    def take(self, record: GpuSamples, sample: GpuSample) -> None:
        if sample.processes is not None:
            self.computes(record.t_ns, tuple(sample.processes[:PROCESSES_CAP]))
        table = self.tables.get(record.source)
        if table is None:
            if len(self.tables) >= SOURCES_CAP:
                return
            table = self.tables[record.source] = Table(("t", *GPU_FIELDS))
        table.add(
            (
                record.t_ns,
                *_values_of(sample),
                *_throttled(sample),
                None if sample.throttle is None else _bits(sample.throttle),
                sample.lost,
                record.age_ns,
                record.took_ns,
            )
        )


def _rank(source: str) -> tuple[bool, bool, str]:
    """NVML itself before an exporter, which is older; here before the same over a node."""
    return "nvml" not in source.split(" "), not source.startswith("nvml"), source


_NO_SAMPLES = Table(("t", *GPU_FIELDS))


def reasons(bits: float) -> list[str]:
    """The names in a value of the column `reasons`."""
    return [] if np.isnan(bits) else throttle_reasons(int(bits))


def _bits(names: list[str]) -> float:
    return float(sum(1 << i for i, name in enumerate(THROTTLE_REASONS) if name in names))


def _throttled(sample: GpuSample) -> tuple[float | None, ...]:
    """By the counters; where there are none, 100 for a reason that holds at this instant, else 0."""
    shares, now = sample.throttled_pct, sample.throttle
    if shares is not None:
        return tuple(
            [max([shares[name] for name in names if name in shares], default=None) for names in _CAUSES]
        )
    if now is None:
        return _NOT_KNOWN
    if not now:
        return _NOT_THROTTLED
    of_heat = "HW thermal" in now
    return tuple(
        100.0 if any(name in now and not (name == "HW slowdown" and of_heat) for name in names) else 0.0
        for names in _CAUSES
    )


_NOT_KNOWN, _NOT_THROTTLED = (None,) * len(_CAUSES), (0.0,) * len(_CAUSES)


_ROLES = ("prefill", "decode")
"""In the order in which a request comes to them."""


def place(device: GpuDevice) -> tuple[int, str, str, bool, int, int, str]:
    """GPUs are shown by role and host, those that CUDA shows first and in its order, then by number."""
    order = device.index if device.cuda_index is None else device.cuda_index
    first = _ROLES.index(device.role) if device.role in _ROLES else len(_ROLES) + (not device.role)
    return first, device.role, device.host, device.visible is False, order, device.index, device.gpu
