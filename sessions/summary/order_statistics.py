"""What a percentile is at most, with confidence: an order statistic above it, whatever the distribution.

As LoadGen of MLPerf does it: of `n` independent values, the number above the true quantile is binomial, so
that the value with only so many above it lies below the quantile hardly ever. Values that depend on each
other (a queue that grows, tokens of one answer) tell less than their number says.
"""

from __future__ import annotations

from math import exp, lgamma, log, sqrt

CONFIDENCE = 0.99


def upper_rank(n: int, q: float, floor: int) -> int | None:
    """The least rank, from 1, of `n` values in order, that is no less than the true `q`-quantile in at least
    99 % of cases; None for fewer than `floor` values, which rest on the greatest of all alone, or on
    nothing."""
    above = most_above(n, 1.0 - q)
    return None if above is None or n < floor else n - above


def most_above(n: int, p: float) -> int | None:
    """The greatest `m` with P(X <= m) <= 1 %, of X binomial of `n` and `p`; None where there is none."""
    doubt = 1.0 - CONFIDENCE
    if n < 1 or n * log(1.0 - p) > log(doubt):
        return None
    middle, spread = n * p, sqrt(n * p * (1.0 - p))
    m = max(int(middle - 2.4 * spread), 0)
    total = _below(n, p, m)
    while total > doubt:
        total -= _term(n, p, m)
        m -= 1
    while total + (term := _term(n, p, m + 1)) <= doubt:
        total += term
        m += 1
    return m


def _below(n: int, p: float, m: int) -> float:
    """P(X <= m), from the largest term down to those that add nothing."""
    term = total = _term(n, p, m)
    for k in range(m, 0, -1):
        term *= k * (1.0 - p) / ((n - k + 1) * p)
        total += term
        if term < total * 1e-14:
            break
    return total


def _term(n: int, p: float, k: int) -> float:
    return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log(1.0 - p))
