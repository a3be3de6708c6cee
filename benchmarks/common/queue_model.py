"""A simulated server in virtual time: what two of its runs are held against each other for.

No clock is read, and the same seed gives the same run. Poisson arrivals wait for one of 32 slots in the order
in which they came; a prefill and 64 tokens follow, the pace of which wanders (an AR(1) whose memory is 5 s),
so that requests near each other are fast or slow together.
"""

from __future__ import annotations

import heapq
from typing import Any, NamedTuple

import numpy as np

from loadgen.records import TICK_NS, Request, Tick
from loadgen.sketch import BUCKETS, GROWTH
from sessions.plan.config import LoadConfig, RunConfig
from sessions.plan.target_config import TargetConfig
from sessions.store.manifest import ClockAnchor, Manifest, SessionInfo
from sessions.store.records import End, LoadChange

SLOTS, TOKENS, PREFILL_S, TPOT_S = 32, 64, 0.12, 0.02
WANDER = 0.08
"""How far the pace wanders: the standard deviation of its log."""
TICKS_A_S = 4


class Asked(NamedTuple):
    """One simulated run. `utilisation`: of the slots of a server that is not slower."""

    utilisation: float
    seconds: float
    slower: float = 1.0
    steps: int = 1
    """Stretches of load, each half as high again as the one before it; `utilisation` is the last one's."""
    memory_s: float = 5.0
    """How long the server's pace remembers what it was."""


class Due(NamedTuple):
    due_s: np.ndarray
    steps: list[tuple[float, float]]
    """When each stretch of load begins, and its rate."""


def arrivals(asked: Asked, draw: np.random.Generator) -> Due:
    top_rps = asked.utilisation * SLOTS / (PREFILL_S + TPOT_S * (TOKENS - 1))
    each_s = asked.seconds / asked.steps
    steps = [(i * each_s, top_rps / 1.5 ** (asked.steps - 1 - i)) for i in range(asked.steps)]
    due = [np.sort(draw.uniform(at, at + each_s, draw.poisson(rps * each_s))) for at, rps in steps]
    return Due(np.concatenate(due), steps)


def paces(seconds: float, memory_s: float, draw: np.random.Generator) -> np.ndarray:
    """The server's pace in each quarter of a second: 1 on average."""
    memory = np.exp(-1 / TICKS_A_S / memory_s)
    steps = draw.normal(0.0, WANDER * np.sqrt(1 - memory**2), round(seconds * TICKS_A_S))
    log = [draw.normal(0.0, WANDER)]
    for step in steps[1:].tolist():
        log.append(memory * log[-1] + step)
    return np.exp(log)


def served(asked: Asked, seed: int) -> tuple[list[Any], Manifest]:
    """A run as its records, in no order, and its manifest."""
    draw = np.random.default_rng(seed)
    due = arrivals(asked, draw)
    n = len(due.due_s)
    pace = paces(2 * asked.seconds + 60, asked.memory_s, draw).tolist()
    prefill_s = (PREFILL_S * draw.lognormal(0.0, 0.3, n)).tolist()
    own = draw.lognormal(0.0, 0.05, n).tolist()
    free = [0.0] * SLOTS
    firsts, tpots = np.empty(n), np.empty(n)
    for i, at_s in enumerate(due.due_s.tolist()):
        start_s = max(at_s, free[0])
        now = asked.slower * pace[min(int(start_s * TICKS_A_S), len(pace) - 1)]
        first_s, tpot_s = start_s + prefill_s[i] * now, TPOT_S * own[i] * now
        firsts[i], tpots[i] = first_s, tpot_s
        heapq.heapreplace(free, first_s + tpot_s * (TOKENS - 1))
    records: list[Any] = []
    for at_s, rps in due.steps:
        records.append(LoadChange(round(at_s * 1e9), "start" if not at_s else "stage", rate_rps=rps))
    gaps_us = np.maximum(np.rint(tpots * 1e6), 1).astype(int)
    each = zip(due.due_s.tolist(), firsts.tolist(), gaps_us.tolist(), strict=True)
    for i, (due_s, first_s, gap_us) in enumerate(each):
        first_ns, due_ns = round(first_s * 1e9), round(due_s * 1e9)
        last_ns = first_ns + gap_us * 1000 * (TOKENS - 1)
        records.append(
            Request(
                index=i, worker=0, due_ns=due_ns, sent_ns=due_ns, first_token_ns=first_ns,
                last_token_ns=last_ns, end_ns=last_ns, status=200, input_tokens=256, output_tokens=TOKENS,
                chunks=TOKENS, gaps_us=[gap_us] * (TOKENS - 1),
            )
        )  # fmt: skip
    counted = ticks(due, firsts, gaps_us / 1e6, asked.seconds)
    records += [*counted, End(t_ns=counted[-1].t_ns + 1, reason="completed")]
    load = LoadConfig(rate_rps=due.steps[0][1], duration_s=asked.seconds, seed=seed)
    config = RunConfig(TargetConfig("http://127.0.0.1:1"), load)
    return records, Manifest(
        SessionInfo(f"run-{seed}", "", ""), ClockAnchor(0, 0), config, {"simulated": True}
    )


def ticks(due: Due, firsts: np.ndarray, gaps_s: np.ndarray, seconds: float) -> list[Tick]:
    """What a worker would have counted: gaps between tokens by when they came, tokens, requests."""
    token_s = (firsts[:, None] + gaps_s[:, None] * np.arange(TOKENS)).ravel()
    count = int(max(token_s.max(initial=0.0), seconds) * TICKS_A_S) + 2
    tokens = np.bincount((token_s * TICKS_A_S).astype(int), minlength=count)
    later = (token_s.reshape(-1, TOKENS)[:, 1:] * TICKS_A_S).astype(int)
    bucket = (np.log(gaps_s * 1e6) / np.log(GROWTH)).astype(int)
    keys, counts = np.unique(later * BUCKETS + bucket[:, None], return_counts=True)
    sketches: dict[int, list[int]] = {}
    for key, number in zip(keys.tolist(), counts.tolist(), strict=True):
        sketches.setdefault(key // BUCKETS, []).extend((key % BUCKETS, number))
    dues = np.bincount((due.due_s * TICKS_A_S).astype(int), minlength=count)
    ends = np.bincount(later[:, -1], minlength=count)
    found = []
    for i in range(count):
        rate = next((rps for at_s, rps in reversed(due.steps) if at_s <= i / TICKS_A_S), None)
        sketch = sketches.get(i, [])
        found.append(
            Tick(
                t_ns=(i + 1) * TICK_NS, dt_ns=TICK_NS, worker=0, due=int(dues[i]), sent=int(dues[i]),
                succeeded=int(ends[i]), output_tokens=int(tokens[i]), chunks=int(tokens[i]),
                rate_rps=rate if i / TICKS_A_S < seconds else 0.0, itl=sketch, chunk_gap=sketch,
            )
        )  # fmt: skip
    return found
