"""`ttftop limit`'s search, and a naive one, on a server in virtual time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.common.virtual_servers import Serve, Served
from sessions.limit.search import Answer, Ask, Result, next_step
from sessions.limit.step import Step, fails_already, judge, overloaded

_CHECK = 100
"""Requests between two glances at a step under way."""


class Searched(NamedTuple):
    answer: Answer
    requests: int
    seconds: float
    steps: int
    results: list[Result]


def search(ask: Ask, serve: Serve, seed: int) -> Searched:
    """A whole search; each step has arrivals of its own."""
    results: list[Result] = []
    while True:
        step = next_step(ask, results)
        if isinstance(step, Answer):
            requests = sum(result.requests for result in results)
            return Searched(step, requests, sum(result.seconds for result in results), len(results), results)
        results.append(run_step(ask, serve, step, np.random.default_rng((seed, len(results)))))


def run_step(ask: Ask, serve: Serve, step: Step, draw: np.random.Generator) -> Result:
    """As the supervisor runs one: looked at when its requests are answered, cut where that is wanted."""
    single = step.purpose == "single"
    served = serve(draw, 0.001 if single else step.load, step.requests)
    sent, grew = (step.requests, False) if single else _cut(ask, served, step)
    judged = None
    for look in step.looks:
        due = step.warm_up + look
        if due > sent:
            break
        judged = judge(ask.targets, _values(ask, served, step.warm_up, due))
        if judged.verdict != "undecided":
            sent, grew = due, False
            break
    if judged is None or (judged.verdict == "undecided" and sent < step.requests):
        judged = judge(ask.targets, _values(ask, served, step.warm_up, sent))
    e2e = [served.end_s[i] - served.due_s[i] for i in range(sent)]
    verdict = judged.verdict
    if single:
        verdict = "fail" if judged.binding.misses > sent / 2 else "pass"
    seconds = sum(e2e) if single else max(served.end_s[:sent])
    made = judged.binding
    figures = (made.misses, made.of, made.independent, judged.allowed, judged.target)
    spread_s = float(np.std(e2e))
    return Result(
        *(step, verdict, sent, seconds, float(np.mean(e2e)), *figures), overloaded=grew, e2e_spread_s=spread_s
    )


def _cut(ask: Ask, served: Served, step: Step) -> tuple[int, bool]:
    """How many requests are sent before it is clear that no more are needed; and whether that is because the
    server does not keep up, as `LimitRunner` tells the search."""
    due, end = np.array(served.due_s), np.array(served.end_s)
    for sent in range(_CHECK, step.requests, _CHECK):
        now = due[sent]
        ended = end[:sent] <= now
        if ended.sum() < 20:
            continue
        e2e_s = float((end[:sent] - due[:sent])[ended].mean())
        whole = int(np.argmin(ended)) if not ended.all() else sent
        if overloaded(int(sent - ended.sum()), step.load, e2e_s) and sent > step.warm_up + _CHECK:
            return sent, True
        if whole > step.warm_up and fails_already(ask.targets, _values(ask, served, step.warm_up, whole)):
            return sent, False
    return step.requests, False


def _values(ask: Ask, served: Served, start: int, end: int) -> list[list[float]]:
    found = []
    for target in ask.targets:
        times = served.ttft_s[start:end]
        if target.metric == "e2e":
            times = [e - d for e, d in zip(served.end_s[start:end], served.due_s[start:end], strict=True)]
        limit_s = target.limit / 1e3
        found.append([float(time > limit_s) for time in times])
    return found


def naive(
    ask: Ask, serve: Serve, seed: int, requests: int, warm_up: int = 0, first: float = 1.0
) -> tuple[float, int]:
    """The usual script: double while p95 of so many requests holds, then halve to 5 %. Rate, requests."""
    (target,) = ask.targets
    sent, number = 0, 0

    def holds(rate: float) -> bool:
        nonlocal sent, number
        number += 1
        served = serve(np.random.default_rng((seed, 1000 + number)), rate, warm_up + requests)
        sent += warm_up + requests
        late = float(np.quantile(served.ttft_s[warm_up:], target.quantile or 0.95))
        return late * 1e3 <= target.limit

    low = first
    while holds(2 * low) and low < 1e4:
        low *= 2
    high = 2 * low
    while high / low > 1.05:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low, sent
