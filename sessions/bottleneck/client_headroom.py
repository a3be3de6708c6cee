"""What a run says of its own client: clock, lateness, CPU, and how far it was below what it can do.

From the ticks of the workers alone, so a live run and its replay say the same.
"""

from __future__ import annotations

import msgspec
import numpy as np

from sessions.bottleneck.client_saturation import SECOND_NS, Saturation, ticks_by_second
from sessions.store.manifest import Manifest
from sessions.timeline.timeline import Timeline

LOAD_AMBER, LOAD_RED = 0.7, 1.0
"""Shares of the calibrated rate above which the client is in doubt."""
BURST_EVENTS = 1.5
"""Tokens a read beyond which a stream does not come token by token, unless its chunks hold several."""
LOOP_ON_TIME_NS = 5e6
_RECENT_S = 4


class ClientHeadroom(msgspec.Struct, frozen=True):
    """The load generator over a span. Of several workers, a `_max` or `peak_` is of the busiest."""

    saturated_s: int
    """Seconds in which it was the limit."""
    judged_s: int
    """Of so many whole seconds, from the beginning of the load to the last tick."""
    note: str
    """The worst of it in one line; empty when there is nothing to say."""
    workers: int
    clock: str | None
    """Who stamped most of the reads: `kernel`, or `read`, which is ourselves after the read."""
    kernel_share: float | None
    """Share of the reads with tokens that the kernel stamped."""
    clock_error_us: float | None
    """How far off a kernel's time may be."""
    coalesced_share: float | None
    """Share of the reads with tokens that held several: all but the last have lost their own time."""
    loop_lag_max_ms: float | None
    """The latest that a timer of a worker's loop fired."""
    cpu_share: float | None
    """Share of one core that the busiest worker used over the whole span."""
    cpu_share_max: float | None
    """The same of its worst second."""
    peak_events_per_s: float | None
    """Token-bearing events a worker read in its busiest second."""
    calibrated_events_per_s: float | None
    """What one worker can read on this machine, as `ttftop calibrate` found."""
    headroom: float | None
    """Share of that which was left in the busiest second; negative where it was more."""


def client_headroom(
    timeline: Timeline, manifest: Manifest, from_ns: int, to_ns: int, saturation: Saturation
) -> ClientHeadroom:
    """Over `(from_ns, to_ns]`. None stands for what is not known."""
    ticks = timeline.ticks
    a, b = ticks.upto(np.array([from_ns, to_ns], dtype=np.float64)).tolist()
    calibrated = _calibrated(manifest)
    reads, coalesced, kernel = (
        float(ticks[name][a:b].sum()) for name in ("reads", "coalesced_reads", "kernel_reads")
    )
    loop_lag_max_ms = cpu_share = cpu_share_max = peak = headroom = None
    events_per_read = 0.0
    if b > a:
        loop_lag_max_ms = float(ticks["loop_lag_max_ns"][a:b].max()) / 1e6
        cpu, wall, chunks = ticks_by_second(timeline, a, b, ("cpu_ns", "dt", "chunks")).sums
        events_per_read = chunks.sum() / reads if reads else 0.0
        cpu_share = float((cpu.sum(axis=0) / np.maximum(wall.sum(axis=0), 1)).max())
        whole = wall >= 0.9 * SECOND_NS
        if whole.any():
            cpu_share_max = float((cpu / np.maximum(wall, 1))[whole].max())
            peak = float((chunks * SECOND_NS / np.maximum(wall, 1))[whole].max())
            headroom = None if calibrated is None else 1 - peak / calibrated
    return ClientHeadroom(
        saturated_s=saturation.seconds,
        judged_s=saturation.of_seconds,
        note=saturation.note
        or _near_its_limit(peak, calibrated, headroom)
        or _gathered(events_per_read, loop_lag_max_ms),
        workers=len(timeline.workers),
        clock=None if not reads else "kernel" if kernel >= 0.5 * reads else "read",
        kernel_share=kernel / reads if reads else None,
        clock_error_us=None if timeline.clock_error_ns is None else timeline.clock_error_ns / 1e3,
        coalesced_share=coalesced / reads if reads else None,
        loop_lag_max_ms=loop_lag_max_ms,
        cpu_share=cpu_share,
        cpu_share_max=cpu_share_max,
        peak_events_per_s=peak,
        calibrated_events_per_s=calibrated,
        headroom=headroom,
    )


def warning(timeline: Timeline, manifest: Manifest | None, at_ns: int) -> str:
    """One line about the last seconds before `at_ns` when the client may be near its limit, else empty."""
    if manifest is None:
        return ""
    to_ns = at_ns // SECOND_NS * SECOND_NS
    quiet = Saturation(0, 0, "")
    return client_headroom(timeline, manifest, to_ns - _RECENT_S * SECOND_NS, to_ns, quiet).note


def _calibrated(manifest: Manifest) -> float | None:
    """Events per second that one worker can read, as far as this machine was calibrated."""
    value = manifest.client.get("calibrated_events_per_s")
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None
    )


def _near_its_limit(peak: float | None, calibrated: float | None, headroom: float | None) -> str:
    if peak is None or calibrated is None or headroom is None or 1 - headroom <= LOAD_AMBER:
        return ""
    share = 1 - headroom
    where = "more than this machine was calibrated for" if share > LOAD_RED else "near the calibrated most"
    return f"{peak:,.0f} events/s a worker, {share:.0%} of {calibrated:,.0f}: {where}"


def _gathered(events_per_read: float, loop_lag_max_ms: float | None) -> str:
    """Said of a stream that does not come token by token although the client was on time to read it."""
    if events_per_read <= BURST_EVENTS or loop_lag_max_ms is None or loop_lag_max_ms * 1e6 >= LOOP_ON_TIME_NS:
        return ""
    told = "though the client was on time: a proxy may gather the stream"
    return f"{events_per_read:.1f} tokens a read {told}"
