"""What GPUs, server and hosts did over a span of a timeline, for a summary."""

from __future__ import annotations

from math import fsum

import numpy as np

from sessions.store.manifest import SOURCES_CAP
from sessions.timeline.columns import Floats
from sessions.timeline.energy import curve_of
from sessions.timeline.gpus import THROTTLED, GpuColumns, place
from sessions.timeline.hosts import HOST_FIELDS
from sessions.timeline.servers import HISTOGRAMS, Quantile
from sessions.timeline.timeline import Timeline
from telemetry.records import GpuDevice


def gpus_over(timeline: Timeline, start_ns: int, end_ns: int) -> list[dict[str, object]]:
    """GPUs over a span, for a summary: one object each, by host and index."""
    newest_ns = timeline.newest_ns
    known = sorted(timeline.gpus.values(), key=lambda gpu: place(gpu.device(newest_ns)))
    return [_gpu_over(gpu, gpu.device(newest_ns), newest_ns, start_ns, end_ns) for gpu in known]


def sources_over(timeline: Timeline) -> list[dict[str, object]]:
    """What telemetry said of its sources, for a summary: by source, its last word and whether it worked then.

    `said` has every sentence, `at_s` in seconds since load began (negative before it).
    """
    found: list[dict[str, object]] = []
    for source, notes in sorted(timeline.sources.items()):
        said = [
            {"at_s": round((t_ns - timeline.first_ns) / 1e9, 3), "ok": ok, "message": message}
            for t_ns, ok, message in notes[:NOTES_CAP]
        ]
        found.append({"source": source, "ok": notes[-1][1], "message": notes[-1][2], "said": said})
    return found[:SOURCES_CAP]


NOTES_CAP = 50
"""Sentences of one source."""


def _gpu_over(
    gpu: GpuColumns, device: GpuDevice, newest_ns: int, start_ns: int, end_ns: int
) -> dict[str, object]:
    """Means and maxima over the run; joules over exactly the run."""
    samples = gpu.samples(newest_ns)
    a, b = samples.upto(np.array([start_ns - 1, end_ns], dtype=np.float64)).tolist()
    total = samples["memory_total_bytes"][a:b]
    total = total[np.isfinite(total)]
    # Readings after the end are needed: the end lies between two.
    energy = curve_of(samples, newest_ns).over(start_ns, end_ns)
    optional = {name: _spread(samples[name][a:b]) for name in _OPTIONAL}
    optional["age_s"] = _spread(samples["age_ns"][a:b] / 1e9)
    return {
        "index": device.index,
        "name": device.name,
        "host": device.host,
        "source": gpu.source(newest_ns),
        **({"mig": device.mig} if device.mig else {}),
        **({} if device.visible is None else {"visible": device.visible}),
        **({} if device.serves_target is None else {"serves_target": device.serves_target}),
        "samples": b - a,
        **{
            name: _spread(samples[name][a:b])
            for name in ("util_pct", "memory_used_bytes", "power_w", "temperature_c", "sm_clock_mhz")
        },
        **{name: spread for name, spread in optional.items() if spread["max"] is not None},
        **({"lost_pct": lost} if (lost := _lost_pct(samples["lost"][a:b])) else {}),
        **({"events": events} if (events := _events(gpu, start_ns, end_ns)) else {}),
        "memory_total_bytes": int(total.max()) if len(total) else device.memory_total_bytes,
        "energy_j": energy.joules,
        "energy_source": None if energy.joules is None else "integrated" if energy.integrated else "counter",
        "energy_gap_s": energy.gap_s,
    }


def _lost_pct(lost: Floats) -> float | None:
    """Share of the samples in which it gave no values at all."""
    return round(100 * float(lost.mean()), 1) if len(lost) else None


def _events(gpu: GpuColumns, start_ns: int, end_ns: int) -> dict[str, int]:
    """By kind (`xid`, `ecc_corrected`, ...): how many there were in a span."""
    counts: dict[str, int] = {}
    for t_ns, event, count in sorted(gpu.events):
        if start_ns <= t_ns <= end_ns:
            counts[event] = counts.get(event, 0) + count
    return counts


_OPTIONAL = (
    *("sm_active_pct", "tensor_active_pct", "dram_active_pct", "memory_temperature_c", *THROTTLED),
    *("memory_reserved_bytes", "power_average_w", "memory_clock_mhz"),
    *("pcie_rx_bytes_per_s", "pcie_tx_bytes_per_s", "nvlink_rx_bytes_per_s", "nvlink_tx_bytes_per_s"),
)
"""Stand in a summary only where they were read."""


def hosts_over(timeline: Timeline, start_ns: int, end_ns: int) -> list[dict[str, object]]:
    """Machines over a span, for a summary: means and maxima, by name."""
    found: list[dict[str, object]] = []
    for _, columns in sorted(timeline.hosts.items(), key=lambda item: (item[1].host, item[0])):
        samples = columns.samples
        a, b = samples.upto(np.array([start_ns - 1, end_ns], dtype=np.float64)).tolist()
        spreads = {name: _spread(samples[name][a:b]) for name in HOST_FIELDS}
        found.append(
            {"host": columns.host, **{name: of for name, of in spreads.items() if of["max"] is not None}}
        )
    return found


def server_over(timeline: Timeline, start_ns: int, end_ns: int) -> dict[str, object] | None:
    """What the server said of itself over a span; None where it said nothing."""
    for source in sorted(timeline.servers):
        columns = timeline.servers[source]
        samples = columns.samples
        a, b = samples.upto(np.array([start_ns - 1, end_ns], dtype=np.float64)).tolist()
        if b <= a:
            continue
        own: dict[str, object] = {}
        for name in HISTOGRAMS:
            known = columns.histograms.get(name)
            found = None if known is None else known.quantiles_s(start_ns, end_ns, (0.5, 0.95, 0.99))
            if found is not None:
                own[f"{name}_ms"] = _own(found[0], dict(zip(("p50", "p95", "p99"), found[1], strict=True)))
        spreads = {name: _spread(samples[name][a:b]) for name in _GAUGES}
        return {
            "source": source,
            **{name: of for name, of in spreads.items() if of["max"] is not None},
            "preemptions": _gained(samples["preemptions"], a, b),
            **own,
        }
    return None


def _own(count: int, quantiles: dict[str, Quantile]) -> dict[str, object]:
    """In ms. A quantile that the histogram is too coarse for is None, and stands under `between`."""
    between = {
        name: [one.at_least_s * 1e3, None if one.at_most_s is None else one.at_most_s * 1e3]
        for name, one in quantiles.items()
        if one.value_s is None
    }
    return {
        "count": count,
        **{name: None if one.value_s is None else one.value_s * 1e3 for name, one in quantiles.items()},
        **({"between": between} if between else {}),
    }


_GAUGES = ("running", "waiting", "kv_pct", "prefix_hit_pct")


def _gained(counter: Floats, a: int, b: int) -> float | None:
    """A counter's growth from the last reading before a span to its last; a fall counts as a new start."""
    values = counter[max(a - 1, 0) : b]
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return None
    steps = np.diff(values)
    return float(np.where(steps >= 0, steps, values[1:]).sum())


def _spread(values: Floats) -> dict[str, float | None]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return {"mean": None, "max": None}
    return {"mean": fsum(finite) / len(finite), "max": float(finite.max())}
