"""The GPUs of a timeline at one instant, as a frame shows them."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np

from sessions.frame.schema import Frame, Gpu, Power
from sessions.store.manifest import Manifest
from sessions.timeline.columns import Floats, Table
from sessions.timeline.energy import curves, median, used
from sessions.timeline.gpus import THROTTLED, GpuColumns, place, reasons
from sessions.timeline.timeline import Timeline

RECENT_NS = 10_000_000_000
STALE_NS = 2e9
_LATELY_NS = 3_000_000_000
_METER_NS = 120_000_000_000
"""How far back readings of power are looked at: an exporter may refresh every 30 s."""


class Axis(NamedTuple):
    """The columns that all charts of a frame share."""

    at_ns: int
    start_ns: int
    slot_ns: int
    slots: int
    edges: Floats
    """Bounds of the columns, shape `(slots + 1,)`; the last one is cut at the playhead."""

    def slot(self, t_ns: int) -> int | None:
        """The column that an instant falls in; None outside."""
        i = (t_ns - self.start_ns - 1) // self.slot_ns
        return i if 0 <= i < self.slots else None


def axis_of(frame: Frame) -> Axis:
    """The one that the frame's own series stand on."""
    edges = frame.start_ns + np.arange(frame.slots + 1, dtype=np.float64) * frame.slot_ns
    return Axis(frame.at_ns, frame.start_ns, frame.slot_ns, frame.slots, np.minimum(edges, frame.at_ns))


def gpu_note(timeline: Timeline, manifest: Manifest | None, at_ns: int) -> str:
    """The newest sentence of a source that does not work; of the server's own metrics if of no other."""
    target = "" if manifest is None else f"{urlsplit(manifest.target).netloc}/metrics"
    said = []
    for source, notes in timeline.sources.items():
        upto = [note for note in notes if note[0] <= at_ns]
        if upto and not upto[-1][1]:
            said.append((source != target, upto[-1][0], upto[-1][2]))
    if said:
        return max(said)[2]
    if manifest is not None and manifest.config.telemetry == ["none"]:
        return "telemetry is off"
    return ""


def gpus_known(timeline: Timeline, at_ns: int) -> list[GpuColumns]:
    """In the order in which a frame has them."""
    known = [gpu for gpu in timeline.gpus.values() if gpu.since_ns <= at_ns]
    return sorted(known, key=lambda gpu: place(gpu.device(at_ns)))


def gpus_at(timeline: Timeline, axis: Axis) -> tuple[Gpu, ...]:
    known = gpus_known(timeline, axis.at_ns)
    several_hosts = len({gpu.device(axis.at_ns).host for gpu in known}) > 1
    return tuple(_gpu(gpu, several_hosts, axis) for gpu in known)


def _gpu(gpu: GpuColumns, several_hosts: bool, axis: Axis) -> Gpu:
    device, samples = gpu.device(axis.at_ns), gpu.samples(axis.at_ns)
    row = int(samples.upto(axis.at_ns))
    hold_ns = interval_ns(samples, row) * 1.5

    newest = samples.row(row - 1) if row else {}

    def now(name: str) -> float | None:
        return newest.get(name)

    def whole(name: str) -> int | None:
        value = now(name)
        return None if value is None else int(value)

    def traffic(way: str) -> float | None:
        ways = [
            rate for rate in (now(f"{way}_rx_bytes_per_s"), now(f"{way}_tx_bytes_per_s")) if rate is not None
        ]
        return sum(ways) if ways else None

    total = whole("memory_total_bytes")
    total = device.memory_total_bytes if total is None else total
    limit = now("power_limit_w")
    history = dict(zip(_DRAWN, held_means(samples, _DRAWN, axis, hold_ns), strict=True))
    age_ns = axis.at_ns - float(samples["t"][row - 1]) + (now("age_ns") or 0.0) if row else None
    label = str(device.index) if not device.mig else f"{device.index} {device.mig}"
    return Gpu(
        label=f"{device.host}:{label}" if several_hosts else label,
        name=device.name,
        util_pct=now("util_pct"),
        memory_used_bytes=whole("memory_used_bytes"),
        memory_reserved_bytes=whole("memory_reserved_bytes"),
        memory_total_bytes=total,
        power_w=now("power_w"),
        power_limit_w=device.power_limit_w if limit is None else limit,
        temperature_c=now("temperature_c"),
        sm_clock_mhz=now("sm_clock_mhz"),
        memory_clock_mhz=now("memory_clock_mhz"),
        util=history["util_pct"],
        memory_pct=history["memory_used_bytes"] * (100.0 / total if total else np.nan),
        power=history["power_w"],
        temperature=history["temperature_c"],
        age_s=None if age_ns is None else age_ns / 1e9,
        stale=age_ns is None or age_ns > max(STALE_NS, 2 * hold_ns),
        lost=now("lost") == 1.0,
        excluded="hidden"
        if device.visible is False and not device.serves_target
        else "not serving"
        if device.serves_target is False
        else "",
        serving=device.serves_target is True,
        processes=tuple((one.name, one.pid, one.memory_bytes) for one in gpu.processes(axis.at_ns)),
        mig=device.mig,
        unified_memory=device.unified_memory,
        memory_temperature_c=now("memory_temperature_c"),
        sm_clock_max_mhz=device.sm_clock_max_mhz,
        throttle=tuple(name for name in reasons(now("reasons") or 0.0) if name not in _HARMLESS),
        throttled_pct=_throttled(samples, axis.at_ns, row),
        sm_pct=now("sm_active_pct"),
        tensor_pct=now("tensor_active_pct"),
        dram_pct=now("dram_active_pct"),
        pcie_bytes_per_s=traffic("pcie"),
        nvlink_bytes_per_s=traffic("nvlink"),
        host=device.host,
        role=device.role,
        sm=_if_any(history["sm_active_pct"]),
        dram=_if_any(history["dram_active_pct"]),
    )


