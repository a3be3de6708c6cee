"""Three-way decisions: whether so many misses among so many requests pass, fail, or decide nothing yet.

A percentile `p95 < X` holds where at most 5 % of requests take longer than X, so it is decided by counting
misses: exact binomial bounds (the order statistics of MLPerf's early stopping). Requests that follow each
other are alike; how much is read off batch means, and so many fewer are counted as independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from sessions.plan.slo import Verdict

BATCHES = (40, 20, 10)
"""Batch means are tried in so many batches, until neighbours tell little of each other."""
_ALIKE = 0.3
"""Lag-1 correlation of batch means above which batches are too short."""
_MOST_MORE = 1_000_000
"""A target that needs more requests than these is too close to tell."""


class Decision(NamedTuple):
    verdict: Verdict
    misses: int
    of: int
    independent: float
    """Of `of`: so many independent requests would say as much."""
    needs: int | None
    """How many more requests would decide it, if they miss as often; None where it is decided, or too close
    to tell."""


def decide(misses: Sequence[bool], allowed: float, confidence: float) -> Decision:
    """Whether the share of misses is at most `allowed`. `misses`: of each request, in the order of due."""
    n, missed = len(misses), sum(misses)
    if allowed <= 0:  # each request was to hold, and each is known
        verdict: Verdict = "undecided" if not n else "fail" if missed else "pass"
        return Decision(verdict, missed, n, n, None if n else 1)
    independent = n / likeness(misses)
    verdict = _verdict(missed * independent / n, independent, allowed, confidence) if n else "undecided"
    needs = None
    if verdict == "undecided":
        needs = _needs(missed, n, independent / n if n else 1.0, allowed, confidence)
    return Decision(verdict, missed, n, independent, needs)


def decide_mean(values: Sequence[float], limit: float, confidence: float) -> Decision:
    """Whether the mean of `values` is at most `limit`. `misses` of the result is 0: a mean has none."""
    n = len(values)
    if n < 2:
        return Decision("undecided", 0, n, n, 2 - n)
    mean = math.fsum(values) / n
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    independent = n / _variance_ratio(values, variance)
    away = abs(limit - mean)
    z = student(confidence, independent - 1)
    if away >= z * math.sqrt(variance / independent):
        return Decision("pass" if mean <= limit else "fail", 0, n, independent, None)
    more = math.inf if not away else n * ((z / away) ** 2 * variance / independent - 1)
    return Decision("undecided", 0, n, independent, math.ceil(more) if more <= _MOST_MORE else None)


def likeness(misses: Sequence[bool]) -> float:
    """By how much the variance of the mean is larger than if requests were independent; 1 where it is not."""
    n = len(misses)
    share = sum(misses) / n if n else 0.0
    return _variance_ratio([float(miss) for miss in misses], share * (1 - share))


def _variance_ratio(values: Sequence[float], variance: float) -> float:
    if len(values) < 10 * BATCHES[-1] or not variance:
        return 1.0
    ratio = 1.0
    for batches in BATCHES:
        size = len(values) // batches
        if size < 5:
            continue
        means = [math.fsum(values[i * size : (i + 1) * size]) / size for i in range(batches)]
        middle = math.fsum(means) / batches
        spread = math.fsum((each - middle) ** 2 for each in means)
        ratio = max(1.0, size * spread / (batches - 1) / variance)
        near = math.fsum((a - middle) * (b - middle) for a, b in pairwise(means))
        if not spread or near / spread <= _ALIKE:
            break
    return min(ratio, len(values) / 2)


def _verdict(missed: float, n: float, allowed: float, confidence: float) -> Verdict:
    doubt = 1 - confidence
    if at_most(missed, n, allowed) <= doubt:
        return "pass"
    if missed and 1 - at_most(missed - 1, n, allowed) <= doubt:
        return "fail"
    return "undecided"


def _needs(missed: int, n: int, independent_share: float, allowed: float, confidence: float) -> int | None:
    """How many more of the same kind decide it."""
    share = missed / n if n else 0.0

    def decided(total: int) -> bool:
        counted = total * independent_share
        return _verdict(share * counted, counted, allowed, confidence) != "undecided"

    high = max(2 * n, 16)
    while not decided(high):
        high *= 2
        if high > _MOST_MORE:
            return None
    low = n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return high - n


def at_most(missed: float, n: float, share: float) -> float:
    """How likely at most `missed` of `n` are misses, where each is one with probability `share`: of whole
    numbers the binomial distribution, between them its continuation."""
    if missed >= n:
        return 1.0
    return incomplete_beta(n - missed, missed + 1, 1 - share)


def student(confidence: float, freedom: float) -> float:
    """One-sided quantile of Student's distribution, within 1 % from 3 degrees of freedom on."""
    z = {0.95: 1.6449, 0.99: 2.3263}.get(confidence, 1.6449)
    v = max(freedom, 1.0)
    return z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v * v)


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - incomplete_beta(b, a, 1 - x)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    fraction = d
    for m in range(1, 10_000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + step * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + step / c
            c = c if abs(c) > tiny else tiny
            fraction *= d * c
        if abs(d * c - 1) < 1e-12:
            break
    return front * fraction / a
