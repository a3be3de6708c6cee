"""All values of one metric, exactly, in memory that grows with how many differ: gaps repeat, in whole us."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from math import floor, fsum

import numpy as np

from sessions.metrics import QUANTILES, THIN_FLOORS
from sessions.timeline.columns import Floats

_COMPACT_AT = 1 << 20
_WHOLE_BELOW = 1 << 20


class ExactQuantiles:
    """A multiset of numbers. What it says depends on what is in it, never on the order it came in."""

    def __init__(self) -> None:
        self._whole = np.zeros(0, dtype=np.int64)
        """How often each small whole number occurs: counting is 30 times cheaper than sorting."""
        self._values: Floats = np.empty(0)
        self._counts: Floats = np.empty(0)
        self._singles = array("d")
        self._weighted = array("d")
        self._weights = array("d")

    def add(self, values: Iterable[float], counts: Sequence[int] | None = None) -> None:
        """Takes values in, each once, or as often as `counts` says. None may be negative."""
        if counts is None:
            self._singles.extend(values)
        else:
            self._weighted.extend(values)
            self._weights.extend(counts)
        if len(self._singles) + len(self._weighted) > _COMPACT_AT:
            self._compact()

    def _compact(self) -> None:
        singles, self._singles = np.array(self._singles), array("d")
        small = (singles < _WHOLE_BELOW) & (singles == np.floor(singles))
        if small.any():
            if not len(self._whole):
                self._whole = np.zeros(_WHOLE_BELOW, dtype=np.int64)
            self._whole += np.bincount(singles[small].astype(np.int64), minlength=_WHOLE_BELOW)
            singles = singles[~small]
        if len(singles) + len(self._weighted):
            values = np.concatenate([self._values, singles, np.array(self._weighted)])
            counts = np.concatenate([self._counts, np.ones(len(singles)), np.array(self._weights)])
            self._values, self._counts = _merged(values, counts)
            self._weighted, self._weights = array("d"), array("d")

    def _all(self) -> tuple[Floats, Floats]:
        """Every value that occurs, ascending, and how often."""
        self._compact()
        seen = np.flatnonzero(self._whole)
        values = np.concatenate([self._values, seen])
        return _merged(values, np.concatenate([self._counts, self._whole[seen]]))

    def described(self, per_ms: float) -> dict[str, object]:
        """`count`, `mean`, percentiles, `min`, `max` in ms (`per_ms` units make one), and which are `thin`.

        Percentiles interpolate linearly between order statistics, as numpy's default does, and vLLM, SGLang
        and AIPerf with it. None where there is no value.
        """
        values, counts = self._all()
        ends = np.cumsum(counts)
        n = int(ends[-1]) if len(ends) else 0
        if not n:
            return {"count": 0, **dict.fromkeys(("mean", *QUANTILES, "min", "max")), "thin": []}

        def at(rank: int) -> float:
            return float(values[np.searchsorted(ends, rank, side="right")])

        def quantile(q: float) -> float:
            place = q * (n - 1)
            below = at(floor(place))
            step = at(min(floor(place) + 1, n - 1)) - below
            part = place - floor(place)
            return below + step * part if part < 0.5 else below + step - step * (1 - part)

        figures = {
            "mean": fsum(values * counts) / n,
            **{name: quantile(q) for name, q in QUANTILES.items()},
            "min": float(values[0]),
            "max": float(values[-1]),
        }
        return {
            "count": n,
            **{name: round(value / per_ms, 6) for name, value in figures.items()},
            "thin": [name for name in QUANTILES if n < THIN_FLOORS[name]],
        }


def _merged(values: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Each value once, ascending, with its counts added up."""
    merged, place = np.unique(values, return_inverse=True)
    return merged, np.asarray(np.bincount(place, weights=counts, minlength=len(merged)), dtype=np.float64)
