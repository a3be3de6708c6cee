"""Targets held against requests: who held its limit, and whether that is enough to say pass or fail.

The denominator is every request that was scheduled: one that failed or was not sent is a miss.
`ttft.p95<500ms` asks of one request that its TTFT be at most 500 ms. A request without the figure (TPOT of a
single token) misses nothing by it. ITL asks of one request its mean, which is its TPOT, as goodput does in
other tools.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sessions.limit.certainty import Decision, decide, decide_mean
from sessions.metrics import Floats, Requests, e2e, send_lag, tpot, ttft_from_due, ttft_from_sent
from sessions.plan.slo import LATENCIES, Target, judged, overall
from sessions.summary.arithmetic import per
from sessions.summary.slo_schema import Slo, TargetResult
from sessions.timeline.requests import NONE

OF_REQUESTS: dict[str, Callable[[Requests], Floats]] = {
    "ttft": ttft_from_due,
    "ttft_sent": ttft_from_sent,
    "tpot": tpot,
    "e2e": e2e,
    "send_lag": send_lag,
}
ASKED_OF_ONE = {**OF_REQUESTS, "itl": tpot}
"""What each latency asks of a single request; a gap between chunks asks nothing of one."""


class Scheduled(NamedTuple):
    """Requests of a stretch of time."""

    rows: Requests
    """Those that ended, in the order in which they were due."""
    not_sent: int
    seconds: float
    """That goodput is taken over."""
    cut_off: int = 0
    """Of `rows`, those that the end of the run cut off: no errors of the server."""


Gaps = Callable[[str, str], "tuple[float | None, int]"]
"""`itl` or `chunk_gap` and a statistic to its figure in ms, and on how many gaps it rests."""
Figures = Callable[[str], "float | None"]
"""A rate or share by its name."""


def slo_of(targets: Sequence[Target], scheduled: Scheduled, gaps: Gaps, figures: Figures) -> Slo:
    """What `scheduled` says of each target and of all together."""
    rows = scheduled.rows
    total = len(rows) + scheduled.not_sent
    missed = misses_of_any(targets, rows)
    good = None if missed is None else len(rows) - int(missed.sum())
    seconds = scheduled.seconds
    goodput = per(good, seconds)
    results = []
    for target in targets:
        if target.metric == "attainment":
            known = np.zeros(0, dtype=bool) if missed is None else missed
            decision = decide(with_not_sent(known, scheduled), 1 - target.limit, target.confidence)
            share = None if good is None or not total else good / total
            results.append(_counted(target, share, decision, 1 - target.limit))
        elif target.metric in OF_REQUESTS:
            results.append(_of_requests(target, scheduled))
        elif target.metric in LATENCIES:
            figure, count = gaps(target.metric, target.statistic)
            floor = 1 if target.quantile is None else decide([], 1 - target.quantile, 0.95).needs or 1
            verdict = judged(target, figure, thin=count < floor)
            results.append(TargetResult(target.text, figure, verdict, target.limit))
        else:
            figure = goodput if target.metric == "goodput_rps" else figures(target.metric)
            if target.metric == "errors":
                answered = total - scheduled.cut_off
                failed = int((rows["error"] != NONE).sum()) - scheduled.cut_off
                figure = failed / answered if answered else None
            results.append(TargetResult(target.text, figure, judged(target, figure), target.limit))
    return Slo(
        verdict=overall([result.verdict for result in results]),
        scheduled=total,
        good=good,
        attainment=None if good is None or not total else good / total,
        goodput_rps=goodput,
        targets=results,
    )


def asked_of_one(targets: Sequence[Target]) -> list[Target]:
    """Those of `targets` that ask something of each single request."""
    return [target for target in targets if target.quantile is not None and target.metric in ASKED_OF_ONE]


def misses_of_any(targets: Sequence[Target], rows: Requests) -> NDArray[np.bool_] | None:
    """Which did not hold all that `targets` ask of one request; None where they ask nothing of one."""
    asking = asked_of_one(targets)
    if not asking:
        return None
    missed = np.zeros(len(rows), dtype=bool)
    for target in asking:
        missed |= misses_of(target, rows)
    return missed


def misses_of(target: Target, rows: Requests) -> NDArray[np.bool_]:
    """Which did not hold what a percentile asks of one request."""
    failed = rows["error"] != NONE
    late: NDArray[np.bool_] = ASKED_OF_ONE[target.metric](rows) / 1e6 > target.limit
    missed: NDArray[np.bool_] = failed | late
    return missed


def with_not_sent(missed: NDArray[np.bool_], scheduled: Scheduled) -> list[bool]:
    """Those that were not sent at the end: when each was due is not kept."""
    ended: list[bool] = missed.tolist()
    return ended + [True] * scheduled.not_sent


def values_of(targets: Sequence[Target], rows: Requests, not_sent: int) -> list[list[float]]:
    """What `sessions.limit.step.judge` takes: of each target, of each request in the order of due 1 where it
    missed and else 0; of a mean its figures in ms. `not_sent`: so many more missed."""
    failed = rows["error"] != NONE
    every = np.zeros(len(rows), dtype=bool)
    for target in targets:
        if target.quantile is not None:
            every |= misses_of(target, rows)
    found = []
    for target in targets:
        if target.statistic == "mean":
            times_ms = OF_REQUESTS[target.metric](rows[~failed]) / 1e6
            found.append(times_ms[np.isfinite(times_ms)].tolist())
            continue
        missed = failed if target.metric == "errors" else every
        if target.quantile is not None:
            missed = misses_of(target, rows)
        found.append([*missed.astype(float).tolist(), *[1.0] * not_sent])
    return found


def _of_requests(target: Target, scheduled: Scheduled) -> TargetResult:
    rows = scheduled.rows
    good = rows[rows["error"] == NONE]
    values_ms = OF_REQUESTS[target.metric](good) / 1e6
    known = values_ms[np.isfinite(values_ms)]
    quantile = target.quantile
    if len(good) and not len(known):  # a figure that these answers do not have
        return TargetResult(target.text, None, "undecided", target.limit)
    if quantile is None:
        figure = float(known.mean()) if len(known) else None
        made = decide_mean(known.tolist(), target.limit, target.confidence)
        return TargetResult(target.text, figure, made.verdict, target.limit, needs=made.needs)
    figure = float(np.quantile(known, quantile)) if len(known) else None
    allowed = 1 - quantile
    missed = with_not_sent(misses_of(target, rows), scheduled)
    return _counted(target, figure, decide(missed, allowed, target.confidence), allowed)


def _counted(target: Target, figure: float | None, made: Decision, allowed: float) -> TargetResult:
    figure = None if figure is None or not math.isfinite(figure) else round(figure, 6)
    return TargetResult(
        target.text, figure, made.verdict, target.limit, made.misses, made.of, round(allowed, 9), made.needs
    )
