"""What GPUs, server, machines and sources of telemetry did over a span of a timeline, for a summary."""

from __future__ import annotations

from math import fsum

import numpy as np

from sessions.store.manifest import SOURCES_CAP
from sessions.summary.telemetry_schema import Gpu, Host, Said, Server, ServerLatency, Spread, TelemetrySource
from sessions.timeline.columns import Floats, Table
from sessions.timeline.energy import curve_of
from sessions.timeline.gpus import THROTTLED, GpuColumns, place
from sessions.timeline.hosts import HOST_FIELDS
from sessions.timeline.servers import ServerColumns
from sessions.timeline.timeline import Timeline
from telemetry.discover import own_source
from telemetry.records import GpuDevice

SAID_CAP = 50
"""Sentences of one source."""
SAID_BYTES = 64 << 10
"""Of the sentences of all sources together: a summary must fit into a manifest that can be read again."""
_A_SAID = 50
"""What a sentence takes beside its words."""
_WHERE_READ = (
    *("sm_active_pct", "tensor_active_pct", "dram_active_pct", "memory_temperature_c", *THROTTLED),
    *("memory_reserved_bytes", "power_average_w", "memory_clock_mhz"),
    *("pcie_rx_bytes_per_s", "pcie_tx_bytes_per_s", "nvlink_rx_bytes_per_s", "nvlink_tx_bytes_per_s"),
)
"""Figures of a GPU that stand in a summary only where they were read."""
_GAUGES = ("running", "waiting", "kv_pct", "prefix_hit_pct")


def gpus_over(timeline: Timeline, start_ns: int, end_ns: int) -> list[Gpu]:
    """GPUs over a span, by host and index: means and maxima; joules over exactly the span."""
    newest_ns = timeline.newest_ns
    known = sorted(timeline.gpus.values(), key=lambda gpu: place(gpu.device(newest_ns)))
    return [_gpu_over(gpu, gpu.device(newest_ns), newest_ns, start_ns, end_ns) for gpu in known]


def _gpu_over(gpu: GpuColumns, device: GpuDevice, newest_ns: int, start_ns: int, end_ns: int) -> Gpu:
    samples = gpu.samples(newest_ns)
    a, b = _within(samples, start_ns, end_ns)
    total = samples["memory_total_bytes"][a:b]
    total = total[np.isfinite(total)]
    # Readings after the end are needed: the end lies between two.
    energy = curve_of(samples, newest_ns).over(start_ns, end_ns)
    return Gpu(
        index=device.index,
        name=device.name,
        host=device.host,
        source=gpu.source(newest_ns),
        mig=device.mig or None,
        visible=device.visible,
        serves_target=device.serves_target,
        samples=b - a,
        util_pct=_spread(samples["util_pct"][a:b]),
        memory_used_bytes=_spread(samples["memory_used_bytes"][a:b]),
        power_w=_spread(samples["power_w"][a:b]),
        temperature_c=_spread(samples["temperature_c"][a:b]),
        sm_clock_mhz=_spread(samples["sm_clock_mhz"][a:b]),
        **{name: _spread_if_read(samples[name][a:b]) for name in _WHERE_READ},
        age_s=_spread_if_read(samples["age_ns"][a:b] / 1e9),
        lost_pct=_lost_pct(samples["lost"][a:b]),
        events=_events(gpu, start_ns, end_ns),
        memory_total_bytes=int(total.max()) if len(total) else device.memory_total_bytes,
        energy_j=energy.joules,
        energy_source=energy.source,
        energy_gap_s=energy.gap_s,
    )


def _lost_pct(lost: Floats) -> float | None:
    """Share of the samples in which it gave no values at all; None for none."""
    return (round(100 * float(lost.mean()), 1) or None) if len(lost) else None


def _events(gpu: GpuColumns, start_ns: int, end_ns: int) -> dict[str, int]:
    """By kind (`xid`, `ecc_corrected`, ...): how many there were in a span."""
    counts: dict[str, int] = {}
    for t_ns, event, count in sorted(gpu.events):
        if start_ns <= t_ns <= end_ns:
            counts[event] = counts.get(event, 0) + count
    return counts


