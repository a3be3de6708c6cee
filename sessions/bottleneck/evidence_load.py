"""What the load workers say of each second: rates, what is in flight, whether it grows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sessions.bottleneck.client_saturation import SECOND_NS
from sessions.bottleneck.seconds import (
    GROWTH_S,
    LEAD_S,
    RECENT_S,
    Seconds,
    before,
    trailing,
    trailing_median_ns,
)
from sessions.timeline.columns import Floats
from sessions.timeline.timeline import Timeline

_STEADY = 0.002
"""Of the rate: one that moves by more within a second is on a ramp."""
_TICK_SUMS = ("due", "sent", "succeeded", "failed", "output_tokens", "dt", "rate_rps", "concurrency")


def load_evidence(timeline: Timeline, span: Seconds) -> dict[str, Floats]:
    """The fields of `Evidence` that ticks tell; `activity` of the last 3 s and `under_way` of the last are
    0 where there was none. A load that is on is activity, however long its next request lets wait."""
    ticks = timeline.ticks
    rows = ticks.upto(span.edges)
    sums = dict(zip(_TICK_SUMS, ticks.sums(_TICK_SUMS, rows).sum(axis=2), strict=True))
    a, b = int(rows[0]), int(rows[-1])
    second = np.repeat(np.arange(len(rows) - 1), np.diff(rows))
    gauges = np.array(
        [
            np.bincount(second, cells, minlength=len(rows) - 1)
            for cells in ticks.block(("in_flight", "backlog"), a, b) * ticks["dt"][a:b]
        ]
    )
    workers = max(len(timeline.workers), 1)
    covered = sums["dt"] / workers
    with np.errstate(invalid="ignore", divide="ignore"):
        in_flight, backlog = np.where(covered > 0, gauges / covered, np.nan)
        covered_s = trailing(covered, RECENT_S) / 1e9
        due, sent = (
            np.where(covered_s > 0, trailing(sums[n], RECENT_S) / covered_s, np.nan) for n in ("due", "sent")
        )
        ended = trailing(sums["succeeded"] + sums["failed"], RECENT_S)
        failed = np.where(ended > 0, trailing(sums["failed"], RECENT_S) / ended, np.nan)
    busy = trailing(np.where(in_flight >= 1, 1.0, 0.0), GROWTH_S) >= GROWTH_S
    growth = np.where(_settled(timeline, span), in_flight - before(in_flight, GROWTH_S), np.nan)
    under_way = sums["due"] + sums["sent"] + np.nan_to_num(in_flight)
    return {
        "activity": trailing(under_way, RECENT_S) + sums["rate_rps"] + sums["concurrency"],
        "under_way": under_way,
        "due_rps": due,
        "sent_rps": sent,
        "backlog": backlog,
        "failed_share": failed,
        "in_flight": in_flight,
        "growth": growth,
        "sent_10s": trailing(sums["sent"], GROWTH_S),
        # Answers that have no tokens, to embeddings, count one each: they are no silence.
        "tokens_10s": np.where(
            busy, trailing(np.maximum(sums["output_tokens"], sums["succeeded"]), GROWTH_S), np.nan
        ),
    }


def _settled(timeline: Timeline, span: Seconds) -> NDArray[np.bool_]:
    """Whether the load is the same for so long that what is in flight would grow no more by itself.

    That takes the 10 s over which growth is measured and twice as long as a request lasts.
    """
    ends = span.edges[1:]
    changed = np.array([load.t_ns for load in timeline.loads], dtype=np.float64)
    places = np.searchsorted(changed, ends, side="right") - 1
    if not (places >= 0).any():
        return np.zeros(len(ends), dtype=np.bool_)
    lasting = trailing_median_ns(timeline, "e2e", span)
    needed = GROWTH_S * SECOND_NS + 2 * np.nan_to_num(lasting, nan=np.inf)
    settled = (places >= 0) & (ends - changed[np.maximum(places, 0)] >= needed)
    if settled.any():  # only then does it matter when the rate moved, and no longer ago than is needed
        settled &= ends - _moved_ns(timeline, span, float(needed[settled].max())) >= needed
    return settled


def _moved_ns(timeline: Timeline, span: Seconds, back_ns: float) -> Floats:
    """When the offered rate was last another than in the second before it that had one: a ramp moves it all
    along. Looked for `back_ns` back from the first second; 0 where it had not moved since.
    """
    ticks = timeline.ticks
    first = int(max(span.first - LEAD_S - back_ns // SECOND_NS - 2, 0))
    known = ticks.known_before("rate_rps", int(ticks.upto(float(first) * SECOND_NS)))
    if known is not None and ticks["t"][known] > 0:  # the second that the first one is held against
        first = int((ticks["t"][known] - 1) // SECOND_NS)
    a, b = ticks.upto(np.array([first, span.last], dtype=np.float64) * SECOND_NS).tolist()
    rates = ticks["rate_rps"][a:b]
    kept = np.isfinite(rates)
    seconds, place = np.unique((ticks["t"][a:b][kept].astype(np.int64) - 1) // SECOND_NS, return_inverse=True)
    means = np.bincount(place, rates[kept]) / np.maximum(np.bincount(place), 1)
    moved = seconds[1:][np.abs(np.diff(means)) > _STEADY * means[1:]]
    ends = np.arange(span.first - LEAD_S + 1, span.last + 1)
    places = np.searchsorted(moved, ends - 1, side="right") - 1
    if not len(moved):
        return np.zeros(len(ends))
    return np.where(places >= 0, (moved[np.maximum(places, 0)] + 1) * SECOND_NS, 0.0)
