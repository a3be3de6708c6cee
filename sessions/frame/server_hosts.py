"""The server and the hosts of a timeline at one instant, as a frame shows them."""

from __future__ import annotations

import numpy as np

from sessions.frame.gpus import RECENT_NS, STALE_NS
from sessions.frame.held_means import Axis, held_means, interval_ns
from sessions.frame.schema import Host, Server, Stat
from sessions.metrics import THIN_FLOORS
from sessions.timeline.columns import Table
from sessions.timeline.servers import ServerColumns
from sessions.timeline.timeline import Timeline


def server_at(timeline: Timeline, axis: Axis) -> Server:
    """The server as the first source by name that has spoken tells of it."""
    found = speaking(timeline, axis.at_ns)
    if found is None:
        return Server()
    columns = found[1]
    samples = columns.samples
    row = int(samples.upto(axis.at_ns))
    hold_ns = interval_ns(samples, row) * 1.5
    history = held_means(samples, ("kv_pct", "waiting"), axis, hold_ns)
    fresh = axis.at_ns - samples["t"][row - 1] <= max(STALE_NS, 2 * hold_ns)
    now = samples.row(row - 1) if fresh else {}
    return Server(
        running=now.get("running"),
        waiting=now.get("waiting"),
        kv_pct=now.get("kv_pct"),
        preemptions_per_s=gain(samples, "preemptions", axis.at_ns - RECENT_NS, row) if fresh else None,
        kv=history[0],
        waiting_series=history[1],
        prefix_hit_pct=_prefix_hits(samples, axis.at_ns - RECENT_NS, row) if fresh else None,
        ttft=_own(columns, "ttft", axis.at_ns),
        itl=_own(columns, "itl", axis.at_ns),
    )


def speaking(timeline: Timeline, at_ns: int) -> tuple[str, ServerColumns] | None:
    """The first source by name that has spoken of a server by then."""
    for source in sorted(timeline.servers):
        if int(timeline.servers[source].samples.upto(at_ns)):
            return source, timeline.servers[source]
    return None


def _prefix_hits(samples: Table, from_ns: int, row: int) -> float | None:
    """Mean of the readings since; a sample in which nothing was looked up has none."""
    shares = samples["prefix_hit_pct"][int(samples.upto(from_ns)) : row]
    shares = shares[np.isfinite(shares)]
    return float(shares.mean()) if len(shares) else None


def _own(columns: ServerColumns, name: str, at_ns: int) -> Stat | None:
    """Quantiles of a server's own histogram over the last seconds; None where it says nothing.

    One that the histogram is too coarse for is the upper bound of its bucket; beyond the last, None.
    """
    known = columns.histograms.get(name)
    found = None if known is None else known.quantiles_s(at_ns - RECENT_NS, at_ns, (0.5, 0.95, 0.99))
    if found is None:
        return None
    count, quantiles = found
    names = ("p50", "p95", "p99")
    known_s = [one.at_most_s if one.value_s is None else one.value_s for one in quantiles]
    p50, p95, p99 = (None if one is None else one * 1e3 for one in known_s)
    thin = frozenset(name for name in names if count < THIN_FLOORS[name])
    bounds = frozenset(name for name, one in zip(names, quantiles, strict=True) if one.value_s is None)
    return Stat(count, p50, p95, p99, thin, bounds)


def hosts_at(timeline: Timeline, at_ns: int) -> tuple[Host, ...]:
    """By name; one whose samples have stopped is left out."""
    found = []
    for source in sorted(timeline.hosts):
        columns = timeline.hosts[source]
        samples = columns.samples
        row = int(samples.upto(at_ns))
        if not row or at_ns - samples["t"][row - 1] > max(STALE_NS, 3 * interval_ns(samples, row)):
            continue
        now = samples.row(row - 1)
        both = [rate for rate in (now["net_rx_bytes_per_s"], now["net_tx_bytes_per_s"]) if rate is not None]
        found.append(
            Host(
                host=columns.host,
                cpu_pct=now["cpu_pct"],
                cores=_int(now["cores"]),
                load1=now["load1"],
                memory_used_bytes=_int(now["memory_used_bytes"]),
                memory_total_bytes=_int(now["memory_total_bytes"]),
                net_bytes_per_s=sum(both) if both else None,
                steal_pct=now["steal_pct"],
                throttled_pct=now["throttled_pct"],
            )
        )
    return tuple(sorted(found, key=lambda host: host.host))


def _int(value: float | None) -> int | None:
    return None if value is None else int(value)


def gain(samples: Table, name: str, from_ns: int, row: int) -> float | None:
    """A counter's growth a second since `from_ns`; None with fewer than two readings or when it fell."""
    first = int(samples.upto(from_ns))
    known = np.flatnonzero(np.isfinite(samples[name][first:row])) + first
    if len(known) < 2:
        return None
    values, times = samples[name][known], samples["t"][known]
    if (np.diff(values) < 0).any() or times[-1] <= times[0]:
        return None
    return float((values[-1] - values[0]) / (times[-1] - times[0]) * 1e9)
