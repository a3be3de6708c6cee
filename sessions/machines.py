"""GPUs and server of a timeline: at one instant, as a frame shows them, and over a span, for a summary."""

from __future__ import annotations

from math import fsum
from typing import NamedTuple

import numpy as np

from sessions.columns import Floats, Table, span_sums
from sessions.devices import GpuColumns, place
from sessions.frame import Gpu, Server
from sessions.manifest import Manifest
from sessions.timeline import Timeline
from telemetry.records import GpuDevice

RECENT_NS = 10_000_000_000
_STALE_NS = 2e9


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


def gpu_note(timeline: Timeline, manifest: Manifest | None, at_ns: int) -> str:
    """The newest sentence of a source that does not work."""
    said = []
    for notes in timeline.sources.values():
        upto = [note for note in notes if note[0] <= at_ns]
        if upto and not upto[-1][1]:
            said.append((upto[-1][0], upto[-1][2]))
    if said:
        return max(said)[1]
    if manifest is not None and manifest.config.telemetry == ["none"]:
        return "telemetry is off"
    return ""


def gpus_at(timeline: Timeline, axis: Axis) -> tuple[Gpu, ...]:
    known = [gpu for gpu in timeline.gpus.values() if gpu.since_ns <= axis.at_ns]
    known.sort(key=lambda gpu: place(gpu.device(axis.at_ns)))
    several_hosts = len({gpu.device(axis.at_ns).host for gpu in known}) > 1
    return tuple(_gpu(gpu, several_hosts, axis) for gpu in known)


def _gpu(gpu: GpuColumns, several_hosts: bool, axis: Axis) -> Gpu:
    device, samples = gpu.device(axis.at_ns), gpu.samples(axis.at_ns)
    row = int(samples.upto(axis.at_ns))
    hold_ns = _interval_ns(samples, row) * 1.5

    def now(name: str) -> float | None:
        value = samples[name][row - 1] if row else np.nan
        return None if np.isnan(value) else float(value)

    def whole(name: str) -> int | None:
        value = now(name)
        return None if value is None else int(value)

    total = whole("memory_total_bytes")
    total = device.memory_total_bytes if total is None else total
    limit = now("power_limit_w")
    history = _held_means(
        samples, ("util_pct", "memory_used_bytes", "power_w", "temperature_c"), axis, hold_ns
    )
    age_ns = axis.at_ns - float(samples["t"][row - 1]) if row else None
    return Gpu(
        label=f"{device.host}:{device.index}" if several_hosts else str(device.index),
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
        util=history[0],
        memory_pct=history[1] * (100.0 / total if total else np.nan),
        power=history[2],
        temperature=history[3],
        age_s=None if age_ns is None else age_ns / 1e9,
        stale=age_ns is None or age_ns > max(_STALE_NS, 2 * hold_ns),
    )


def _interval_ns(samples: Table, row: int) -> float:
    """The usual time between samples lately, as known at `row`."""
    times = samples["t"][max(row - 32, 0) : row]
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def _held_means(samples: Table, names: tuple[str, ...], axis: Axis, hold_ns: float) -> Floats:
    """Means by column, `(len(names), slots)`. A column that falls between two samples shows the one before.

    It is held for `hold_ns` at most: longer without a sample is a gap.
    """
    rows = samples.upto(axis.edges)
    cells = samples.block(names)
    finite = np.isfinite(cells)
    sums = span_sums(np.where(finite, cells, 0.0), rows)
    counts = span_sums(finite.astype(np.float64), rows)
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    before = rows[1:] - 1
    empty = np.flatnonzero((np.diff(rows) == 0) & (before >= 0))
    held = empty[axis.edges[empty + 1] - samples["t"][before[empty]] <= hold_ns]
    means[:, held] = cells[:, before[held]]
    return means


def server_at(timeline: Timeline, axis: Axis) -> Server:
    """Of the first source by name that has spoken."""
    for source in sorted(timeline.servers):
        samples = timeline.servers[source].samples
        row = int(samples.upto(axis.at_ns))
        if not row:
            continue
        hold_ns = _interval_ns(samples, row) * 1.5
        history = _held_means(samples, ("kv_pct", "waiting"), axis, hold_ns)
        fresh = axis.at_ns - samples["t"][row - 1] <= max(_STALE_NS, 2 * hold_ns)

        def now(name: str, samples: Table = samples, row: int = row, fresh: bool = fresh) -> float | None:
            value = samples[name][row - 1]
            return float(value) if fresh and not np.isnan(value) else None

        return Server(
            running=now("running"),
            waiting=now("waiting"),
            kv_pct=now("kv_pct"),
            preemptions_per_s=_gain(samples, "preemptions", axis.at_ns - RECENT_NS, row) if fresh else None,
            kv=history[0],
            waiting_series=history[1],
        )
    return Server()


def _gain(samples: Table, name: str, from_ns: int, row: int) -> float | None:
    """A counter's growth a second since `from_ns`; None with fewer than two readings or when it fell."""
    first = int(samples.upto(from_ns))
    known = np.flatnonzero(np.isfinite(samples[name][first:row])) + first
    if len(known) < 2:
        return None
    values, times = samples[name][known], samples["t"][known]
    if (np.diff(values) < 0).any() or times[-1] <= times[0]:
        return None
    return float((values[-1] - values[0]) / (times[-1] - times[0]) * 1e9)


def gpus_over(timeline: Timeline, start_ns: int, end_ns: int) -> list[dict[str, object]]:
    """GPUs over a span, for a summary: one object each, by host and index."""
    known = sorted(timeline.gpus.values(), key=lambda gpu: place(gpu.device(timeline.newest_ns)))
    return [_gpu_over(gpu, gpu.device(timeline.newest_ns), start_ns, end_ns) for gpu in known]


def _gpu_over(gpu: GpuColumns, device: GpuDevice, start_ns: int, end_ns: int) -> dict[str, object]:
    """Means and maxima over the run; energy is the difference of the card's own counter."""
    samples = gpu.samples(end_ns)
    a, b = samples.upto(np.array([start_ns - 1, end_ns], dtype=np.float64)).tolist()
    total = samples["memory_total_bytes"][a:b]
    total = total[np.isfinite(total)]
    return {
        "index": device.index,
        "name": device.name,
        "host": device.host,
        "source": gpu.source(end_ns),
        "samples": b - a,
        **{
            name: _spread(samples[name][a:b])
            for name in ("util_pct", "memory_used_bytes", "power_w", "temperature_c", "sm_clock_mhz")
        },
        "memory_total_bytes": int(total.max()) if len(total) else device.memory_total_bytes,
        "energy_j": _energy_j(samples, start_ns, b),
    }


def _spread(values: Floats) -> dict[str, float | None]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return {"mean": None, "max": None}
    return {"mean": fsum(finite) / len(finite), "max": float(finite.max())}


def _energy_j(samples: Table, start_ns: int, row: int) -> float | None:
    """From the last reading before the load, else the first in it, to the last; None when it was reset."""
    counter = samples["energy_j"][:row]
    known = np.flatnonzero(np.isfinite(counter))
    before = known[samples["t"][known] <= start_ns]
    used = known[known >= before[-1]] if len(before) else known
    if len(used) < 2 or (np.diff(counter[used]) < 0).any():
        return None
    return float(counter[used[-1]] - counter[used[0]])
