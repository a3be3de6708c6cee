"""What a frame does not hold of the server: its gauges and counters over time, computed when a view asks."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np

from sessions.frame.gpus import RECENT_NS, axis_of
from sessions.frame.held_means import Axis, held_means, interval_ns
from sessions.frame.schema import Frame, Series
from sessions.frame.server_hosts import gain, speaking
from sessions.store.manifest import Manifest
from sessions.timeline.columns import Table
from sessions.timeline.timeline import Timeline


@dataclass(frozen=True)
class ServerSeries:
    """On the frame's axis; NaN where it said nothing."""

    source: str
    """Which address tells it. Not safe to print as it stands."""
    running: Series
    waiting: Series
    kv_pct: Series
    prefix_hit_pct: Series
    preemptions_per_s: Series
    input_tps: Series
    """Prompt tokens a second, as the server counts them."""
    output_tps: Series
    input_tps_now: float | None
    """Over the last seconds, as the frame's own figures; None where it says nothing."""
    output_tps_now: float | None


def server_series(timeline: Timeline, frame: Frame) -> ServerSeries | None:
    """None where no server has said anything of itself."""
    found = speaking(timeline, frame.at_ns)
    if found is None:
        return None
    source, columns = found
    samples, axis = columns.samples, axis_of(frame)
    hold_ns = interval_ns(samples, int(samples.upto(frame.at_ns))) * 1.5
    gauges = held_means(samples, ("running", "waiting", "kv_pct", "prefix_hit_pct"), axis, hold_ns)
    counted = [growth(samples, name, axis, hold_ns) for name in _COUNTERS]
    row, from_ns = int(samples.upto(frame.at_ns)), frame.at_ns - RECENT_NS
    recent = (gain(samples, name, from_ns, row) for name in _TOKENS)
    return ServerSeries(source, *gauges, *counted, *recent)


_TOKENS = ("prompt_tokens", "output_tokens")
_COUNTERS = ("preemptions", *_TOKENS)


def growth(samples: Table, name: str, axis: Axis, hold_ns: float) -> Series:
    """A counter's growth a second by column, from the last reading before it to the last one in it.

    A column without a reading shows the one before for `hold_ns` at most. NaN where the counter fell.
    """
    rows = samples.upto(axis.edges)
    values, times = samples[name], samples["t"]
    before, last = rows[:-1] - 1, rows[1:] - 1
    out: Series = np.full(axis.slots, np.nan)
    read = np.flatnonzero((before >= 0) & (last > before))
    if not len(read):
        return out
    gained = values[last[read]] - values[before[read]]
    rate = gained / (times[last[read]] - times[before[read]]) * 1e9
    out[read] = np.where(gained >= 0, rate, np.nan)
    empty = np.flatnonzero((last == before) & (last >= 0) & (axis.edges[:-1] < axis.at_ns))
    at = np.searchsorted(read, empty) - 1
    held = (at >= 0) & (axis.edges[empty + 1] - times[last[empty]] <= hold_ns)
    out[empty[held]] = out[read[at[held]]]
    return out


def server_note(timeline: Timeline, manifest: Manifest | None, at_ns: int) -> str:
    """Why the target tells nothing of itself, in one sentence; empty where nobody knows."""
    if manifest is None:
        return ""
    if manifest.config.telemetry == ["none"]:
        return "telemetry is off"
    asked = manifest.config.telemetry
    if asked and not any(word == "auto" or "://" in word for word in asked):
        return f"its /metrics was not asked for: --telemetry {' '.join(asked)}"
    address = f"{urlsplit(manifest.target).netloc}/metrics"
    said = [note for note in timeline.sources.get(address, []) if note[0] <= at_ns]
    return said[-1][2] if said and not said[-1][1] else ""
