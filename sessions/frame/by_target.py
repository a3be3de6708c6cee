"""What each of several targets does at an instant: what a frame does not hold, computed when a view asks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sessions.frame.gpus import RECENT_NS, axis_of
from sessions.frame.schema import Frame, Series, Stat
from sessions.frame.stats import stat_of
from sessions.store.manifest import Manifest
from sessions.timeline.targets import TargetColumns
from sessions.timeline.timeline import Timeline

_GAUGE_AGE_NS = 2_000_000_000
"""A worker's tick that is older says nothing of now."""


@dataclass(frozen=True)
class TargetNow:
    """One target: totals up to the playhead, the rest over the last `recent_s`."""

    number: int
    name: str
    """Its URL, or its number where the session does not say. Not safe to print as it stands."""
    sent: int
    failed: int
    not_sent: int
    sent_rps: float
    in_flight: int
    ttft: Stat
    """From due."""
    gaps: Stat
    """ITL, or between chunks where nobody knows their tokens."""
    lost_since_ns: int | None
    """Since when it cannot be reached; None while it can."""
    ttft_p95: Series
    """Over the frame's axis, ms."""
    sent_series: Series
    """Per second; NaN where no tick ended."""


def targets_now(timeline: Timeline, manifest: Manifest | None, frame: Frame) -> list[TargetNow]:
    """By number; none where there is one target."""
    lost = timeline.reach.lost_at(frame.at_ns)
    edges = axis_of(frame).edges
    found = []
    for number, columns in sorted(timeline.targets.each.items()):
        recent = (frame.at_ns - RECENT_NS, frame.at_ns)
        span_s = max(min(RECENT_NS, frame.at_ns - frame.first_ns), 1) / 1e9
        sent = columns.counted("sent", *recent)
        found.append(
            TargetNow(
                number=number,
                name=name_of(manifest, number),
                **{name: columns.counted(name, -1, frame.at_ns) for name in ("sent", "failed", "not_sent")},
                sent_rps=sent / span_s,
                in_flight=columns.in_flight(frame.at_ns, _GAUGE_AGE_NS),
                ttft=stat_of(columns.sketches("ttft_from_due", recent)),
                gaps=stat_of(columns.gaps(recent)),
                lost_since_ns=lost.get(number),
                ttft_p95=columns.sketches("ttft_from_due", edges).quantiles_ns((0.95,))[:, 0] / 1e6,
                sent_series=_rate(columns, "sent", edges),
            )
        )
    return found


def lost_targets(timeline: Timeline, manifest: Manifest | None, at_ns: int) -> tuple[str, ...]:
    """Names of those, of several, that some worker finds no connection to."""
    return tuple(name_of(manifest, number) for number in sorted(timeline.reach.lost_at(at_ns)))


def name_of(manifest: Manifest | None, number: int) -> str:
    """A target's URL without what all have; its number where the session does not say."""
    urls = [] if manifest is None else manifest.targets
    if number >= len(urls):
        return f"target {number}"
    return urls[number].removeprefix("http://").removeprefix("https://")


def _rate(columns: TargetColumns, name: str, edges: Series) -> Series:
    """Per second of the time that ticks cover, each worker's added up."""
    gained, covered_ns = columns.ticks.sums((name, "dt"), columns.ticks.upto(edges))
    share = np.divide(gained * 1e9, covered_ns, out=np.zeros_like(gained), where=covered_ns > 0)
    rate: Series = np.where(covered_ns.any(axis=1), share.sum(axis=1), np.nan)
    return rate
