"""Prometheus histograms of seconds, summed over the engines behind one address."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from telemetry.prometheus.exposition import MetricSample
from telemetry.records import Histogram

MOST_COUNT = 1e12
MOST_SUM_S = 1e15


def lines(base: str) -> tuple[str, ...]:
    """Sample names of the histogram called `base`."""
    return f"{base}_bucket", f"{base}_sum"


def histogram(samples: Iterable[MetricSample], bases: Sequence[str]) -> Histogram | None:
    """The first of `bases` that is there; None when none is, or its buckets make no sense."""
    known = list(samples)
    for base in bases:
        found = _histogram(known, base)
        if found is not None:
            return found
    return None


def _histogram(samples: list[MetricSample], base: str) -> Histogram | None:
    bucket, total = lines(base)
    counts: dict[float, float] = {}
    sums = []
    for sample in samples:
        if sample.name == total and 0 <= sample.value <= MOST_SUM_S:
            sums.append(sample.value)
        elif sample.name == bucket:
            bound = _bound(sample.labels.get("le", ""))
            if bound is None or not 0 <= sample.value <= MOST_COUNT:
                return None
            counts[bound] = counts.get(bound, 0.0) + sample.value
    bounds = sorted(counts)
    values = [int(counts[bound]) for bound in bounds]
    # Engines with different bounds would make the sums fall somewhere.
    if not bounds or bounds[-1] != math.inf or values != sorted(values) or values[-1] > MOST_COUNT:
        return None
    return Histogram(bounds[:-1], values, round(sum(sums), 6) if sums else None)


def _bound(text: str) -> float | None:
    try:
        bound = float(text)
    except ValueError:
        return None
    return bound if 0 <= bound <= MOST_SUM_S or bound == math.inf else None
