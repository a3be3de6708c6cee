"""Requests on a server that is known from within: what it did with each, and what it says of them."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from loadgen.records import TICK_NS, Request, Tick
from loadgen.sketch import SketchCounts
from sessions.store.records import LoadChange
from telemetry.records import Histogram, ServerSample

S = 1_000_000_000
MS = 1_000_000


@dataclass(frozen=True)
class Asked:
    """A request; times in ms, each part after the other."""

    due_ns: int
    queue: float
    prefill: float = 100.0
    front: float = 5.0
    """What the server does before it queues it."""
    network: float = 15.0
    lag: float = 10.0
    decode: float = 3000.0

    @property
    def ttft(self) -> float:
        return self.lag + self.network + self.front + self.queue + self.prefill

    @property
    def first_ns(self) -> int:
        return self.due_ns + round(self.ttft * MS)

    @property
    def end_ns(self) -> int:
        return self.first_ns + round(self.decode * MS)

    @property
    def begun_ns(self) -> int:
        return self.first_ns - round(self.prefill * MS)


When = Callable[[Asked], int]
What = Callable[[Asked], float]
AT_END: When = lambda one: one.end_ns  # noqa: E731
AT_FIRST: When = lambda one: one.first_ns  # noqa: E731
AT_BEGIN: When = lambda one: one.begun_ns  # noqa: E731
QUEUE: What = lambda one: one.queue  # noqa: E731
PREFILL: What = lambda one: one.prefill  # noqa: E731
TTFT: What = lambda one: one.front + one.queue + one.prefill  # noqa: E731
E2E: What = lambda one: TTFT(one) + one.decode  # noqa: E731


def _by_tick(asked: Sequence[Asked], when: When) -> dict[int, list[Asked]]:
    found: dict[int, list[Asked]] = defaultdict(list)
    for one in asked:
        found[-(-when(one) // TICK_NS)].append(one)
    return found


def growing(until_s: float = 60.0, every_ms: int = 100, decode: float = 3000.0) -> list[Asked]:
    """10 requests a second; from 20 s on each waits longer than the one before."""
    return [
        Asked(round(t * MS), queue=max(0.0, (t / 1e3 - 20.0) * 50.0), decode=decode)
        for t in range(1000, round(until_s * 1e3), every_ms)
    ]


def ours(asked: Sequence[Asked], until_s: float = 60.0) -> Iterator[Any]:
    yield LoadChange(t_ns=1, change="start", rate_rps=10.0)
    first, ended, came = (_by_tick(asked, when) for when in (AT_FIRST, AT_END, lambda one: one.due_ns))
    for i in range(1, int(until_s * 4) + 1):
        due, sent, lag = SketchCounts(), SketchCounts(), SketchCounts()
        for one in first[i]:
            due.add(round(one.ttft * MS))
            sent.add(round((one.ttft - one.lag) * MS))
            lag.add(round(one.lag * MS))
        n, done = len(came[i]), len(ended[i])
        yield Tick(
            t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, due=n, sent=n, succeeded=done, chunks=20 * done,
            output_tokens=20 * done, ttft_from_due=due.take(), ttft_from_sent=sent.take(),
            send_lag=lag.take(), rate_rps=10.0,
        )  # fmt: skip
    for index, one in enumerate(asked):
        if one.end_ns <= until_s * S:
            yield Request(
                index, 0, one.due_ns, one.due_ns + round(one.lag * MS), first_token_ns=one.first_ns,
                last_token_ns=one.end_ns, end_ns=one.end_ns, status=200, output_tokens=20, chunks=20,
            )  # fmt: skip


VLLM = {
    "queue": (AT_END, QUEUE),
    "prefill": (AT_END, PREFILL),
    "ttft": (AT_FIRST, TTFT),
    "e2e": (AT_END, E2E),
}
SGLANG = {"queue": (AT_BEGIN, QUEUE), "ttft": (AT_FIRST, TTFT), "e2e": (AT_END, E2E)}
TGI = {"queue": (AT_END, QUEUE), "e2e": (AT_END, E2E)}


def its_own(
    asked: Sequence[Asked],
    tells: dict[str, tuple[When, What]],
    until_s: float = 60.0,
    every_ms: int = 500,
    times: int = 1,
    since_s: float = 0.0,
) -> Iterator[ServerSample]:
    """Read every half second. `times`: of so many clients like ours; `since_s`: it was started then."""
    counted = {}
    for name, (when, what) in tells.items():
        seen = sorted((when(one), what(one)) for one in asked if when(one) > since_s * S)
        counted[name] = [t_ns for t_ns, _ in seen], [0.0, *accumulate(ms for _, ms in seen)]
    for t in range(every_ms, int(until_s * 1e3) + 1, every_ms):
        told = {}
        for name, (times_ns, sums_ms) in counted.items():
            n = bisect_right(times_ns, t * MS)
            told[name] = Histogram([1e6], [times * n, times * n], times * sums_ms[n] / 1e3)
        yield ServerSample(t * MS, 1, "m", running=1.0, **told)
