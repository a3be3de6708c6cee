"""/metrics, read with Prometheus' own parser from a simulator of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from loadgen.simulator.batch import Batch, Costs, Limits
from loadgen.simulator.metrics import EngineStats, Histogram
from tests.loadgen.simulator.processes import simulator

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def fresh() -> Iterator[httpx.Client]:
    with (
        simulator("--profile", "two-gpu") as running,
        running.client() as client,
    ):
        yield client


def scrape(client: httpx.Client) -> Samples:
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """Of the only sample with that name and at least these labels."""
    (found,) = [v for (n, has), v in samples.items() if n == name and has >= set(labels.items())]
    return found


def test_counters_and_histograms_hold_what_was_asked(fresh: httpx.Client) -> None:
    body = {"prompt": list(range(100, 150)), "max_tokens": 5, "ignore_eos": True}
    for _ in range(2):
        fresh.post("/v1/completions", json=body).raise_for_status()
    now = scrape(fresh)
    model = {"model_name": "sim-70b"}
    assert value(now, "vllm:prompt_tokens_total", **model) == 100
    assert value(now, "vllm:generation_tokens_total", **model) == 10
    assert value(now, "vllm:num_preemptions_total", **model) == 0
    assert value(now, "vllm:request_success_total", finished_reason="length", **model) == 2
    assert value(now, "vllm:request_success_total", finished_reason="stop", **model) == 0
    assert value(now, "vllm:num_requests_running", **model) == 0
    assert value(now, "vllm:num_requests_waiting", **model) == 0
    assert value(now, "vllm:kv_cache_usage_perc", **model) == 0
    assert value(now, "vllm:time_to_first_token_seconds_count", **model) == 2
    assert value(now, "vllm:inter_token_latency_seconds_count", **model) == 8
    assert value(now, "vllm:e2e_request_latency_seconds_count", **model) == 2
    # The second found the first's full blocks in the cache: 3 of 16 tokens.
    assert value(now, "vllm:prefix_cache_queries_total", **model) == 100
    assert value(now, "vllm:prefix_cache_hits_total", **model) == 48
    assert value(now, "vllm:prompt_tokens_cached_total", **model) == 48
    # Alone, by the profile's costs: prefill 20 + 50 * 0.09 ms, then 20 + 2 * 0.09 ms; decode 18 + 0.1 + 0.0001 * (51 + ... + 54) ms.
    assert value(now, "vllm:time_to_first_token_seconds_sum", **model) == pytest.approx(24.5e-3 + 20.18e-3)
    assert value(now, "vllm:inter_token_latency_seconds_sum", **model) == pytest.approx(
        2 * (4 * 18.1 + 0.021) * 1e-3
    )
    # Neither waited for the other: all of it was prefill.
    assert value(now, "vllm:request_queue_time_seconds_count", **model) == 2
    assert value(now, "vllm:request_queue_time_seconds_sum", **model) == 0
    assert value(now, "vllm:request_prefill_time_seconds_sum", **model) == pytest.approx(24.5e-3 + 20.18e-3)
    assert value(now, "vllm:time_to_first_token_seconds_bucket", le="0.02", **model) == 0
    assert value(now, "vllm:time_to_first_token_seconds_bucket", le="0.04", **model) == 2
    assert value(now, "vllm:time_to_first_token_seconds_bucket", le="+Inf", **model) == 2
    assert value(now, "ttftop_simulated") == 1


def test_gpus_are_there_each_with_labels_and_consistent_memory(fresh: httpx.Client) -> None:
    now = scrape(fresh)
    for gpu in ("0", "1"):
        labels = {"gpu": gpu, "UUID": f"GPU-00000000-0000-0000-0000-00000000000{gpu}"}
        labels |= {"modelName": "H100 80GB (simulated)", "Hostname": "simulated"}
        used, free, reserved = (
            value(now, f"DCGM_FI_DEV_FB_{part}", **labels) for part in ("USED", "FREE", "RESERVED")
        )
        assert used == 36 * 1024  # the weights; the cache is empty
        assert used + free + reserved == 80 * 1024
        assert value(now, "DCGM_FI_DEV_GPU_UTIL", **labels) == 0
        assert value(now, "DCGM_FI_DEV_POWER_USAGE", **labels) == 72
        assert value(now, "DCGM_FI_DEV_POWER_MGMT_LIMIT", **labels) == 700
        assert value(now, "DCGM_FI_DEV_SM_CLOCK", **labels) == 345
        assert value(now, "DCGM_FI_DEV_MEM_CLOCK", **labels) == 2619
        assert 30 < value(now, "DCGM_FI_DEV_GPU_TEMP", **labels) < 50
    assert sum(name == "DCGM_FI_DEV_GPU_UTIL" for name, _ in now) == 2


def test_while_it_works_cache_and_gpus_show_it_and_a_client_that_leaves_frees_all(
    fresh: httpx.Client,
) -> None:
    idle_mj = value(scrape(fresh), "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", gpu="0")
    body = {"prompt": [9] * 4000, "max_tokens": 4000, "ignore_eos": True, "stream": True}
    with fresh.stream("POST", "/v1/completions", json=body) as response:
        pieces = response.iter_raw()  # a name for it: collected, it would close the response
        next(pieces)
        busy = scrape(fresh)
    assert value(busy, "vllm:num_requests_running") == 1
    # 4000 tokens and a few more, in blocks of 16, of 1280.
    assert 250 / 1280 <= value(busy, "vllm:kv_cache_usage_perc") < 270 / 1280
    assert value(busy, "DCGM_FI_DEV_GPU_UTIL", gpu="1") > 0
    assert value(busy, "DCGM_FI_DEV_POWER_USAGE", gpu="1") > 72
    assert value(busy, "DCGM_FI_DEV_SM_CLOCK", gpu="1") > 345
    assert value(busy, "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", gpu="0") > idle_mj
    # 1600 KiB a token on each GPU.
    assert value(busy, "DCGM_FI_DEV_FB_USED", gpu="0") >= 36 * 1024 + 4000 * 1600 // 1024
    deadline = time.monotonic() + 10
    while value(after := scrape(fresh), "vllm:num_requests_running"):
        assert time.monotonic() < deadline, "the request of a client that left still runs"
    assert value(after, "vllm:kv_cache_usage_perc") == 0
    assert value(after, "vllm:request_success_total", finished_reason="abort") == 1
    assert value(after, "DCGM_FI_DEV_FB_USED", gpu="0") == 36 * 1024


def test_a_histogram_counts_a_value_on_a_bound_below_it() -> None:
    histogram = Histogram((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 1.0, 7.0):
        histogram.observe(seconds)
    assert histogram.cumulative() == [("0.1", 2.0), ("1.0", 4.0), ("+Inf", 5.0)]
    assert histogram.sum_s == pytest.approx(8.65)


def test_queue_and_prefill_are_told_at_the_end_of_a_request_and_make_its_first_token() -> None:
    # One at a time: prefill 10 ms, each of two more tokens 1 ms. The second arrives 4 ms after the first.
    costs = Costs(10.0, 0.0, 1.0, 0.0, 0.0)
    batch, stats = Batch(costs, Limits(1, 64, 16, 16, 100)), EngineStats()
    ms = 1_000_000
    batch.submit(16, 3, 0)
    batch.submit(16, 3, 4 * ms)
    now_ns, told = 0, []
    while (step := batch.begin(now_ns)) is not None:
        now_ns = step.end_ns
        for sequence in batch.finish(step):
            if sequence.state == "ended":
                stats.ended(sequence, now_ns, "length")
        told.append((now_ns // ms, sum(stats.queue.counts), stats.queue.sum_s, stats.prefill.sum_s))
    # The first waits 0 ms and has its token at 10; the second is begun at 12, 8 ms after it came.
    assert [row[0] for row in told] == [10, 11, 12, 22, 23, 24]
    assert [row[1] for row in told] == [0, 0, 1, 1, 1, 2]
    assert told[2][2:] == (0.0, pytest.approx(0.010))
    assert told[5][2:] == (pytest.approx(0.008), pytest.approx(0.020))


def test_a_preemption_is_neither_queue_nor_prefill() -> None:
    # Two of 16 + 17 tokens in a cache of 4 blocks: the younger loses its place, and is computed again later.
    batch = Batch(Costs(10.0, 0.0, 1.0, 0.0, 0.0), Limits(2, 64, 16, 4, 100))
    old, young = batch.submit(16, 33, 0), batch.submit(16, 33, 0)
    now_ns = 0
    while (step := batch.begin(now_ns)) is not None:
        now_ns = step.end_ns
        batch.finish(step)
    assert (old.preemptions, young.preemptions) == (0, 1)
    assert (old.scheduled_ns, young.scheduled_ns) == (0, 0)
    assert (old.first_token_ns, young.first_token_ns) == (10_000_000, 10_000_000)
