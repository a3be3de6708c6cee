"""A session of which records come in as time passes; nothing of it is on disk.

SIMULATED: 100 rps x 200 tokens (20 k tokens/s), 8 GPUs and a server read at 4 Hz.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.frame_cost import records
from loadgen.records import Request, Tick
from sessions.bottleneck.history import BottleneckHistory
from sessions.frame.session_view import SessionView
from sessions.plan.config import RunConfig
from sessions.plan.target_config import TargetConfig
from sessions.store.manifest import ClockAnchor, Manifest, SessionInfo

AGE_S, RPS, TOKENS = 120.0, 100, 200
SLO = ("ttft.p95<500ms", "itl.p95<50ms")


class GrowingSession(SessionView):
    """`clock` gives seconds; the run is `AGE_S` old at once. With `requests` also those that end come in, as
    for somebody who looks at a view of them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, requests: bool = True) -> None:
        super().__init__(Path(__file__).parent / "no-such-session")
        config = RunConfig(TargetConfig("http://127.0.0.1:1"), slo=list(SLO))
        self.manifest = Manifest(SessionInfo("i", "screen", ""), ClockAnchor(0, 0), config)
        self._history = BottleneckHistory(self.timeline)
        self._coming: Iterator[Any] = records(4 * 3600, 1, rps=RPS)
        self._next = next(self._coming)
        self._gone = _requests() if requests else iter(())
        self._clock, self._begin_s = clock, clock() - AGE_S
        self.poll()

    def poll(self) -> bool:
        upto_ns, new = int((self._clock() - self._begin_s) * 1e9), False
        while self._next.t_ns <= upto_ns:
            self.timeline.apply(self._next)
            self._history.noted(self._next.t_ns)
            if isinstance(self._next, Tick):
                for _, request in zip(range(self._next.succeeded), self._gone, strict=False):
                    self.timeline.apply(request)
            self._next, new = next(self._coming), True
        return new

    live = property(lambda self: True)  # type: ignore[assignment]


def _requests() -> Iterator[Request]:
    draw = np.random.default_rng(2)
    gaps_us = [int(us) for us in draw.lognormal(np.log(20_000), 0.3, TOKENS - 1)]
    index, last_ns = 0, sum(gaps_us) * 1000
    while True:
        due_ns = index * 1_000_000_000 // RPS
        first_ns = due_ns + int(draw.lognormal(np.log(2e8), 0.5))
        end_ns = first_ns + last_ns
        yield Request(
            index=index, worker=0, due_ns=due_ns, sent_ns=due_ns + 100_000, headers_ns=first_ns - 1_000_000,
            first_event_ns=first_ns, first_token_ns=first_ns, last_token_ns=end_ns, end_ns=end_ns, status=200,
            input_tokens=512, output_tokens=TOKENS, chunks=TOKENS, gaps_us=gaps_us,
        )  # fmt: skip
        index += 1
