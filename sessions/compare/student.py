"""Student's t: how many standard errors an interval reaches."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

_STEPS = 4001


def t_quantile(tail: float, freedom: float) -> float:
    """What a t of `freedom` degrees exceeds with probability `tail`, 0 < tail < 0.5; within 1e-4 of it.

    By t = sqrt(freedom) tan(angle), under which its density is a power of a cosine.
    """
    most = min(math.pi / 2, 60.0 / math.sqrt(freedom)) if freedom > 1600 else math.pi / 2
    angles = np.linspace(0.0, most, _STEPS)
    density = np.maximum(np.cos(angles), 0.0) ** (freedom - 1)
    area = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    share = 0.5 + area / area[-1] / 2
    return math.sqrt(freedom) * math.tan(float(np.interp(1.0 - tail, share, angles)))


class LogRatio(NamedTuple):
    """An estimated log of B over A. `error`: its standard error."""

    value: float
    error: float
    freedom: float

    def interval(self, alpha: float) -> tuple[float, float]:
        """The ratios between which it lies, but for a share `alpha` of the cases."""
        reach = self.error * t_quantile(alpha / 2, self.freedom) if self.error > 0 else 0.0
        return _exp(self.value - reach), _exp(self.value + reach)

    def found(self, alpha: float) -> float:
        """The difference (0.08 is 8 %) that an interval as wide as this one's tells in 80 of 100 cases."""
        return _exp(self._reach_80(alpha)) - 1 if self.error > 0 else 0.0

    def times_as_long(self, alpha: float, difference: float) -> float:
        """How many times as long runs have to be to tell `difference` in 80 of 100 cases: errors shrink with
        the square root of time. Somewhat too many, since longer ones have more freedom as well."""
        return (self._reach_80(alpha) / math.log1p(difference)) ** 2

    def _reach_80(self, alpha: float) -> float:
        return self.error * (t_quantile(alpha / 2, self.freedom) + t_quantile(0.2, self.freedom))


def _exp(value: float) -> float:
    return math.exp(min(max(value, -700.0), 700.0))


def together(value: float, parts: list[tuple[float, float]]) -> LogRatio:
    """A sum of independent parts: each its variance in it and the degrees of freedom of that (Welch and
    Satterthwaite)."""
    variance = sum(part for part, _ in parts)
    spread = sum(part**2 / freedom for part, freedom in parts)
    freedom = variance**2 / spread if spread > 0 else sum(freedom for _, freedom in parts)
    return LogRatio(value, math.sqrt(variance), max(freedom, 1.0))
