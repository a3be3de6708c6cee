"""One step of a search: what is put on, when it is looked at, and what its requests say.

A step ends at the first look that decides it, or when its last look is reached. It is judged on the requests
due after its warm-up, each answered or given up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from sessions.limit.certainty import Decision, decide, decide_mean
from sessions.plan.slo import Target, Verdict, overall

Purpose = Literal["single", "double", "narrow", "refine", "confirm", "stored"]
"""`stored`: no step of a search, but what a session was put under before."""
NOT_OVER = "not over"
"""Why a search that goes on says no more than what its steps so far did."""
SURE = 0.999
"""Confidence with which a step fails before its first look: it is looked at often then."""
_LEAST_EARLY = 200
_MISSES_A_LOOK = 25
"""So many misses are expected among the requests of the first look at the limit: 500 of a p95."""
_LOOKS = (1, 2, 4)
_OF_A_MEAN = 300


class Step(NamedTuple):
    purpose: Purpose
    load: float
    """Requests per second, or requests at a time; of `single` one at a time, whatever is searched for."""
    warm_up: int
    """Requests before those that count."""
    looks: tuple[int, ...]
    """Numbers of requests that count at which it is judged."""

    @property
    def requests(self) -> int:
        return self.warm_up + self.looks[-1]


class Judged(NamedTuple):
    """Of some requests of a step."""

    verdict: Verdict
    binding: Decision
    """Of the target that came nearest to its limit, or went beyond it the most."""
    allowed: float
    """The share of misses that it allows; 0 where it is of a mean."""
    target: str


def looks_for(targets: Sequence[Target], purpose: Purpose, at_once: int) -> tuple[int, ...]:
    """When a step is looked at; `at_once`: requests in flight, of which several rounds are to be seen."""
    shares = [share for target in targets if (share := allowed_share(target))]
    least = max([math.ceil(_MISSES_A_LOOK / min(shares, default=1.0)), 10 * at_once])
    least = max(least, _OF_A_MEAN if any(target.statistic == "mean" for target in targets) else 0)
    if purpose == "double":  # far from the limit few requests say enough, and near it others will
        floor = max((decide([], share, 0.95).needs or 1 for share in shares), default=30)
        return tuple(sorted({min(max(floor, 5 * at_once), least), least}))
    if purpose == "refine":  # nobody expects it to be decided
        return (least * _LOOKS[-1],)
    if purpose == "confirm":
        return tuple(least * times for times in _LOOKS[1:])
    return tuple(least * times for times in _LOOKS[:2])


def allowed_share(target: Target) -> float | None:
    """The share of requests that may miss; None of a mean."""
    if target.metric == "errors":
        return target.limit
    if target.metric == "attainment":
        return 1 - target.limit
    return None if target.quantile is None else 1 - target.quantile


def judge(
    targets: Sequence[Target], values: Sequence[Sequence[float]], confidence: float | None = None
) -> Judged:
    """What requests say. `values`: of each target, of each request in the order of due: 1 where it missed and
    else 0, or of a mean its figure in ms. `confidence`: in place of the targets' own."""
    found = []
    for target, of in zip(targets, values, strict=True):
        sure, share = confidence or target.confidence, allowed_share(target)
        if share is None:
            made = decide_mean(of, target.limit, sure)
            mean = math.fsum(of) / len(of) if of else 0.0
            found.append((mean / target.limit, Judged(made.verdict, made, 0.0, target.text)))
        else:
            made = decide([value > 0 for value in of], share, sure)
            near = made.misses / made.of / share if made.of and share else float(made.misses)
            found.append((near, Judged(made.verdict, made, share, target.text)))
    nearest = max(found, key=lambda each: each[0])[1]
    return nearest._replace(verdict=overall([judged.verdict for _, judged in found]))


def fails_already(targets: Sequence[Target], values: Sequence[Sequence[float]]) -> bool:
    """Whether so many missed that no look need be waited for."""
    return bool(values) and len(values[0]) >= _LEAST_EARLY and judge(targets, values, SURE).verdict == "fail"


def overloaded(in_flight: int, load_rps: float, e2e_s: float) -> bool:
    """Whether far more is in flight than a server holds that keeps up (Little's law): sending on would only
    make a queue. Decides nothing: the requests that were sent do."""
    held = load_rps * e2e_s
    return in_flight > 2 * held + 5 * math.sqrt(held) + 20
