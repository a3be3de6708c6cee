"""What the default profile promises: figures unloaded, and a knee where the documents say it is."""

from __future__ import annotations

import numpy as np

from loadgen.simulator.batch import Batch, Sequence
from loadgen.simulator.profiles import PROFILES

MS = 1e6


def run(
    profile: str, rate_rps: float, seconds: float, seed: int = 3
) -> tuple[Batch, np.ndarray, np.ndarray, float]:
    """Poisson arrivals of 256 in, 64 out through the model; batch, TTFTs and gaps in ms, tokens a second."""
    chosen = PROFILES[profile]
    batch = Batch(chosen.costs, chosen.limits)
    rng = np.random.default_rng(seed)
    due_ns = np.cumsum(rng.exponential(1e9 / rate_rps, int(rate_rps * seconds))).astype(int).tolist()
    last_ns: dict[Sequence, int] = {}
    ttft, gaps, now_ns, tokens_in_time = [], [], 0, 0
    while due_ns or batch.running or batch.waiting:
        while due_ns and due_ns[0] <= now_ns:
            sequence = batch.submit(256, 64, due_ns.pop(0))
            last_ns[sequence] = sequence.arrived_ns
        step = batch.begin(now_ns)
        if step is None:
            now_ns = due_ns[0]
            continue
        now_ns = step.end_ns
        for sequence in batch.finish(step):
            (ttft if sequence.generated == 1 else gaps).append((now_ns - last_ns[sequence]) / MS)
            last_ns[sequence] = now_ns
            tokens_in_time += now_ns <= seconds * 1e9
    return batch, np.array(ttft), np.array(gaps), tokens_in_time / seconds


def test_demo_unloaded_is_a_quick_server() -> None:
    _, ttft_ms, gaps_ms, _ = run("demo", 0.1, 200)
    assert 60 < np.median(ttft_ms) < 120
    assert 15 <= np.median(gaps_ms) < 20


def test_demo_below_its_knee_queues_little_and_preempts_nobody() -> None:
    batch, ttft_ms, _, _ = run("demo", 7, 60)
    assert np.percentile(ttft_ms, 95) < 400
    assert batch.preemptions == 0


def test_demo_past_its_knee_breaks_queue_cache_and_preemption_together() -> None:
    batch, ttft_ms, gaps_ms, tokens_per_s = run("demo", 14, 60)
    assert np.median(ttft_ms) > 2000
    assert np.percentile(gaps_ms, 95) > 100
    assert batch.preemptions > 10
    assert 500 < tokens_per_s < 1000  # never more than a slow core can stream


def test_small_is_quick_enough_for_tests() -> None:
    _, ttft_ms, gaps_ms, _ = run("small", 1, 60)
    assert np.median(ttft_ms) < 15
    assert np.median(gaps_ms) < 5
