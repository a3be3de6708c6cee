"""What a search for the limit found, from the lines of its steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sessions.bottleneck.history import LimitSpan
from sessions.limit.results import ask_of, read_result, results_of
from sessions.limit.search import Answer, Result, answer, next_step
from sessions.plan.config import RunConfig
from sessions.summary.plan_schema import Limit, LimitStep
from sessions.timeline.timeline import Timeline


def limit_found(timeline: Timeline, config: RunConfig, spans: Sequence[LimitSpan], start_ns: int) -> Limit:
    """As far as it has come, with the steps of the sessions that it goes on with."""
    over = [
        (change, result) for change in timeline.stages if (result := read_result(change.result)) is not None
    ]
    before = results_of(config.limit.before) if config.limit is not None else []
    results = [*before, *(result for _, result in over)]
    ask = ask_of(config)
    found = answer(ask, results)
    bound = ""
    for change, result in over:
        if result.verdict == "fail" and result.step.load == found.failed:
            to_s = (change.t_ns - start_ns) / 1e9
            bound = bound_for_most(spans, to_s - result.seconds, to_s)
    return Limit(
        closed=config.limit is not None and config.limit.closed,
        passed=found.passed,
        failed=found.failed,
        estimate=found.estimate,
        error=found.error,
        certified=found.certified,
        monotone=found.monotone,
        over=isinstance(next_step(ask, results), Answer),
        why=found.why,
        requests=sum(result.requests for result in results),
        seconds=round(sum(result.seconds for result in results), 3),
        bound=bound,
        steps=[_step(result) for result in results],
        single_ratio=found.single_ratio,
    )


def bound_for_most(spans: Sequence[LimitSpan], from_s: float, to_s: float) -> str:
    """What bound for most of that time."""
    held: Counter[str] = Counter()
    for span in spans:
        held[span.limit] += round(1000 * max(0.0, min(span.to_s, to_s) - max(span.from_s, from_s)))
    name, milliseconds = max(held.items(), key=lambda item: item[1], default=("", 0))
    return name if milliseconds else ""


def _step(result: Result) -> LimitStep:
    step = result.step
    return LimitStep(
        step.purpose,
        step.load,
        result.verdict,
        result.requests,
        round(result.seconds, 3),
        result.target,
        result.misses,
        result.of,
        round(result.allowed, 9),
    )
