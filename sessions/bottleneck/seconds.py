"""Whole seconds of session time as arrays: sums, means and trailing windows by second.

Each value depends on its own second and on those before it alone, not on which seconds are asked for
together: windows are added up value by value, never as a difference of running sums.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sessions.bottleneck.client_saturation import SECOND_NS
from sessions.timeline.columns import Floats, Table
from sessions.timeline.timeline import Timeline

RECENT_S, PREEMPTIONS_S, GROWTH_S = 3, 5, 10
LEAD_S = 16
"""Seconds before the first one that are looked at."""


class Seconds(NamedTuple):
    """The seconds `[first, last)` are asked for, `LEAD_S` come before; arrays hold a value for each of them.

    Second `i` is from `i` to `i + 1` s of session time.
    """

    first: int
    last: int

    @property
    def edges(self) -> Floats:
        return np.arange(self.first - LEAD_S, self.last + 1, dtype=np.float64) * SECOND_NS

    @property
    def nothing(self) -> Floats:
        """Not known in any second."""
        return np.full(self.last - self.first + LEAD_S, np.nan)


def trailing(values: Floats, seconds: int) -> Floats:
    """Sums of the last `seconds` values, at each place along the last axis; fewer at the beginning."""
    out: Floats = values.copy()
    for back in range(1, min(seconds, values.shape[-1])):
        out[..., back:] += values[..., :-back]
    return out


def before(values: Floats, seconds: int) -> Floats:
    """The value of `seconds` ago; NaN at the beginning."""
    out: Floats = np.concatenate([np.full(seconds, np.nan), values])[: len(values)]
    return out


def recent_means(samples: Table, names: tuple[str, ...], span: Seconds) -> Floats:
    """Means of what was read in the last 3 s, `(len(names), seconds)`."""
    rows = samples.upto(span.edges)
    totals, counts = (trailing(found[:, :, 0], RECENT_S) for found in samples.sums_and_counts(names, rows))
    means: Floats = np.full(totals.shape, np.nan)
    return np.divide(totals, counts, out=means, where=counts > 0)


def trailing_median_ns(timeline: Timeline, metric: str, span: Seconds) -> Floats:
    """Median of the last 10 s at each second; NaN where there was nothing."""
    found = timeline.sketches(metric, span.edges).trailing(GROWTH_S)
    return found.quantiles_ns((0.5,))[:, 0]
