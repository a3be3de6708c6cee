"""Servers in virtual time whose highest load under a target is known: made of arrivals, never of sockets."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from loadgen.simulator.batch import Costs, Limits
from loadgen.simulator.profiles import PROFILES
from loadgen.simulator.virtual import Ask, answers


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
    return _slots(draw, rate_rps, count, 1, 0.1)


def slots_32(draw: np.random.Generator, rate_rps: float, count: int) -> Served:
    """32 at a time, 2 s each on average (M/M/32); the first token comes at once when one is taken up."""
    return _slots(draw, rate_rps, count, 32, 2.0)


def _slots(draw: np.random.Generator, rate_rps: float, count: int, slots: int, mean_s: float) -> Served:
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
_ENGINE = replace(PROFILES["demo"], costs=_COSTS, limits=_LIMITS)


def batch_server(draw: np.random.Generator, rate_rps: float, count: int) -> Served:
    """The LLM simulator's engine: continuous batching, prompts of 128 tokens, answers of 8 to 24."""
    due = arrivals(draw, rate_rps, count)
    lengths = draw.integers(8, 25, count).tolist()
    asks = [Ask(round(at * 1e9), 128, tokens) for at, tokens in zip(due, lengths, strict=True)]
    answered = answers(_ENGINE, asks)
    ttft = [each.first_ns / 1e9 - at for each, at in zip(answered, due, strict=True)]
    return Served(due, ttft, [each.last_ns / 1e9 for each in answered])