def hosts_over(timeline: Timeline, start_ns: int, end_ns: int) -> list[Host]:
    """Machines over a span, by name: means and maxima."""
    found = []
    for _, columns in sorted(timeline.hosts.items(), key=lambda item: (item[1].host, item[0])):
        samples = columns.samples
        a, b = _within(samples, start_ns, end_ns)
        spreads = {name: _spread_if_read(samples[name][a:b]) for name in HOST_FIELDS}
        found.append(Host(columns.host, **spreads))
    return found


def server_over(timeline: Timeline, start_ns: int, end_ns: int) -> Server | None:
    """What the server said of itself over a span; None where it said nothing."""
    for source in sorted(timeline.servers):
        if (said := _server(source, timeline.servers[source], start_ns, end_ns)) is not None:
            return said
    return None


def server_of(timeline: Timeline, url: str, start_ns: int, end_ns: int) -> Server | None:
    """What the server at `url` said of itself over a span, at the address that `auto` asks; None where it
    said nothing there."""
    source = own_source(url)
    known = timeline.servers.get(source)
    return None if known is None else _server(source, known, start_ns, end_ns)


def _server(source: str, columns: ServerColumns, start_ns: int, end_ns: int) -> Server | None:
    samples = columns.samples
    a, b = _within(samples, start_ns, end_ns)
    if b <= a:
        return None
    return Server(
        source=source,
        **{name: _spread_if_read(samples[name][a:b]) for name in _GAUGES},
        preemptions=_gained(samples["preemptions"], a, b),
        ttft_ms=_latency(columns, "ttft", start_ns, end_ns),
        itl_ms=_latency(columns, "itl", start_ns, end_ns),
        queue_ms=_latency(columns, "queue", start_ns, end_ns),
    )


def _latency(columns: ServerColumns, name: str, start_ns: int, end_ns: int) -> ServerLatency | None:
    """In ms. A quantile that the histogram is too coarse for is None, and stands under `between`."""
    known = columns.histograms.get(name)
    found = None if known is None else known.quantiles_s(start_ns, end_ns, (0.5, 0.95, 0.99))
    if found is None:
        return None
    count, quantiles = found
    p50, p95, p99 = (None if one.value_s is None else one.value_s * 1e3 for one in quantiles)
    between = {
        name: [one.at_least_s * 1e3, None if one.at_most_s is None else one.at_most_s * 1e3]
        for name, one in zip(("p50", "p95", "p99"), quantiles, strict=True)
        if one.value_s is None
    }
    return ServerLatency(count, p50, p95, p99, between)


def telemetry_sources(timeline: Timeline) -> list[TelemetrySource]:
    """What telemetry said of its sources, by source: its last word and whether it worked then."""
    found = []
    kept = sorted(timeline.sources.items())[:SOURCES_CAP]
    for source, notes in kept:
        said: list[Said] = []
        left = SAID_BYTES // len(kept)
        for t_ns, ok, message in notes[:SAID_CAP]:
            left -= len(message.encode()) + _A_SAID
            if left < 0 and said:
                break
            said.append(Said(round((t_ns - timeline.first_ns) / 1e9, 3), ok, message))
        unsaid = len(notes) - len(said) or None
        found.append(TelemetrySource(source, notes[-1][1], notes[-1][2], said, unsaid))
    return found


def _within(samples: Table, start_ns: int, end_ns: int) -> tuple[int, int]:
    """The rows of a span, both ends included."""
    a, b = samples.upto(np.array([start_ns - 1, end_ns], dtype=np.float64)).tolist()
    return a, b


def _gained(counter: Floats, a: int, b: int) -> float | None:
    """A counter's growth from the last reading before a span to its last; a fall counts as a new start."""
    values = counter[max(a - 1, 0) : b]
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return None
    steps = np.diff(values)
    return float(np.where(steps >= 0, steps, values[1:]).sum())


def _spread(values: Floats) -> Spread:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return Spread(None, None)
    return Spread(fsum(finite) / len(finite), float(finite.max()))


def _spread_if_read(values: Floats) -> Spread | None:
    spread = _spread(values)
    return None if spread.max is None else spread
