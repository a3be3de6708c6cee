"""A line through one figure of the stages over another: what a token of a prompt costs, say."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

GOOD_R2 = 0.85
"""Below it a parabola is fitted. Source: AIPerf's recipe aiperf-prefill-ttft-curve."""


class Fit(msgspec.Struct, frozen=True):
    """`y = sum(coefficients[i] * x**i)`, by least squares."""

    y: str
    x: str
    coefficients: list[float]
    r2: float
    """Share of the variance of y that it explains."""
    points: int


def fit(y_name: str, x_name: str, x: Sequence[float], y: Sequence[float]) -> Fit | None:
    """A straight line, or a parabola where a line explains too little; None with fewer than three points, or
    where they do not spread."""
    if len(x) < 3 or len(set(x)) < 3:
        return None
    made = None
    for degree in (1, 2):
        if degree == 2 and len(set(x)) < 4:
            break
        powers = np.polynomial.Polynomial.fit(x, y, degree).convert().coef
        coefficients = np.pad(powers, (0, degree + 1 - len(powers)))
        residual = np.asarray(y) - np.polynomial.polynomial.polyval(np.asarray(x), coefficients)
        spread = float(np.sum((np.asarray(y) - np.mean(y)) ** 2))
        r2 = 1.0 - float(np.sum(residual**2)) / spread if spread else 1.0
        made = Fit(y_name, x_name, coefficients.tolist(), r2, len(x))
        if r2 >= GOOD_R2:
            break
    return made
