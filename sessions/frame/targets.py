"""The latency targets of a run and how the last seconds stand to them, for a screen."""

from __future__ import annotations

from sessions.frame.latency_target import LatencyTarget
from sessions.frame.schema import Frame
from sessions.metrics import THIN_FLOORS
from sessions.plan.slo import Target
from sessions.store.manifest import Manifest
from sessions.timeline.attained import targets_of
from sessions.timeline.timeline import Timeline

SKETCHED = {
    "ttft": "ttft_from_due",
    "ttft_sent": "ttft_from_sent",
    "e2e": "e2e",
    "itl": "itl",
    "chunk_gap": "chunk_gap",
    "send_lag": "send_lag",
}
"""Metrics of targets that ticks have sketches of, and what these are called there."""


def targets_at(
    timeline: Timeline, manifest: Manifest | None, span_ns: tuple[int, int]
) -> dict[str, tuple[LatencyTarget, ...]]:
    """By metric, those of `SKETCHED`, the hardest to hold first: what is missed, then what is nearest to its
    limit. `now_ms` is the figure of `span_ns`, within a sketch's 1 %; of TPOT, known of whole requests, it is
    None."""
    found: dict[str, list[LatencyTarget]] = {}
    for target in [] if manifest is None else targets_of(manifest.config):
        if target.metric in SKETCHED:
            found.setdefault(target.metric, []).append(_now(timeline, target, span_ns))
        elif target.metric == "tpot":
            found.setdefault("tpot", []).append(LatencyTarget(target.statistic, target.limit, name="TPOT"))
    return {
        metric: tuple(sorted(targets, key=lambda target: -(target.now_ms or 0.0) / target.limit_ms))
        for metric, targets in found.items()
    }


def unjudged(frame: Frame, metric: str) -> tuple[LatencyTarget, ...]:
    """Targets that stand in the chart of `itl`, or of the `chunk_gap` in its place, and that it cannot judge:
    of ITL, where only gaps between chunks of several tokens are known; of TPOT, the mean ITL of a request."""
    if metric != "itl" and not (metric == "chunk_gap" and frame.itl_is_chunk_gap):
        return ()
    itl = frame.targets.get("itl", ()) if frame.itl_is_chunk_gap else ()
    return (*itl, *frame.targets.get("tpot", ()))


def _now(timeline: Timeline, target: Target, span_ns: tuple[int, int]) -> LatencyTarget:
    quantile = 0.5 if target.quantile is None else target.quantile  # of a mean: for its floor
    count, (value_ns,) = timeline.quantiles(SKETCHED[target.metric], *span_ns, (quantile,))
    if target.quantile is None and count:
        found = timeline.sketches(SKETCHED[target.metric], span_ns)
        value_ns = 1e6 * float(found.counts[0] @ found.values_ms) / count
    # Of a percentile without a floor of its own, that of the next one above.
    floors = [least for name, least in THIN_FLOORS.items() if float(name[1:]) >= quantile * 100]
    floor = min(floors, default=max(THIN_FLOORS.values()))
    return LatencyTarget(
        target.statistic, target.limit, float(value_ns) / 1e6 if count else None, 0 < count < floor
    )
