"""What the default profile promises: figures unloaded, and a knee where the page says it is."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from loadgen.simulator.batch import Batch, Sequence
from loadgen.simulator.invented_profiles import INVENTED
from loadgen.simulator.profiles import PROFILES
from loadgen.simulator.virtual import Ask, answers

MS = 1e6
PAGE = Path(__file__).parents[3] / "docs" / "guide" / "simulator.md"


def page_row(profile: str) -> list[str]:
    """Cells of the page's tables: model, GPUs, alone, knee where it is told, KV cache."""
    (row,) = re.findall(rf"^\| `{profile}` \| (.+) \|$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return str(row).split(" | ")


def figures(cell: str) -> list[int]:
    return [int(word.replace(",", "")) for word in re.findall(r"\d[\d,]*", cell)]


@cache
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


@pytest.mark.parametrize("profile", PROFILES)
def test_the_page_has_the_profiles_own_figures(profile: str) -> None:
    chosen, (model, gpus, alone, *_, kv_cache) = PROFILES[profile], page_row(profile)
    assert (model, figures(gpus)) == (chosen.model, [len(chosen.gpus)])
    assert figures(kv_cache) == [chosen.limits.blocks * chosen.limits.block_tokens]
    _, ttft_ms, gaps_ms, _ = run(profile, 0.1, 200)
    assert re.findall(r"\d+ ms", alone) == [f"{np.median(ttft_ms):.0f} ms", f"{np.median(gaps_ms):.0f} ms"]


@pytest.mark.slow
@pytest.mark.parametrize("profile", INVENTED)
def test_each_knee_lies_where_the_page_says(profile: str) -> None:
    knee = page_row(profile)[3]
    first_rps, *more = figures(knee)
    alone_ms = np.median(run(profile, 0.1, 200)[1])
    assert np.median(run(profile, 0.9 * first_rps, 60)[1]) < 4 * alone_ms
    if not knee.startswith("beyond "):
        last_rps = more[0] if " to " in knee else first_rps
        _, ttft_ms, _, tokens_per_s = run(profile, 1.2 * last_rps, 60)
        assert np.median(ttft_ms) > 10 * alone_ms
        if "tokens/s" in knee:
            assert tokens_per_s == pytest.approx(more[-1], rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_the_ramp_of_the_demo_begins_below_each_knee_and_ends_past_it(profile: str) -> None:
    chosen, seconds = PROFILES[profile], 60.0
    growth = (chosen.demo_to_rps - 1.0) / seconds
    points = np.cumsum(np.random.default_rng(1).exponential(1.0, int(40 * chosen.demo_to_rps)))
    due_s = (np.sqrt(1.0 + 2.0 * growth * points) - 1.0) / growth  # when so many are due, 1 rps at first
    told = answers(chosen, [Ask(int(at * 1e9), 256, 64) for at in due_s[due_s < seconds]])
    first, last = (
        np.median([one.ttft_ms for one in told if from_s <= one.due_ns / 1e9 < from_s + 10])
        for from_s in (0.0, seconds - 10)
    )
    (alone,) = answers(chosen, [Ask(0, 256, 64)])
    assert first < 2 * alone.ttft_ms
    assert last > 10 * first
