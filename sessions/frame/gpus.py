"""The GPUs of a timeline at one instant, as a frame shows them."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np

from sessions.frame.held_means import Alike, Axis, alike
from sessions.frame.schema import Frame, Gpu, Power
from sessions.store.manifest import Manifest
from sessions.timeline.columns import Floats, Table
from sessions.timeline.energy import lately
from sessions.timeline.gpu_names import labels
from sessions.timeline.gpus import THROTTLED, GpuColumns, place, reasons
from sessions.timeline.timeline import Timeline

RECENT_NS = 10_000_000_000
STALE_NS = 2e9
_METER_NS = 120_000_000_000
"""How far back readings of power are looked at: an exporter may refresh every 30 s."""


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
    called = labels([gpu.device(axis.at_ns) for gpu in known])
    found: dict[int, Gpu] = {}
    for together in alike([gpu.samples(axis.at_ns) for gpu in known], axis):
        means = together.means(_DRAWN, axis)
        seen = np.asarray(np.isfinite(means).any(axis=2)).tolist()
        each = zip(together.numbers, together.tables, means, seen, _throttled(together), strict=True)
        for number, samples, drawn, known_of, throttled_pct in each:
            of_it = _Read(samples, together.row, together.hold_ns, drawn, known_of, throttled_pct)
            found[number] = _gpu(known[number], called[number], axis, of_it)
    return tuple(found[number] for number in range(len(known)))


class _Read(NamedTuple):
    """What was read of one GPU."""

    samples: Table
    row: int
    hold_ns: float
    drawn: Floats
    """`(len(_DRAWN), slots)`."""
    known: list[bool]
    """Of each of them, whether it was had at all."""
    throttled_pct: float | None


def _gpu(gpu: GpuColumns, label: str, axis: Axis, read: _Read) -> Gpu:
    device, samples, row, hold_ns = gpu.device(axis.at_ns), read.samples, read.row, read.hold_ns
    history = dict(zip(_DRAWN, read.drawn, strict=True))
    known = dict(zip(_DRAWN, read.known, strict=True))
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
    age_ns = axis.at_ns - float(samples["t"][row - 1]) + (now("age_ns") or 0.0) if row else None
    return Gpu(
        label=label,
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
        throttled_pct=read.throttled_pct,
        sm_pct=now("sm_active_pct"),
        tensor_pct=now("tensor_active_pct"),
        dram_pct=now("dram_active_pct"),
        pcie_bytes_per_s=traffic("pcie"),
        nvlink_bytes_per_s=traffic("nvlink"),
        host=device.host,
        role=device.role,
        sm=history["sm_active_pct"] if known["sm_active_pct"] else None,
        dram=history["dram_active_pct"] if known["dram_active_pct"] else None,
    )


_DRAWN = (*("util_pct", "memory_used_bytes", "power_w", "temperature_c", "sm_active_pct", "dram_active_pct"),)
_HARMLESS = ("idle", "app clocks", "display")


def _throttled(alike: Alike) -> list[float | None]:
    """Share of the last seconds in which something held the clocks of each down: the most of the causes."""
    shares = np.array([table.block(THROTTLED, alike.lately, alike.row) for table in alike.tables])
    known = np.isfinite(shares)
    counts = known.sum(axis=2)
    means = np.divide(
        shares.sum(axis=2, where=known), counts, out=np.full(counts.shape, -np.inf), where=counts > 0
    )
    return [most if most > -np.inf else None for most in means.max(axis=1).tolist()]


def power_at(timeline: Timeline, at_ns: int) -> Power:
    """Power and energy of the GPUs that the load runs on, over the last `RECENT_NS` of load."""
    since_ns = max(at_ns - RECENT_NS, timeline.first_ns)
    energy, gpus = lately(timeline.gpus, at_ns, at_ns - _METER_NS, since_ns)
    seconds = (at_ns - since_ns) / 1e9
    joules = energy.whole(seconds)
    if joules is None or seconds <= 0:
        return Power(gpus=gpus)
    ticks = timeline.ticks
    a, b = ticks.upto(np.array([since_ns, at_ns], dtype=np.float64)).tolist()
    tokens = float(ticks["output_tokens"][a:b].sum())
    return Power(joules / seconds, joules / tokens if tokens else None, energy.integrated, gpus)


def poll_ms_at(timeline: Timeline, at_ns: int) -> float | None:
    """What the last look at the GPUs of one source took, the slowest of the sources."""
    newest = []
    for gpu in timeline.gpus.values():
        samples = gpu.samples(at_ns)
        row = int(samples.upto(at_ns))
        if row and at_ns - samples["t"][row - 1] <= STALE_NS:
            newest.append(float(samples["poll_ns"][row - 1]) / 1e6)
    return max(newest, default=None)
