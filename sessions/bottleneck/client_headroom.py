"""What a run says of its own client: clock, lateness, CPU, and how far it was below what it can do.

From the ticks of the workers alone, so a live run and its replay say the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sessions.bottleneck.client_saturation import SECOND_NS, Saturation
from sessions.store.manifest import Manifest
from sessions.timeline.columns import binned
from sessions.timeline.timeline import Timeline

LOAD_AMBER, LOAD_RED = 0.7, 1.0
"""Shares of the calibrated rate above which the client is in doubt."""
BURST_EVENTS = 1.5
"""Tokens a read beyond which a stream does not come token by token, unless its chunks hold several."""
LOOP_ON_TIME_NS = 5e6
_RECENT_S = 4


def client(
    timeline: Timeline, manifest: Manifest, from_ns: int, to_ns: int, trouble: Saturation
) -> dict[str, Any]:
    """The `client` object of a summary, over `(from_ns, to_ns]`. None stands for what is not known."""
    ticks = timeline.ticks
    a, b = ticks.upto(np.array([from_ns, to_ns], dtype=np.float64)).tolist()
    calibrated = _calibrated(manifest)
    made: dict[str, Any] = {
        "saturated_s": trouble.seconds,
        "note": trouble.note,
        "workers": len(timeline.workers),
        "clock": None,
        "kernel_share": None,
        "clock_error_us": None if timeline.clock_error_ns is None else timeline.clock_error_ns / 1e3,
        "coalesced_share": None,
        "loop_lag_max_ms": None,
        "cpu_share": None,
        "cpu_share_max": None,
        "peak_events_per_s": None,
        "calibrated_events_per_s": calibrated,
        "headroom": None,
    }
    if b <= a:
        return made
    reads, coalesced, kernel = (
        float(ticks[name][a:b].sum()) for name in ("reads", "coalesced_reads", "kernel_reads")
    )
    if reads:
        made["kernel_share"] = kernel / reads
        made["clock"] = "kernel" if kernel >= 0.5 * reads else "read"
        made["coalesced_share"] = coalesced / reads
    made["loop_lag_max_ms"] = float(ticks["loop_lag_max_ns"][a:b].max()) / 1e6
    cpu, wall, chunks = _by_second(timeline, a, b)
    made["cpu_share"] = float((cpu.sum(axis=0) / np.maximum(wall.sum(axis=0), 1)).max())
    whole = wall >= 0.9 * SECOND_NS
    if whole.any():
        made["cpu_share_max"] = float((cpu / np.maximum(wall, 1))[whole].max())
        peak = made["peak_events_per_s"] = float((chunks * SECOND_NS / np.maximum(wall, 1))[whole].max())
        made["headroom"] = None if calibrated is None else 1 - peak / calibrated
    made["note"] = trouble.note or _doubt(made, chunks.sum() / reads if reads else 0.0)
    return made


def doubt(timeline: Timeline, manifest: Manifest | None, at_ns: int) -> str:
    """One line about the last seconds before `at_ns` when the client may be near its limit, else empty."""
    if manifest is None:
        return ""
    to_ns = at_ns // SECOND_NS * SECOND_NS
    quiet = Saturation(0, 0, "")
    return str(client(timeline, manifest, to_ns - _RECENT_S * SECOND_NS, to_ns, quiet)["note"])


def _calibrated(manifest: Manifest) -> float | None:
    """Events per second that one worker can read, as far as this machine was calibrated."""
    value = manifest.client.get("calibrated_events_per_s")
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None
    )


def _by_second(timeline: Timeline, a: int, b: int) -> tuple[Any, Any, Any]:
    """CPU ns, wall ns and token events by second and worker, of the ticks `[a, b)`."""
    ticks, workers = timeline.ticks, timeline.workers
    at = ((ticks["t"][a:b] - 1) // SECOND_NS).astype(np.int64)
    seconds, place = np.unique(at, return_inverse=True)
    key = place * len(workers) + np.searchsorted(np.array(workers), ticks["worker"][a:b])
    shape = (len(seconds), len(workers))
    cpu, wall, chunks = (
        binned(key, ticks[name][a:b], shape[0] * shape[1]).reshape(shape)
        for name in ("cpu_ns", "dt", "chunks")
    )
    return cpu, wall, chunks


def _doubt(made: dict[str, Any], events_per_read: float) -> str:
    headroom, lag_ms = made["headroom"], made["loop_lag_max_ms"]
    if headroom is not None and 1 - headroom > LOAD_AMBER:
        share, most = 1 - headroom, made["calibrated_events_per_s"]
        where = (
            "more than this machine was calibrated for" if share > LOAD_RED else "near the calibrated most"
        )
        return f"{made['peak_events_per_s']:,.0f} events/s a worker, {share:.0%} of {most:,.0f}: {where}"
    if events_per_read > BURST_EVENTS and lag_ms * 1e6 < LOOP_ON_TIME_NS:
        told = "though the client was on time: a proxy may gather the stream"
        return f"{events_per_read:.1f} tokens a read {told}"
    return ""