_DRAWN = (*("util_pct", "memory_used_bytes", "power_w", "temperature_c", "sm_active_pct", "dram_active_pct"),)
_HARMLESS = ("idle", "app clocks", "display")


def _if_any(values: Floats) -> Floats | None:
    return values if np.isfinite(values).any() else None


def _throttled(samples: Table, at_ns: int, row: int) -> float | None:
    """Share of the last seconds in which something held the clocks down: the most of the causes."""
    first = int(samples.upto(at_ns - _LATELY_NS))
    shares = samples.block(THROTTLED, first, row)
    known = np.isfinite(shares)
    counts = known.sum(axis=1)
    sums = shares.sum(axis=1, where=known)[counts > 0]
    return float((sums / counts[counts > 0]).max()) if len(sums) else None


def interval_ns(samples: Table, row: int) -> float:
    """The usual time between samples lately, as known at `row`."""
    times = samples["t"][max(row - 32, 0) : row]
    return median(np.diff(times)) if len(times) > 1 else 0.0


def held_means(samples: Table, names: tuple[str, ...], axis: Axis, hold_ns: float) -> Floats:
    """Means by column, `(len(names), slots)`. A column that falls between two samples shows the one before.

    It is held for `hold_ns` at most: longer without a sample is a gap. So is a column that is still to come.
    """
    rows = samples.upto(axis.edges)
    sums, counts = (found[:, :, 0] for found in samples.sums_and_counts(names, rows))
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    before = rows[1:] - 1
    empty = np.flatnonzero((np.diff(rows) == 0) & (before >= 0) & (axis.edges[:-1] < axis.at_ns))
    held = empty[axis.edges[empty + 1] - samples["t"][before[empty]] <= hold_ns]
    if len(held):
        for i, name in enumerate(names):
            means[i, held] = samples[name][before[held]]
    return means


def power_at(timeline: Timeline, at_ns: int) -> Power:
    """Power and energy of the GPUs that the load runs on, over the last `RECENT_NS` of load."""
    since_ns = max(at_ns - RECENT_NS, timeline.first_ns)
    parts = curves(timeline.gpus, at_ns, at_ns - _METER_NS)
    seconds = (at_ns - since_ns) / 1e9
    joules = used(parts, since_ns, at_ns).whole(seconds)
    if joules is None or seconds <= 0:
        return Power(gpus=len(parts))
    ticks = timeline.ticks
    a, b = ticks.upto(np.array([since_ns, at_ns], dtype=np.float64)).tolist()
    tokens = float(ticks["output_tokens"][a:b].sum())
    integrated = any(part.integrated for part in parts)
    return Power(joules / seconds, joules / tokens if tokens else None, integrated, len(parts))


def poll_ms_at(timeline: Timeline, at_ns: int) -> float | None:
    """What the last look at the GPUs of one source took, the slowest of the sources."""
    newest = []
    for gpu in timeline.gpus.values():
        samples = gpu.samples(at_ns)
        row = int(samples.upto(at_ns))
        if row and at_ns - samples["t"][row - 1] <= STALE_NS:
            newest.append(float(samples["poll_ns"][row - 1]) / 1e6)
    return max(newest, default=None)
