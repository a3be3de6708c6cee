"""Mean, percentiles and bounds of all values of a metric, exactly. They depend on nothing but the values.

Percentiles interpolate linearly between order statistics, as numpy's default does, and vLLM, SGLang and
AIPerf with it.
"""

from __future__ import annotations

from math import floor, fsum

import numpy as np

from sessions.metrics import QUANTILES, THIN_FLOORS
from sessions.summary.order_statistics import upper_rank
from sessions.summary.quantile_schema import ExactQuantiles
from sessions.timeline.columns import Floats
from sessions.timeline.token_gaps import Multiset, multiset


def exact_quantiles(values: Floats, per_ms: float, *, bounds: bool = False) -> ExactQuantiles:
    """The quantiles of `values`, of which `per_ms` units make a millisecond; NaN is no value. `bounds`: with
    what those of the tail are at most, which supposes values that are independent of each other."""
    known = values[np.isfinite(values)]
    return of_multiset(multiset(known, np.ones(len(known))), per_ms, bounds=bounds)


def of_multiset(given: Multiset, per_ms: float, *, bounds: bool = False) -> ExactQuantiles:
    """The same of values that may occur more than once."""
    values, counts = given
    ends = np.cumsum(counts)
    n = int(ends[-1]) if len(ends) else 0
    if not n:
        return ExactQuantiles(0, None, None, None, None, None, None, None, [])

    def at(rank: int) -> float:
        return float(values[np.searchsorted(ends, rank, side="right")])

    def quantile(q: float) -> float:
        place = q * (n - 1)
        below = at(floor(place))
        step = at(min(floor(place) + 1, n - 1)) - below
        part = place - floor(place)
        return below + step * part if part < 0.5 else below + step - step * (1 - part)

    def upper(name: str) -> float | None:
        rank = upper_rank(n, QUANTILES[name], THIN_FLOORS[name]) if bounds else None
        return None if rank is None else ms(at(rank - 1))

    def ms(value: float) -> float:
        return round(value / per_ms, 6)

    return ExactQuantiles(
        count=n,
        mean=ms(fsum(values * counts) / n),
        **{name: ms(quantile(q)) for name, q in QUANTILES.items()},
        min=ms(float(values[0])),
        max=ms(float(values[-1])),
        thin=[name for name in QUANTILES if n < THIN_FLOORS[name]],
        **{f"{name}_upper_99": upper(name) for name in ("p90", "p95", "p99")},
    )
