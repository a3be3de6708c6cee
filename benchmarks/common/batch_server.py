"""A server with continuous batching in virtual time: minutes of load in milliseconds of CPU.

The costs of a step and the order of admission are those of `loadgen.simulator.batch.Batch` for a server that
schedules as vLLM does; the blocks of the KV cache are left out, those of prefixes among them. A sequence is
known by the step in which it ends, so that a step costs nothing for those that only go on.
"""

from __future__ import annotations

import heapq

import numpy as np

from loadgen.simulator.batch import Costs, Limits
from sessions.steady.rule import BINS, Bins
from sessions.timeline.columns import Floats, Ints

TICK_S = 0.25


class Run:
    """What was due, and came, until `seconds`: times of requests, gaps a tick."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.due_s: Floats = np.zeros(0)
        self.first_s: Floats = np.zeros(0)
        self.end_s: Floats = np.zeros(0)
        """Infinite where it did not come."""
        ticks = round(seconds / TICK_S)
        self.gap_s: list[float] = [0.0] * ticks
        self.gaps: list[int] = [0] * ticks

    def bins(self, seconds: float) -> Bins:
        """The first part of it, as a stretch of load of that length."""
        ticks = round(seconds / TICK_S)
        edges = np.unique(np.rint(np.linspace(0, ticks, min(BINS, ticks) + 1)).astype(np.int64))

        def a_bin(ticked: Floats) -> Floats:
            return np.add.reduceat(ticked[:ticks], edges[:-1])

        def by(times_s: Floats, weights: Floats | None = None) -> Floats:
            known = times_s < seconds
            at = (times_s[known] / TICK_S).astype(np.int64)
            return np.bincount(at, None if weights is None else weights[known], minlength=ticks)[
                :ticks
            ].astype(float)

        def standing(times_s: Floats) -> Floats:
            """How many of them had come, on average over each tick."""
            known = times_s[times_s < seconds]
            part = np.floor(known / TICK_S) + 1 - known / TICK_S
            here = by(known)
            return np.cumsum(here) - here + by(known, part)

        return Bins(
            ticks * TICK_S / (len(edges) - 1),
            a_bin(by(self.due_s)),
            a_bin(standing(self.due_s) - standing(self.end_s)) / np.diff(edges),
            a_bin(by(self.first_s, self.first_s - self.due_s)),
            a_bin(by(self.first_s)),
            a_bin(np.array(self.gap_s)),
            a_bin(np.array(self.gaps, dtype=float)),
            a_bin(by(self.end_s, self.end_s - self.due_s)),
            a_bin(by(self.end_s)),
        )

    def completed_rps(self, from_s: float) -> float:
        return float(((self.end_s >= from_s) & (self.end_s < self.seconds)).sum()) / (self.seconds - from_s)


def run(
    costs: Costs,
    limits: Limits,
    seconds: float,
    prompts: Ints,
    outputs: Ints,
    *,
    due_s: Floats | None = None,
    concurrency: int = 0,
) -> Run:
    """Serves requests of the given lengths, due at `due_s`, or so many at a time."""
    out = Run(seconds)
    due: list[float] = [0.0] * concurrency if due_s is None else due_s.tolist()
    prompt_of, output_of = prompts.tolist(), outputs.tolist()
    first, end = [np.inf] * len(prompt_of), [np.inf] * len(prompt_of)
    ending: list[tuple[int, int]] = []
    now_s, step, admitted, running, kv_tokens = 0.0, 0, 0, 0, 0
    partly: tuple[int, int] | None = None
    """The sequence whose prompt did not fit into a step, and what is left of it."""
    while now_s < seconds:
        if not running and partly is None and (admitted >= len(due) or due[admitted] > now_s):
            if admitted >= len(due):
                break
            now_s = due[admitted]
        budget, prefill = limits.max_batched_tokens - running, 0
        prefilled: list[int] = []
        while budget > 0:
            if partly is None:
                full = running + len(prefilled) >= limits.max_sequences
                if full or admitted >= len(due) or due[admitted] > now_s:
                    break
                partly = admitted, prompt_of[admitted]
                admitted += 1
            which, left = partly
            tokens = min(left, budget)
            prefill, budget = prefill + tokens, budget - tokens
            partly = (which, left - tokens) if tokens < left else None
            if partly is None:
                prefilled.append(which)
        step_ms = costs.prefill_fixed_ms + costs.prefill_ms_per_token * prefill if prefill else 0.0
        if running:
            step_ms += costs.decode_base_ms + costs.decode_ms_per_sequence * running
            step_ms += costs.decode_ms_per_kv_token * kv_tokens
        step_ms += costs.step_ms
        now_s, step, kv_tokens = now_s + step_ms / 1e3, step + 1, kv_tokens + running
        tick = int(now_s / TICK_S)
        if running and tick < len(out.gaps):
            out.gap_s[tick] += running * step_ms / 1e3
            out.gaps[tick] += running
        ended: list[int] = []
        while ending and ending[0][0] <= step:
            which = heapq.heappop(ending)[1]
            running, kv_tokens = running - 1, kv_tokens - prompt_of[which] - output_of[which]
            ended.append(which)
        for which in prefilled:
            first[which] = now_s
            if output_of[which] == 1:
                ended.append(which)
                continue
            heapq.heappush(ending, (step + output_of[which] - 1, which))
            running, kv_tokens = running + 1, kv_tokens + prompt_of[which] + 1
        for which in ended:
            end[which] = now_s
            if due_s is None and len(due) < len(prompt_of):
                due.append(now_s)
    n = len(due)
    out.due_s, out.first_s, out.end_s = np.array(due), np.array(first[:n]), np.array(end[:n])
    return out
