"""What servers say of themselves as columns by time, their histograms too."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from sessions.timeline.columns import Floats, Table
from telemetry.records import Histogram, ServerSample

SERVER_FIELDS = (
    *("running", "waiting", "kv_pct", "preemptions", "prompt_tokens", "output_tokens"),
    *("prefix_hit_pct", "prefix_queried_tokens", "cached_tokens", "finished"),
)
_values_of = attrgetter(*SERVER_FIELDS)
HISTOGRAMS = ("ttft", "itl", "queue")
"""Kept with their buckets, for quantiles."""
TIMED = ("ttft", "queue", "prefill", "e2e")
"""Histograms of which each sample holds the count and the sum of seconds: `queue_count`, `queue_sum_s`."""
TIMED_FIELDS = tuple(f"{name}_{figure}" for name in TIMED for figure in ("count", "sum_s"))

BOUNDS_CAP = 200
"""Buckets of a histogram."""


class HistogramColumns:
    """One of a server's histograms over time."""

    def __init__(self, bounds_s: list[float]) -> None:
        self.bounds_s = bounds_s
        self.table = Table(("t", *map(str, range(len(bounds_s) + 1))))

    def take(self, t_ns: int, histogram: Histogram) -> None:
        """A histogram of other bounds or of another length is of another server, and left out."""
        if histogram.bounds_s == self.bounds_s and len(histogram.counts) == len(self.bounds_s) + 1:
            self.table.add((t_ns, *histogram.counts))

    def quantiles_s(
        self, from_ns: float, to_ns: float, qs: tuple[float, ...]
    ) -> tuple[int, list[Quantile]] | None:
        """How many were observed between the last readings up to both instants, and their quantiles.

        None when nothing was observed or the counts fell.
        """
        a, b = self.table.upto(np.array([from_ns, to_ns])).tolist()
        a = max(a, 1)
        if b <= a:
            return None
        names = [str(i) for i in range(len(self.bounds_s) + 1)]
        earlier, later = (self.table.block(names, row - 1, row)[:, 0] for row in (a, b))
        gained = later - earlier
        total = gained[-1]
        if total <= 0 or (gained < 0).any() or (np.diff(gained) < 0).any():
            return None
        edges: Floats = np.array([0.0, *self.bounds_s])
        below: Floats = np.concatenate([[0.0], gained[:-1]])
        return int(total), [_within(edges, below, q * total) for q in qs]


COARSE = 1.5
"""Upper bound of a bucket to its lower one, above which what lies within is not told apart: one of vLLM's
goes from 20 to 40 s."""


class Quantile(NamedTuple):
    """What a histogram tells of one."""

    value_s: float | None
    """Linear within its bucket. None where that is wider than `COARSE`, as the first one, which begins at 0,
    and beyond the last bound: a figure from within would be invented."""
    at_least_s: float
    at_most_s: float | None


def _within(edges: Floats, below: Floats, rank: float) -> Quantile:
    i = int(np.searchsorted(below, rank, side="left"))
    if i >= len(edges):
        return Quantile(None, float(edges[-1]), None)
    if i <= 1:
        return Quantile(None, 0.0, float(edges[min(1, len(edges) - 1)]))
    low, high = float(edges[i - 1]), float(edges[i])
    if high > COARSE * low:
        return Quantile(None, low, high)
    share = float((rank - below[i - 1]) / (below[i] - below[i - 1]))
    return Quantile(low + share * (high - low), low, high)


@dataclass
class ServerColumns:
    """What one server says of itself."""

    samples: Table = field(default_factory=lambda: Table(("t", *SERVER_FIELDS, *TIMED_FIELDS)))
    histograms: dict[str, HistogramColumns] = field(default_factory=dict)

    def take(self, record: ServerSample) -> None:
        timed = (figure for name in TIMED for figure in _timed(getattr(record, name)))
        self.samples.add((record.t_ns, *_values_of(record), *timed))
        for name in HISTOGRAMS:
            histogram: Histogram | None = getattr(record, name)
            if histogram is not None and len(histogram.bounds_s) <= BOUNDS_CAP:
                known = self.histograms.setdefault(name, HistogramColumns(histogram.bounds_s))
                known.take(record.t_ns, histogram)


def _timed(histogram: Histogram | None) -> tuple[float, float]:
    """How many were observed since the server's start, and their seconds together."""
    if histogram is None or not histogram.counts:
        return np.nan, np.nan
    return float(histogram.counts[-1]), np.nan if histogram.sum_s is None else histogram.sum_s
