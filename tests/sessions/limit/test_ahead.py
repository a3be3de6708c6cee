"""How long a search still takes, against searches that were gone through to their end."""

from __future__ import annotations

import random

import pytest

from sessions.limit.ahead import seconds_after
from sessions.limit.search import Ask, Result, next_step
from sessions.limit.step import Step, fails_already, judge
from sessions.plan.slo import parse_slo

TARGETS = parse_slo("ttft.p95<500ms")
E2E_S = 2.0


def e2e_s(ask: Ask, step: Step) -> float:
    """In a closed loop longer the more are at once, as of a server that shares its time among them."""
    return E2E_S * (1 + step.load / 16) if ask.closed and step.purpose != "single" else E2E_S


def taken(ask: Ask, step: Step, limit: float, draw: random.Random) -> Result:
    """A step as a server would have answered it, of whose requests 5 % miss at `limit` and more above it; it
    ends when it is decided."""
    counted = step.looks[-1]
    missed = [
        1.0 if draw.random() < min(0.05 * (step.load / limit) ** 6, 0.9) else 0.0 for _ in range(counted)
    ]
    for known in range(100, counted, 50):
        looks = [look for look in step.looks if look <= known]
        looked_at = judge(ask.targets, [missed[: looks[-1]]]).verdict if looks else "undecided"
        if looked_at != "undecided" or fails_already(ask.targets, [missed[:known]]):
            counted = known
            break
    judged = judge(ask.targets, [missed[:counted]])
    requests = step.warm_up + counted
    each_s = e2e_s(ask, step)
    seconds = requests * each_s / step.load if ask.closed else requests / step.load + each_s
    made = judged.binding
    figures = (made.misses, made.of, made.independent, judged.allowed, judged.target)
    verdict = "pass" if step.purpose == "single" else judged.verdict
    return Result(step, verdict, requests, seconds, each_s, *figures)


@pytest.mark.slow
@pytest.mark.parametrize(("closed", "limit"), [(False, 11.0), (False, 3.3), (True, 23.5), (True, 40.0)])
def test_the_time_left_is_about_what_it_comes_to_and_is_told_once_both_ends_are_known(
    closed: bool, limit: float
) -> None:
    ratios = []
    for seed in range(6):
        draw, ask = random.Random(seed), Ask(TARGETS, closed, most=200.0)
        results: list[Result] = []
        told: list[float | None] = []
        while isinstance(step := next_step(ask, results), Step):
            told.append(seconds_after(ask, results))
            results.append(taken(ask, step, limit, draw))
        known = [place for place, seconds in enumerate(told) if seconds is not None]
        failed = next(place for place, one in enumerate(results) if one.verdict == "fail")
        assert known[0] == failed + 1, "not before a load failed"
        assert known == list(range(failed + 1, len(results)))
        assert told[-1] == 0.0, "nothing follows the last"
        ratios.append(sum(one.seconds for one in results[failed + 2 :]) / (told[failed + 1] or 1.0))
    assert 0.4 < sorted(ratios)[3] < 1.5
    assert 0.2 < min(ratios) <= max(ratios) < 3.0


def test_nobody_can_tell_while_no_load_failed_or_none_passed() -> None:
    ask = Ask(TARGETS, closed=False, most=100.0)
    single = Result(Step("single", 1.0, 0, (12,)), "pass", 12, 24.0, 2.0)
    one = Result(Step("double", 1.0, 30, (59, 500)), "pass", 89, 90.0, 2.0, 0, 59, 59.0, 0.05)
    assert seconds_after(ask, []) is None
    assert seconds_after(ask, [single, one]) is None
    assert seconds_after(ask, [single, one._replace(verdict="fail", misses=30)]) is None
    failed = one._replace(step=one.step._replace(load=2.0), verdict="fail", misses=30)
    assert seconds_after(ask, [single, one, failed]) is not None
