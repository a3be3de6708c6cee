"""All values of one metric, exactly, in memory that grows with how many differ: gaps repeat, in whole us."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from math import floor, fsum

import numpy as np

from sessions.columns import Floats
from sessions.metrics import QUANTILES, THIN_FLOORS

_COMPACT_AT = 1 << 20


class Values:
    """A multiset of numbers. What it says depends on what is in it, never on the order it came in."""

    def __init__(self) -> None:
        self._values: Floats = np.empty(0)
        self._counts: Floats = np.empty(0)
        self._singles = array("d")
        self._weighted = array("d")
        self._weights = array("d")

    def add(self, values: Iterable[float], counts: Sequence[int] | None = None) -> None:
        """Takes values in, each once, or as often as `counts` says."""
        if counts is None:
            self._singles.extend(values)
        else:
            self._weighted.extend(values)
            self._weights.extend(counts)
        if len(self._singles) + len(self._weighted) > _COMPACT_AT:
            self._compact()

    def _compact(self) -> None:
        singles = np.array(self._singles)
        values = np.concatenate([self._values, singles, np.array(self._weighted)])
        counts = np.concatenate([self._counts, np.ones(len(singles)), np.array(self._weights)])
        self._values, place = np.unique(values, return_inverse=True)
        self._counts = np.asarray(np.bincount(place, weights=counts), dtype=np.float64)
        self._singles, self._weighted, self._weights = array("d"), array("d"), array("d")

    def described(self, per_ms: float) -> dict[str, object]:
        """`count`, `mean`, percentiles, `min`, `max` in ms (`per_ms` units make one), and which are `thin`.

        Percentiles interpolate linearly between order statistics, as numpy's default does, and vLLM, SGLang
        and AIPerf with it. None where there is no value.
        """
        self._compact()
        ends = np.cumsum(self._counts)
        n = int(ends[-1]) if len(ends) else 0
        if not n:
            return {"count": 0, **dict.fromkeys(("mean", *QUANTILES, "min", "max")), "thin": []}

        def at(rank: int) -> float:
            return float(self._values[np.searchsorted(ends, rank, side="right")])

        def quantile(q: float) -> float:
            place = q * (n - 1)
            below = at(floor(place))
            step = at(min(floor(place) + 1, n - 1)) - below
            part = place - floor(place)
            return below + step * part if part < 0.5 else below + step - step * (1 - part)

        figures = {
            "mean": fsum(self._values * self._counts) / n,
            **{name: quantile(q) for name, q in QUANTILES.items()},
            "min": float(self._values[0]),
            "max": float(self._values[-1]),
        }
        return {
            "count": n,
            **{name: round(value / per_ms, 6) for name, value in figures.items()},
            "thin": [name for name in QUANTILES if n < THIN_FLOORS[name]],
        }
