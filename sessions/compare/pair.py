"""The figures of one load on both sides, before they are judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sessions.compare.blocks import Estimate
from sessions.compare.match import Pair
from sessions.compare.metrics import OF_TARGETS, RISES_WITH_LOAD, Metric
from sessions.compare.stretch import NEVER_STEADY, REQUESTS, Stretch
from sessions.compare.student import LogRatio, together
from sessions.compare.together import Matrix, correlation
from sessions.compare.verdict import NOT_MEASURED

FAR_APART = math.log(2)
"""So far all of one side has to lie from all of the other, as a log ratio, to be told without an interval."""

ALIKE = 0.5
"""The shortest stretch over the longest, at least: what is not steady is as it is by how long it went on."""

NOTHING_ON_BOTH = "0 on both sides"
"""Why there is no ratio: that of two halves of a one would be of how long each side went on."""


class Read(NamedTuple):
    """One figure of one load on both sides."""

    ratio: LogRatio | None
    a: float | None
    b: float | None
    because: str
    interval_from: str
    apart: float | None = None
    """Where a side was never steady, or is too short for an interval, and yet all parts of its time lie
    beyond all of the other's: the ratio of the two parts that are nearest to each other, B over A."""


def read(pair: Pair, metric: Metric, other_targets: bool) -> Read:
    """The ratio of one figure: over repetitions where both sides have some, else from blocks of time."""
    ours, theirs = ([each.estimated(metric) for each in side.stretches] for side in pair.sides)
    if any(estimate is None for estimate, _ in (*ours, *theirs)):
        a_value, b_value = (
            mean([None if each is None else each.value for each, _ in side]) for side in (ours, theirs)
        )
        return Read(None, a_value, b_value, NOT_MEASURED, "blocks")
    a, b = ([estimate for estimate, _ in side if estimate is not None] for side in (ours, theirs))
    logs = [[math.log(each.value) for each in side] for side in (a, b)]
    means = [sum(side) / len(side) for side in logs]
    values = [
        0.0 if all(each.nothing for each in side) else math.exp(middle)
        for side, middle in zip((a, b), means, strict=True)
    ]
    if pair.more and metric.of not in RISES_WITH_LOAD:
        return Read(None, values[0], values[1], "other load", "blocks")
    if other_targets and metric.of in OF_TARGETS:
        return Read(None, values[0], values[1], "other targets: --slo", "blocks")
    if all(each.nothing for each in (*a, *b)):
        return Read(None, 0.0, 0.0, NOTHING_ON_BOTH, "blocks")
    reasons = [why for _, why in (*ours, *theirs) if why]
    gravest = (why for why in reasons if why.endswith(REQUESTS) or why == NEVER_STEADY)
    because = next(gravest, next(iter(reasons), ""))
    if len(a) > 1 and len(b) > 1:
        parts = [_between(side, middle) for side, middle in zip(logs, means, strict=True)]
        thin = because if because.endswith(REQUESTS) else ""
        ratio = None if thin else together(means[1] - means[0], parts)
        return Read(ratio, values[0], values[1], thin, "repetitions")
    if because:
        apart = None if because.endswith(REQUESTS) else _apart(pair, metric)
        return Read(None, values[0], values[1], because, "blocks", apart)
    variances = [sum(part for part, _ in _within_runs(side)) for side in (a, b)]
    # A tail that was quiet by chance looks surer than it is: no side is taken to be surer than the other.
    scales = [max(variances) / v if metric.is_tail and v > 0 else 1.0 for v in variances]
    parts = [
        (part * k, free) for side, k in zip((a, b), scales, strict=True) for part, free in _within_runs(side)
    ]
    return Read(together(means[1] - means[0], parts), values[0], values[1], "", "blocks")


def in_common(pair: Pair, metrics: Sequence[Metric], figures: Sequence[Read]) -> Matrix:
    """How much the figures that have intervals go together, `(m, m)`: on both sides on average. Of
    repetitions, which are too few to see it in, nothing."""
    if any(each.interval_from == "repetitions" for each in figures):
        return np.eye(len(metrics))
    found = []
    for stretch in (*pair.a.stretches, *pair.b.stretches):
        pulls = [
            stretch.pulled(metric) if each.ratio is not None else None
            for metric, each in zip(metrics, figures, strict=True)
        ]
        found.append(correlation(pulls, stretch.block_cells))
    return np.asarray(np.mean(found, axis=0))


def mean(values: Sequence[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _apart(pair: Pair, metric: Metric) -> float | None:
    """The ratio of B's nearest part to A's, where all of B's time lies beyond all of A's by `FAR_APART`."""
    lengths = [stretch.seconds for side in pair.sides for stretch in side.stretches]
    if min(lengths) < ALIKE * max(lengths):
        return None
    a, b = (_parts(side.stretches, metric) for side in pair.sides)
    if a is None or b is None:
        return None
    above, below = math.log(b.min() / a.max()), math.log(a.min() / b.max())
    if above >= FAR_APART:
        return math.exp(above)
    return math.exp(-below) if below >= FAR_APART else None


def _parts(stretches: Sequence[Stretch], metric: Metric) -> np.ndarray | None:
    found = [each.of_parts(metric) for each in stretches]
    known = [each for each in found if each is not None]
    return np.concatenate(known) if len(known) == len(found) else None


def _between(logs: Sequence[float], middle: float) -> tuple[float, float]:
    """Variance of the mean of repetitions, and its degrees of freedom."""
    freedom = len(logs) - 1
    return sum((each - middle) ** 2 for each in logs) / freedom / len(logs), float(freedom)


def _within_runs(estimates: Sequence[Estimate]) -> list[tuple[float, float]]:
    n = len(estimates)
    return [((each.error or 0.0) ** 2 / n**2, each.blocks - 1) for each in estimates]
