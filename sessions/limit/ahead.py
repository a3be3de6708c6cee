"""How long a search still takes: the steps that would follow if each were decided, at full length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from sessions.limit.search import Ask, Result, e2e_near, highest_passed, lowest_failed, next_step
from sessions.limit.step import Step
from sessions.plan.slo import Verdict


def seconds_after(ask: Ask, results: Sequence[Result]) -> float | None:
    """Of all steps after the next one, which may be on already: each as long as all its requests take to be
    due and its last answer to come. None until a load passed and one above it failed, since nobody knows how
    far upwards or downwards the search goes on; 0 where none follows.

    An estimate: a step ends as soon as it is decided, and one that stays undecided makes others follow.
    """
    return _seconds_after(ask._replace(targets=tuple(ask.targets)), tuple(results))


_STEEP = 6
"""About how misses grow with the load near the limit, as a power of it."""


@lru_cache(maxsize=8)
def _seconds_after(ask: Ask, results: tuple[Result, ...]) -> float | None:
    """The same results stand through all the frames of a step."""
    steps = [result for result in results if result.step.purpose != "single"]
    low, high = highest_passed(steps), lowest_failed(steps)
    single = next((result for result in results if result.step.purpose == "single"), None)
    if low is None or high is None or single is None or single.e2e_s is None:
        return None
    limit, imagined, seconds = math.sqrt(low * high), list(results), 0.0
    allowed = next((result.allowed for result in reversed(steps) if result.allowed), 0.0)
    while isinstance(step := next_step(ask, imagined), Step):
        counted = step.looks[-1]
        # Of what was measured: an answer takes longer the more are at once.
        e2e_s = single.e2e_s if step.purpose == "single" else e2e_near(step.load, steps, single)
        if len(imagined) > len(results):
            seconds += _seconds(ask, step, e2e_s)
        verdict: Verdict = "pass" if step.purpose == "single" or step.load <= limit else "fail"
        misses = min(round(counted * allowed * (step.load / limit) ** _STEEP), counted)
        imagined.append(
            Result(step, verdict, step.requests, 0.0, e2e_s, misses, counted, float(counted), allowed)
        )
    return seconds


def _seconds(ask: Ask, step: Step, e2e_s: float) -> float:
    if ask.closed or step.purpose == "single":
        return step.requests * e2e_s / step.load
    return step.requests / step.load + e2e_s
