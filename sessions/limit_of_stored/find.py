"""Where the limit lies by what stored sessions were put under: each load judged as a step of a search is.

A load that came to a steady state passes, fails or stays undecided by its requests, those of all sessions
together. One whose latency went up all along can only fail: with more time it would have missed more, so what
misses already fails, and what does not miss yet says nothing. Anything else (a ramp, too short, drifting
down) says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sessions.compare.differences import differences
from sessions.digits import digits
from sessions.limit.search import Ask, Result, interval
from sessions.limit.step import Judged, Step, judge
from sessions.limit_of_stored.schema import RestsOn, StoredLimit
from sessions.limit_of_stored.stored_loads import StoredLoad, StoredSession, stored_loads
from sessions.plan.slo import Target
from sessions.summary.limit import bound_for_most
from sessions.summary.plan_schema import Limit, LimitStep
from sessions.summary.slo import values_of

SAME_LOAD = 1.02
"""Loads no further apart than this are one."""
WHY = "from stored loads: none was tried for this, nor again with other arrivals"
_SAME = ("target.url", "model")
"""What sessions have to have in common beside the work: else it is the limit of no one server."""


class NoStoredLimit(Exception):
    """The sessions say nothing together: one line."""


class _Known(NamedTuple):
    session: StoredSession
    load: StoredLoad
    values: list[list[float]]


def find_limit(sessions: Sequence[StoredSession], targets: Sequence[Target], closed: bool) -> StoredLimit:
    """`closed`: of requests at a time, else of a rate.

    Raises:
        NoStoredLimit: they are not of the same server and work, or none was put under a load of that kind.
    """
    notes = [*_compared(sessions), *_spoiled(sessions)]
    every = [
        _Known(session, load, values_of(targets, load.rows, load.not_sent))
        for session in sessions
        for load in stored_loads(session)
    ]
    known = [each for each in every if each.load.closed == closed and len(each.load.rows)]
    if not known:
        kind, other = ("requests at a time", "a rate") if closed else ("a rate", "requests at a time")
        hint = ""
        if any(each.load.closed != closed for each in every):
            hint = f"; they were put under {other}, " + (
                "leave --concurrency out" if closed else "give --concurrency"
            )
        elif every:
            hint = " long enough for one request to be measured; give others"
        raise NoStoredLimit(f"no load of {kind} is in these sessions{hint}")
    lengths = {each.load.lengths for each in known}
    if len(lengths) > 1:
        said = ", ".join(f"{given} -> {got}" for given, got in sorted(lengths)[:4])
        raise NoStoredLimit(
            f"not the same work: tokens of prompts and answers are {said}; give sessions of one"
        )
    rests_on: list[RestsOn] = []
    results: list[Result] = []
    for group in _by_load(known):
        judged, parts = _judged(group, targets)
        rests_on += parts
        if judged is not None:
            results.append(_result(group, judged))
    ask = Ask(targets, closed, math.inf)
    found = interval(ask, results, WHY)
    failed = next((each for each in known if each.load.load == found.failed), None)
    bound = ""
    if failed is not None:
        bound = bound_for_most(failed.session.summary.limits, failed.load.from_s, failed.load.to_s)
    limit = Limit(
        closed=closed,
        passed=found.passed,
        failed=found.failed,
        estimate=found.estimate,
        error=found.error,
        certified=False,
        monotone=found.monotone,
        over=True,
        why=WHY if found.passed is not None else _why_none(found.failed, results),
        requests=sum(result.requests for result in results),
        seconds=round(sum(result.seconds for result in results), 3),
        bound=bound,
        steps=[_step(result) for result in results],
    )
    ids = [session.summary.id for session in sessions]
    badges = list(dict.fromkeys(badge for session in sessions for badge in session.summary.badges))
    return StoredLimit([target.text for target in targets], ids, limit, rests_on, notes, badges)


def _compared(sessions: Sequence[StoredSession]) -> list[str]:
    """What differs from the first session and may matter, a sentence each.

    Raises:
        NoStoredLimit: it is another server, or other work.
    """
    first, notes = sessions[0], []
    for other in sessions[1:]:
        for each in differences(first.manifest, other.manifest, first.summary, other.summary):
            if each.kind == "asked" or each.what in _SAME:
                raise NoStoredLimit(
                    f"not one server and the same work: {each.what} is {each.a!r} and {each.b!r}; "
                    "give sessions of one"
                )
            if each.kind == "compared":
                ids = f"{first.summary.id} and {other.summary.id}"
                notes.append(f"{each.what} differs between {ids}: {each.a or '-'} and {each.b or '-'}")
    return notes


def _spoiled(sessions: Sequence[StoredSession]) -> Iterator[str]:
    for session in sessions:
        if not session.summary.valid:
            yield f"{session.summary.id} is not valid: {'; '.join(session.summary.reasons)}"


def _by_load(known: Sequence[_Known]) -> list[list[_Known]]:
    """Ascending; what is the same load is together."""
    groups: list[list[_Known]] = []
    for each in sorted(known, key=lambda one: one.load.load):
        if groups and each.load.load <= groups[-1][0].load.load * SAME_LOAD:
            groups[-1].append(each)
        else:
            groups.append([each])
    return groups


def _judged(group: Sequence[_Known], targets: Sequence[Target]) -> tuple[Judged | None, list[RestsOn]]:
    """What a load says, and of what each part of it says; None where it says nothing."""
    steady = [each for each in group if each.load.window == "steady"]
    pooled = [[value for each in steady for value in each.values[i]] for i in range(len(targets))]
    made = judge(targets, pooled) if steady else None
    said = []
    for each in group:
        own = judge(targets, each.values)
        if each.load.window == "steady":
            said.append(_rests_on(each, own, ""))
        elif each.load.window == "drifting_up" and own.verdict == "fail":
            made = own if made is None or made.verdict == "fail" else made._replace(verdict="undecided")
            said.append(_rests_on(each, own, ""))
        else:
            why = each.load.window.replace("_", " ") or "the load changed"
            said.append(_rests_on(each, None, f"{why}: no steady state"))
    return made, said


def _rests_on(known: _Known, judged: Judged | None, why: str) -> RestsOn:
    load = known.load
    verdict = None if judged is None else judged.verdict
    return RestsOn(
        known.session.summary.id, load.name, load.load, load.from_s, load.to_s, load.window, verdict, why
    )


def _result(group: Sequence[_Known], judged: Judged) -> Result:
    loads = [each.load for each in group]
    binding = judged.binding
    e2e_s = [value for load in loads if (value := load.e2e_s) is not None]
    requests = sum(len(load.rows) + load.not_sent for load in loads)
    return Result(
        step=Step("stored", loads[0].load, 0, (requests,)),
        verdict=judged.verdict,
        requests=requests,
        seconds=sum(load.seconds for load in loads),
        e2e_s=sum(e2e_s) / len(e2e_s) if e2e_s else None,
        misses=binding.misses,
        of=binding.of,
        independent=binding.independent,
        allowed=judged.allowed,
        target=judged.target,
    )


def _why_none(failed: float | None, results: Sequence[Result]) -> str:
    if not results:
        return "no stored load came to a steady state"
    if failed is None:
        return "no stored load has requests enough to tell"
    return f"no stored load below {digits(failed, 4)}, which fails, is known to hold it"


def _step(result: Result) -> LimitStep:
    return LimitStep(
        result.step.purpose, result.step.load, result.verdict, result.requests, round(result.seconds, 3),
        result.target, result.misses, result.of, round(result.allowed, 9),
    )  # fmt: skip
