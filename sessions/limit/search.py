"""The highest load that holds an SLO: from the steps that are over to the next one, or to the answer.

A few single requests; from far below the load is doubled until a step fails; then the gap between the
highest that passed and the lowest that failed is halved, geometrically, with steps that pass, fail, or stay
undecided, which is never claimed. Where steps cannot tell any more, some are put where all of them together
place the limit, until it is known well enough. What passed last is confirmed with other arrivals; at the end
come single requests once more, to see whether the server has changed. The answer is the interval from the
highest that passed to the lowest that failed, and an estimate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from sessions.digits import digits
from sessions.limit.step import NOT_OVER, Purpose, Step, looks_for
from sessions.plan.slo import Target, Verdict

SINGLES = 12
_FIRST = 0.25
"""Of a request at a time, in requests per second: where doubling begins."""
_LEAST_WARM_UP = 30
_STEPS_CAP = 40
OTHER_SERVER, SURELY = 1.2, 3.5
"""Single requests were not served alike that differ by this factor, and by so many standard errors."""
_NEAR = (1.35, 2.0, 4.0)
"""Steps by more than this factor above or below the limit tell little of where it is; the first of these
within which steps make a line."""
_MOST_MISSES = 0.5
"""Share from which on a step says that there was a queue, not how often requests are late."""
_CAUTION = 0.7
"""The estimate is lowered by so many of its standard errors: one too high costs more than one too low."""
_ROUNDS = 4
_ASIDE = 0.03
_REFINED = 4
"""So many steps at the most are put where the limit is estimated."""


class Ask(NamedTuple):
    """What is searched for."""

    targets: Sequence[Target]
    closed: bool
    """A concurrency, else a rate."""
    most: float
    """No step goes above it."""
    first: float | None = None
    """Where doubling begins; None: as the single requests say."""
    within: float = 1.10
    """The lowest that failed over the highest that passed, at which halving is over."""
    error: float = 0.02
    """Standard error, as a share of the limit, at which its estimate is good enough."""


class Result(NamedTuple):
    """A step that is over."""

    step: Step
    verdict: Verdict
    requests: int
    """All that were due in it, warm-up and all."""
    seconds: float
    e2e_s: float | None
    """Mean; None where nothing succeeded."""
    misses: int = 0
    of: int = 0
    independent: float = 0.0
    allowed: float = 0.0
    """0 where the target that bound is of a mean."""
    target: str = ""
    """The one that bound."""
    overloaded: bool = False
    """It was cut because the server did not keep up."""
    e2e_spread_s: float | None = None
    """Standard deviation of what `e2e_s` is the mean of; None where an older version wrote it."""


class Answer(NamedTuple):
    passed: float | None
    """The highest load that passed; None where none did."""
    failed: float | None
    """The lowest above it that failed; None where none did up to `Ask.most`."""
    estimate: float | None
    """Where the steps together put the limit; None where they do not say."""
    error: float | None
    """Its standard error as a share of it; None where nobody can tell."""
    certified: bool
    """Both ends of the interval are known, `passed` by two steps; else the answer is an estimate."""
    monotone: bool
    """No step passed above one that failed."""
    why: str
    """One sentence."""
    single_ratio: float | None = None
    """How many times as long single requests took at the end as in the beginning; None where that was not
    asked, or none succeeded."""


def answer(ask: Ask, results: Sequence[Result]) -> Answer:
    """What `results` say; of a search that is not over, so far."""
    coming = next_step(ask, results)
    return coming if isinstance(coming, Answer) else interval(ask, _split(results)[1], NOT_OVER)


def next_step(ask: Ask, results: Sequence[Result]) -> Step | Answer:
    """What comes after `results`."""
    singles, steps = _split(results)
    if not singles:
        return Step("single", 1.0, 0, (SINGLES,))
    coming = _after(ask, singles[0], steps)
    if isinstance(coming, Step) or not steps:
        return coming
    if len(singles) == 1:
        return Step("single", 1.0, 0, (SINGLES,))
    return _checked_again(coming, singles[0], singles[-1])


def _split(results: Sequence[Result]) -> tuple[list[Result], list[Result]]:
    """The single requests, and the steps under load."""
    singles = [result for result in results if result.step.purpose == "single"]
    return singles, [result for result in results if result.step.purpose != "single"]


def _checked_again(found: Answer, before: Result, after: Result) -> Answer:
    """`found`, which is of no one server where single requests take another time by now."""
    if not before.e2e_s or not after.e2e_s:
        return found
    ratio = after.e2e_s / before.e2e_s
    shares = (
        1.0 if each.e2e_spread_s is None else each.e2e_spread_s / each.e2e_s
        for each in (before, after)
        if each.e2e_s
    )
    error = math.hypot(*shares) / math.sqrt(SINGLES)
    if abs(math.log(ratio)) < max(math.log(OTHER_SERVER), SURELY * error):
        return found._replace(single_ratio=ratio)
    why = (
        f"{found.why}; but single requests took {digits(ratio, 2)} times as long at the end as in the "
        "beginning: the server, or what else runs there, has changed meanwhile"
    )
    return found._replace(single_ratio=ratio, certified=False, why=why)


def _after(ask: Ask, single: Result, steps: Sequence[Result]) -> Step | Answer:
    """What comes after `steps` under load, of which the answer is made."""
    if single.e2e_s is None:
        return Answer(None, None, None, None, False, True, "no single request succeeded")
    if single.verdict == "fail":
        return Answer(None, None, None, None, False, True, "single requests, one at a time, miss it already")
    if len(steps) >= _STEPS_CAP:
        return interval(ask, steps, f"stopped after {_STEPS_CAP} steps")
    low, high = highest_passed(steps), lowest_failed(steps)
    if high is None or low is None:
        return _doubled(ask, single, steps, low, high)
    undecided = {
        load for load, verdict in _last(steps).items() if verdict == "undecided" and low < load < high
    }
    if ask.closed or not undecided:
        between = _between(ask, low, high, undecided)
        if between is not None:
            return _step(ask, "narrow", between, steps, single)
    estimate, error = _estimate(steps, low, high)
    refined = sum(result.step.purpose == "refine" for result in steps)
    if (
        not ask.closed
        and estimate is not None
        and refined < _REFINED
        and (error is None or error > ask.error)
    ):
        # A little below and a little above it in turn, or they would make no line.
        off = 1 - _ASIDE if refined % 2 == 0 else 1 + _ASIDE
        return _step(ask, "refine", min(max(estimate * off, low), high), steps, single)
    confirming = [result for result in steps if result.step.purpose == "confirm" and result.step.load == low]
    if not confirming:
        return _step(ask, "confirm", low, steps, single)
    return interval(ask, steps, "")


def _doubled(
    ask: Ask, single: Result, steps: Sequence[Result], low: float | None, high: float | None
) -> Step | Answer:
    first = ask.first or (1.0 if ask.closed else _FIRST / (single.e2e_s or 1.0))
    if high is not None:  # not even the first passed: from there downwards
        lowest = min(result.step.load for result in steps)
        if lowest <= (1.0 if ask.closed else first / 64):
            return interval(ask, steps, f"not even {digits(lowest, 4)} holds it")
        return _step(ask, "double", _whole(ask, lowest / 2), steps, single)
    if not steps:
        return _step(ask, "double", _whole(ask, min(first, ask.most)), steps, single)
    highest = max(result.step.load for result in steps)
    growing = [r.step.load for r in steps if r.overloaded and r.verdict == "undecided"]
    if growing:  # a queue that grows holds no target for long: twice that load would only make it grow faster
        return _below_growing(ask, single, steps, low, min(growing))
    if highest >= ask.most:
        if low == highest and not any(result.step.purpose == "confirm" for result in steps):
            return _step(ask, "confirm", highest, steps, single)
        return interval(
            ask, steps, f"nothing failed up to {digits(ask.most, 6)}, the highest that was allowed"
        )
    return _step(ask, "double", _whole(ask, min(2 * highest, ask.most)), steps, single)


def _below_growing(
    ask: Ask, single: Result, steps: Sequence[Result], low: float | None, growing: float
) -> Step | Answer:
    """Between what passed and a load that the server did not keep up with, though too few missed to tell."""
    why = f"at {digits(growing, 4)} the server did not keep up, before enough requests missed to tell"
    if low is None:
        lowest = min(result.step.load for result in steps)
        if lowest <= (ask.first or _FIRST / (single.e2e_s or 1.0)) / 64:
            return interval(ask, steps, why)
        return _step(ask, "double", _whole(ask, lowest / 2), steps, single)
    tried = {result.step.load for result in steps if low < result.step.load < growing}
    middle = math.sqrt(low * growing)
    if growing / low > ask.within and not any(abs(math.log(load / middle)) < 0.01 for load in tried):
        return _step(ask, "narrow", middle, steps, single)
    if not any(result.step.purpose == "confirm" and result.step.load == low for result in steps):
        return _step(ask, "confirm", low, steps, single)
    return interval(ask, steps, why)


def _between(ask: Ask, low: float, high: float, undecided: set[float]) -> float | None:
    """Halves the widest gap that is too wide, of those that undecided steps leave; None without one."""
    marks = [low, *sorted(load for load in undecided if low < load < high), high]
    gaps = [(b / a, a, b) for a, b in pairwise(marks)]
    ratio, a, b = max(gaps)
    if ask.closed:
        middle = float(round(math.sqrt(a * b)))
        return middle if a < middle < b and ratio > ask.within else None
    # One gap is closed by halving it once more; with an undecided step between there are two.
    return math.sqrt(a * b) if ratio > ask.within else None


def _step(ask: Ask, purpose: Purpose, load: float, steps: Sequence[Result], single: Result) -> Step:
    at_once = load if ask.closed else load * e2e_near(load, steps, single)
    looks = looks_for(ask.targets, purpose, math.ceil(at_once))
    # Filling up is quick, the queue behind it is not: to look at nothing but its beginning would flatter.
    warm_up = max(_LEAST_WARM_UP, math.ceil(4 * at_once), looks[-1] // 10)
    return Step(purpose, load, warm_up, looks)


def e2e_near(load: float, steps: Sequence[Result], single: Result) -> float:
    """Of the nearest step that was not failed: behind a queue it says how long the queue was."""
    known = [
        (abs(math.log(result.step.load / load)), result.e2e_s)
        for result in steps
        if result.e2e_s is not None and result.verdict != "fail" and not result.overloaded
    ]
    return min(known)[1] if known else single.e2e_s or 1.0


def _whole(ask: Ask, load: float) -> float:
    return max(1.0, float(round(load))) if ask.closed else load


def _last(steps: Sequence[Result]) -> dict[float, Verdict]:
    """Of each load what was said last: a confirmation goes before what it confirms."""
    return {result.step.load: result.verdict for result in steps}


def lowest_failed(steps: Sequence[Result]) -> float | None:
    return min((load for load, verdict in _last(steps).items() if verdict == "fail"), default=None)


def highest_passed(steps: Sequence[Result]) -> float | None:
    """The highest below all that failed."""
    high = lowest_failed(steps) or math.inf
    passed = [load for load, verdict in _last(steps).items() if verdict == "pass" and load < high]
    return max(passed, default=None)


def interval(ask: Ask, steps: Sequence[Result], why: str) -> Answer:
    """What steps say whatever chose their loads. `why`: the sentence of the answer; empty: whether it was
    confirmed."""
    low, high = highest_passed(steps), lowest_failed(steps)
    monotone = high is None or all(load < high for load, verdict in _last(steps).items() if verdict == "pass")
    confirmed = any(
        result.step.purpose == "confirm" and result.step.load == low and result.verdict == "pass"
        for result in steps
    )
    estimate, error = _estimate(steps, low, high)
    if estimate is not None and error is not None:
        estimate = max(estimate * (1 - _CAUTION * error), low or 0.0)
    if not why:
        why = (
            "confirmed with other arrivals" if confirmed else "undecided when tried again with other arrivals"
        )
    certified = confirmed and high is not None and monotone
    return Answer(low, high, estimate, error, certified, monotone, why)


def _estimate(
    steps: Sequence[Result], low: float | None, high: float | None
) -> tuple[float | None, float | None]:
    """Where the share of misses reaches what is allowed, and the standard error of that as a share of it: a
    line through the steps near it, on log scales."""
    middle = None if low is None or high is None else math.sqrt(low * high)
    known = [each for each in steps if each.of and each.allowed and each.misses < _MOST_MISSES * each.of]
    misses = sum(each.misses for each in known)
    if middle is None or not misses:
        return middle, None
    # What one step says of how alike its requests are is rough: all of them together say it better.
    alike = math.fsum(each.misses * each.of / each.independent for each in known) / misses

    def off(each: Result) -> float:
        return abs(math.log((each.misses + 0.5) / (each.of + 1) / each.allowed)) + 10.0 / math.sqrt(each.of)

    nearest = min(known, key=off).step.load
    for factor in _NEAR:
        found, error = nearest, None
        for _ in range(_ROUNDS):
            near = [each for each in known if 1 / factor < each.step.load / found < factor]
            fitted = _reaches(near, alike, math.log(found))
            if fitted is None:
                error = None
                break
            found, error = fitted
            found = min(max(found, low or 0.0), high or math.inf)
        if error is not None:
            return found, error
    return min(max(nearest, low or 0.0), high or math.inf), None


def _reaches(near: Sequence[Result], alike: float, x0: float) -> tuple[float, float] | None:
    """Load at which the share of misses is the one that is allowed, and its standard error as a share: log of
    misses over log of load, by the most likely line (Poisson regression); None where that does not rise."""
    xs = [math.log(each.step.load) - x0 for each in near]
    level, slope = 0.0, 6.0
    for _ in range(25):
        expected = [
            each.of * each.allowed * math.exp(min(level + slope * x, 3.0))
            for each, x in zip(near, xs, strict=True)
        ]
        total = math.fsum(expected)
        first = math.fsum(e * x for e, x in zip(expected, xs, strict=True))
        second = math.fsum(e * x * x for e, x in zip(expected, xs, strict=True))
        off = math.fsum(each.misses - e for each, e in zip(near, expected, strict=True))
        tilt = math.fsum((each.misses - e) * x for each, e, x in zip(near, expected, xs, strict=True))
        wide = total * second - first * first
        if wide <= 1e-12 * total * total:
            return None
        level += (second * off - first * tilt) / wide
        slope = min(max(slope + (total * tilt - first * off) / wide, 0.0), 60.0)
    if slope <= 0.5:
        return None
    at = -level / slope
    variance = alike * (second - 2 * at * first + at * at * total) / wide / (slope * slope)
    return math.exp(x0 + at), math.sqrt(max(variance, 0.0))
