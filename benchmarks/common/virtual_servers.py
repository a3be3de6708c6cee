"""Servers in virtual time whose highest load under a target is known: made of arrivals, never of sockets."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from loadgen.simulator.batch import Batch, Costs, Limits, Sequence

MOST_TOKENS = 24


class Served(NamedTuple):
    """Of each request, seconds."""

    due_s: list[float]
    ttft_s: list[float]
    end_s: list[float]


Serve = Callable[[np.random.Generator, float, int], Served]
"""Draws, a rate, a number of requests from an empty server on; what became of each."""


def arrivals(draw: np.random.Generator, rate_rps: float, count: int) -> list[float]:
    due: list[float] = np.cumsum(draw.exponential(1 / rate_rps, count)).tolist()
    return due


def single_queue(draw: np.random.Generator, rate_rps: float, count: int) -> Served:
    """One at a time, 100 ms each on average (M/M/1)."""
    return _slots(draw, rate_rps, count, 1, 0.1, 0.1)


def slots_32(draw: np.random.Generator, rate_rps: float, count: int) -> Served:
    """32 at a time, 2 s each on average (M/M/32); the first token comes at once when one is taken up."""
    return _slots(draw, rate_rps, count, 32, 2.0, 0.0)


def _slots(
    draw: np.random.Generator, rate_rps: float, count: int, slots: int, mean_s: float, first_share: float
) -> Served:
    due = arrivals(draw, rate_rps, count)
    service = draw.exponential(mean_s, count).tolist()
    free = [0.0] * slots
    ttft, end = [], []
    for at, takes in zip(due, service, strict=True):
        begins = max(at, heapq.heappop(free))
        ends = begins + takes
        heapq.heappush(free, ends)
        ttft.append((ends if slots == 1 else begins) - at)
        end.append(ends)
    return Served(due, ttft, end)


def single_queue_limit(target_s: float, share: float) -> float:
    """P(T > t) = exp(-(mu - lambda) t)."""
    return 10.0 + math.log(share) / target_s


def slots_limit(target_s: float, share: float) -> float:
    """P(W > t) = C exp(-(c mu - lambda) t) with Erlang's C, halved down to the rate where it is `share`."""

    def late(rate: float) -> float:
        load = rate * 2.0
        blocked = 1.0
        for n in range(1, 33):
            blocked = load * blocked / (n + load * blocked)
        waits = blocked / (1 - load / 32 * (1 - blocked))
        return waits * math.exp(-(16.0 - rate) * target_s)

    low, high = 1.0, 15.999
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if late(middle) < share else (low, middle)
    return low


_COSTS = Costs(
    prefill_fixed_ms=4.0,
    prefill_ms_per_token=0.05,
    decode_base_ms=8.0,
    decode_ms_per_sequence=0.4,
    decode_ms_per_kv_token=0.0,
)
_LIMITS = Limits(max_sequences=16, max_batched_tokens=1024, block_tokens=16, blocks=512, context_tokens=4096)


def batch_server(draw: np.random.Generator, rate_rps: float, count: int) -> Served:
    """The LLM simulator's engine: continuous batching, prompts of 128 tokens, answers of 8 to 24."""
    due = arrivals(draw, rate_rps, count)
    lengths = draw.integers(8, MOST_TOKENS + 1, count).tolist()
    batch, number = Batch(_COSTS, _LIMITS), dict[Sequence, int]()
    ttft, end = [0.0] * count, [0.0] * count
    now, sent, ended = 0, 0, 0
    while ended < count:
        while sent < count and due[sent] * 1e9 <= now:
            number[batch.submit(128, lengths[sent], round(due[sent] * 1e9))] = sent
            sent += 1
        step = batch.begin(now)
        if step is None:
            now = math.ceil(due[sent] * 1e9)
            continue
        now = step.end_ns
        while sent < count and due[sent] * 1e9 <= now:
            number[batch.submit(128, lengths[sent], round(due[sent] * 1e9))] = sent
            sent += 1
        for sequence in batch.finish(step):
            i = number[sequence]
            if sequence.generated == 1:
                ttft[i] = now / 1e9 - due[i]
            if sequence.state == "ended":
                end[i] = now / 1e9
                ended += 1
                del number[sequence]
    return Served(due, ttft, end)
