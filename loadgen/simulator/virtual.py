"""Loads the simulated engine in virtual time: no clock, no socket, seconds of a server in milliseconds.

The batch model is the one that `loadgen.simulator.engine` paces in real time; here the next step begins
when the one before it ended, and requests come when they are due. What network, HTTP and the client add
is not in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple

from loadgen.simulator.balancer import least_busy
from loadgen.simulator.batch import Batch, Sequence, Step
from loadgen.simulator.profile import Profile


class Ask(NamedTuple):
    """One request."""

    due_ns: int
    prompt_tokens: int
    output_tokens: int
    block_hashes: tuple[int, ...] | None = None
    """See `loadgen.simulator.prefix_cache`; None: nothing of it is shared."""


@dataclass
class Answer:
    """What became of an `Ask`. Times are those of the engine's steps."""

    due_ns: int
    sent_ns: int
    """Later than `due_ns` where too many were in flight."""
    output_tokens: int
    first_ns: int = 0
    last_ns: int = 0
    cached_tokens: int = 0

    @property
    def ttft_ms(self) -> float:
        """From when it was sent: what a benchmark that caps its requests in flight calls TTFT."""
        return (self.first_ns - self.sent_ns) / 1e6


def answers(profile: Profile, asks: Iterable[Ask], max_in_flight: int | None = None) -> list[Answer]:
    """All `asks` (by due time) answered, in their order.

    A closed loop is a load whose requests are all due at once, with `max_in_flight` slots.
    """
    engines = [Batch(profile.costs, profile.limits) for _ in range(profile.replicas)]
    steps: list[tuple[int, int]] = []
    """Ends of the steps under way, each with the number of its engine: a heap."""
    under_way: dict[int, Step] = {}
    due, told = deque(asks), []
    in_flight: dict[Sequence, Answer] = {}
    slots = max_in_flight or len(due)
    now_ns = 0
    while due or steps:
        sends = bool(due) and len(in_flight) < slots
        if steps and not (sends and due[0].due_ns < steps[0][0]):
            now_ns, number = heappop(steps)
            for sequence in engines[number].finish(under_way.pop(number)):
                answer = in_flight[sequence]
                answer.first_ns = answer.first_ns or now_ns
                if sequence.state == "ended":
                    answer.last_ns, answer.cached_tokens = now_ns, sequence.cached_tokens
                    del in_flight[sequence]
        else:
            now_ns = max(now_ns, due[0].due_ns)
        while due and due[0].due_ns <= now_ns and len(in_flight) < slots:
            ask = due.popleft()
            sequence = least_busy(engines).submit(
                ask.prompt_tokens, ask.output_tokens, now_ns, ask.block_hashes
            )
            told.append(Answer(ask.due_ns, now_ns, ask.output_tokens))
            in_flight[sequence] = told[-1]
        for number, engine in enumerate(engines):
            if number not in under_way and (step := engine.begin(now_ns)) is not None:
                under_way[number] = step
                heappush(steps, (step.end_ns, number))
    return told
