"""What a run says of its requests, tokens, GPUs and money; expected figures are numpy's or worked by hand."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from loadgen.records import RequestError
from sessions.plan.config import LoadConfig
from sessions.store.manifest import read, write
from sessions.summary.prices import GpuPrice, Prices
from sessions.summary.quantile_schema import ExactQuantiles
from sessions.summary.read import read_summary
from sessions.summary.schema import End, Probe, Rate, RequestCounts, Throughput, Tokens, plain
from sessions.summary.summarise import summarise
from sessions.summary.telemetry_schema import Host, Spread
from telemetry.records import (
    GpuDevice,
    GpuDevices,
    GpuSample,
    GpuSamples,
    Histogram,
    HostSample,
    ServerSample,
)
from tests.sessions.summary.summing import (
    SECOND,
    START_S,
    embedded,
    gpu_records,
    last_end_s,
    manifest,
    stored,
    summed,
)
from tests.sessions.timeline.folding import folded

MakeRun = Callable[..., Any]


@pytest.mark.parametrize("chunk_tokens", ["one", "counted"])
def test_every_metric_is_numpys_on_the_requests_that_succeeded(make_run: MakeRun, chunk_tokens: str) -> None:
    run = make_run(rate_rps=60.0, chunk_tokens=chunk_tokens, failing=0.05)
    result = summed(run)
    good = [r for r in run.requests if r.error is None]
    assert len(good) < len(run.requests)
    exact: dict[str, list[float]] = {
        "ttft_from_due": [(r.first_token_ns - r.due_ns) / 1e6 for r in good],
        "ttft_from_sent": [(r.first_token_ns - r.sent_ns) / 1e6 for r in good],
        "e2e": [(r.last_token_ns - r.due_ns) / 1e6 for r in good],
        "send_lag": [(r.sent_ns - r.due_ns) / 1e6 for r in good],
        "tpot": [
            (r.last_token_ns - r.first_token_ns) / 1e6 / (r.output_tokens - 1) for r in good if r.chunks > 1
        ],
        "chunk_gap": [gap / 1e3 for r in good for gap in r.gaps_us],
        "itl": [
            gap / 1e3 / tokens
            for r in good
            for gap, tokens in zip(r.gaps_us, r.chunk_tokens[1:] or [1] * len(r.gaps_us), strict=True)
            for _ in range(tokens)
        ],
    }
    for name, values in exact.items():
        said: ExactQuantiles = getattr(result, f"{name}_ms")
        assert said.count == len(values)
        expected = [np.mean(values), *np.percentile(values, (50, 90, 95, 99)), min(values), max(values)]
        found = [said.mean, said.p50, said.p90, said.p95, said.p99, said.min, said.max]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=6e-7, err_msg=name)  # type: ignore[arg-type]
    assert result.itl_ms.unknown == 0


def test_the_ttft_of_requests_that_failed_or_were_cut_off_after_their_first_token_is_told_apart(
    make_run: MakeRun,
) -> None:
    run = make_run(rate_rps=60.0)
    cut, silent, failed = (list(run.requests)[start::7] for start in range(3))
    for request in [*cut, *silent]:
        request.error = RequestError("unfinished", "")
    for request in failed:
        request.error = RequestError("cut_mid_stream", "")
    for request in silent:
        request.first_token_ns = None
    ours = [*cut, *silent, *failed]
    result = summed(run, [*ours, *(r for r in run.records if r not in ours)])
    for told, those in ((result.ttft_of_failed_ms, failed), (result.ttft_of_cut_off_ms, cut)):
        waited = [(r.first_token_ns - r.due_ns) / 1e6 for r in those]
        assert told is not None
        assert told.count == len(those) > 10
        assert told.p50 == pytest.approx(np.percentile(waited, 50), abs=6e-7)
        assert told.p99 == pytest.approx(np.percentile(waited, 99), abs=6e-7)
        assert told.max == pytest.approx(max(waited), abs=6e-7)
    assert result.ttft_from_due_ms.count == len(run.requests) - len(ours)
    # What the end of a run cut off is no failure, wherever it is counted.
    assert (result.requests.failed, result.requests.cut_off) == (len(failed), len(cut) + len(silent))


def test_counts_rates_and_tokens_by_hand(make_run: MakeRun) -> None:
    run = make_run(seconds=12.0, failing=0.1)
    result = summed(run)
    good = [r for r in run.requests if r.error is None]
    n = len(run.requests)
    assert result.requests == RequestCounts(
        due=n, sent=n, succeeded=len(good), failed=n - len(good), not_sent=0
    )
    assert result.errors == {"cut_mid_stream": n - len(good)}
    duration_s = (max(r.end_ns for r in run.requests) - 1_300_000_000) / 1e9
    output = sum(r.output_tokens for r in good)
    assert result.duration_s == duration_s > 12
    assert result.rate == Rate(offered_rps=n / 12, achieved_rps=n / 12)
    assert result.throughput == Throughput(
        request_rps=len(good) / duration_s,
        output_tps=output / duration_s,
        total_tps=(output + 256 * len(good)) / duration_s,
        input_tps=256 * len(good) / duration_s,
    )
    assert result.tokens == Tokens(input=256 * len(good), cached=None, output=output, source="usage")


def test_what_a_server_says_was_cached_is_added_up(make_run: MakeRun) -> None:
    run = make_run(seconds=12.0)
    requests = list(run.requests)
    cached = [msgspec.structs.replace(requests[i], cached_tokens=count) for i, count in ((0, 200), (1, 0))]
    result = summed(run, [*run.timeline_records, *cached, *requests[2:]])
    assert result.tokens.cached == 200
    assert result.tokens_per_chunk == 1.0


def test_what_the_manifest_knows_stands_in_the_summary(make_run: MakeRun) -> None:
    result = summed(make_run(seconds=12.0))
    assert (result.id, result.name, result.model) == ("20261103-120000-made", "made", "toy")
    assert result.end == End("completed", "the run came to its end")
    assert result.probe == Probe(3)


def test_the_addresses_in_a_manifest_are_taken_as_far_as_they_are_some(make_run: MakeRun) -> None:
    run = make_run(seconds=12.0)
    run.manifest.server.update(addresses=["127.0.0.1", 7, None], addresses_left_out="127.0.0.2")
    assert summed(run).probe == Probe(3, ["127.0.0.1"], [])


def test_itl_is_unknown_where_no_one_said_what_the_chunks_bore(make_run: MakeRun) -> None:
    run = make_run(chunk_tokens="unknown")
    result = summed(run)
    several = [r for r in run.requests if r.output_tokens != r.chunks]
    assert result.itl_ms.unknown == len(several) > 100
    assert result.chunk_gap_ms.count == sum(len(r.gaps_us) for r in run.requests)
    assert result.tokens_per_chunk == pytest.approx(2.5, rel=0.1)


def test_a_rate_of_input_that_is_known_of_some_requests_is_no_rate(make_run: MakeRun) -> None:
    run = make_run()
    uncounted = list(run.requests)[::2]
    for request in uncounted:
        request.token_source, request.output_tokens, request.input_tokens = "chunks", request.chunks, None
    result = summed(run)
    assert result.throughput.total_tps is None
    assert result.throughput.input_tps is None
    assert result.tokens.source == "mixed"
    assert result.tokens.input == 256 * (len(run.requests) - len(uncounted))
    assert result.tokens.input_unknown == len(uncounted)
    assert result.tokens.estimated == sum(request.chunks for request in uncounted)


def test_tokens_estimated_from_chunks_are_named_so(make_run: MakeRun) -> None:
    run = make_run()
    requests = [
        msgspec.structs.replace(r, token_source="chunks", output_tokens=r.chunks, input_tokens=None)
        for r in run.requests
    ]
    result = summed(run, [*run.timeline_records, *requests])
    assert result.tokens.source == "chunks"
    assert result.tokens.input is None
    assert result.throughput.total_tps is None
    assert result.tokens_per_chunk is None
    mixed = summed(run, [*run.timeline_records, requests[0], *run.requests[1:]])
    assert mixed.tokens.source == "mixed"


def test_a_closed_loop_offers_no_rate(make_run: MakeRun) -> None:
    run = make_run()
    run.manifest.config = msgspec.structs.replace(run.manifest.config, load=LoadConfig(concurrency=4))
    assert summed(run).rate.offered_rps is None


def test_a_simulated_server_or_gpu_marks_the_result(make_run: MakeRun) -> None:
    run = make_run()
    assert summed(run).simulated is False
    devices = GpuDevices(t_ns=1, source="sim", devices=[], simulated=True)
    assert summed(run, [*run.records, devices]).simulated is True
    run.manifest.server = {"simulated": True}
    assert summed(run).simulated is True


# one result, however the records came


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_summing_up_live_equals_reading_afterwards_to_the_digit(
    make_run: MakeRun, tmp_path: Path, seed: int
) -> None:
    run = make_run(
        seed=seed,
        rate_rps=30.0,
        workers=3,
        failing=0.1,
        changes=((4.0, 60.0),),
        chunk_tokens=("one", "counted")[seed % 2],
    )
    run.supervised += gpu_records(16)
    live = summarise(stored(run, tmp_path, random.Random(seed)), read(tmp_path))
    afterwards = read_summary(tmp_path)
    assert msgspec.json.encode(live) == msgspec.json.encode(afterwards)
    assert live == summed(run)
    assert afterwards.notes == []


def test_the_order_of_records_leaves_no_trace(make_run: MakeRun) -> None:
    run = make_run(rate_rps=40.0, workers=3, failing=0.05, changes=((3.0, 10.0), (7.0, 50.0)))
    records = [*run.records, *gpu_records(16)]
    expected = summed(run, records)
    for seed in range(5):
        random.Random(seed).shuffle(records)
        assert summed(run, records) == expected


# GPUs, server, machines, money


def test_gpus_are_summed_up_over_the_run_and_energy_is_the_counters_difference(make_run: MakeRun) -> None:
    run = make_run(seconds=12.0)
    first, second = summed(run, [*run.records, *gpu_records(30)]).gpus
    end_s = last_end_s(run)
    inside = [i for i in range(30) if START_S <= i <= end_s]
    assert (first.index, first.name, first.samples) == (0, "H200", len(inside))
    assert first.util_pct == Spread(50.0, 50.0)
    assert first.memory_used_bytes == Spread(100 + np.mean(inside), 100 + max(inside))  # type: ignore[arg-type]
    assert first.memory_total_bytes == 1000
    assert first.power_w.mean == pytest.approx(np.mean([200 if i < 8 else 400 for i in inside]))
    assert first.energy_j == pytest.approx(10 * (end_s - START_S)), "over exactly the run"
    assert (first.energy_source, first.energy_gap_s) == ("counter", 0.0)
    assert second.util_pct == Spread(None, None)
    assert second.energy_j == pytest.approx(70.1 * (end_s - START_S))
    assert second.energy_source == "integrated"
    assert second.memory_total_bytes is None


def test_an_energy_counter_that_was_reset_leaves_a_gap_and_nothing_is_divided_by_it(
    make_run: MakeRun,
) -> None:
    run = make_run()
    samples = [
        GpuSamples(t_ns=i * SECOND, took_ns=1, source="n", gpus=[GpuSample("g", energy_j=100.0 * (i % 5))])
        for i in range(30)
    ]
    result = summed(run, [*run.records, *samples])
    resets = [t for t in range(5, 30, 5) if t <= last_end_s(run)]
    (gpu,) = result.gpus
    assert gpu.energy_gap_s == pytest.approx(len(resets))
    assert gpu.energy_j == pytest.approx(100 * (last_end_s(run) - START_S - len(resets)))
    assert result.energy.joules == gpu.energy_j
    assert result.energy.j_per_output_token is None


def with_gpu_0_serving(records: list[Any]) -> list[Any]:
    known = [
        GpuDevice("GPU-a", 0, "NVIDIA H100 80GB HBM3", serves_target=True),
        GpuDevice("GPU-b", 1, serves_target=False),
    ]
    return [*records, *gpu_records(40), GpuDevices(t_ns=2, source="nvml", devices=known)]


def test_joules_and_money_of_a_run_by_hand(make_run: MakeRun) -> None:
    run = make_run(seconds=12.0, changes=((6.0, 40.0),))
    table = Prices((GpuPrice("H100", 3.20),), "USD", "2026-11-01", "p.toml")
    result = summed(run, with_gpu_0_serving(run.records), prices=table)
    seconds = last_end_s(run) - START_S
    tokens = sum(r.output_tokens or 0 for r in run.requests)
    energy, cost = result.energy, result.cost
    # GPU 0 alone, which draws 10 W by its counter.
    assert (energy.gpus, energy.source, energy.gap_s) == (1, "counter", 0.0)
    assert energy.joules == pytest.approx(10 * seconds)
    assert energy.mean_w == pytest.approx(10.0)
    assert energy.j_per_output_token == pytest.approx(10 * seconds / tokens)
    assert energy.output_tps_per_w == pytest.approx(tokens / seconds / 10)
    assert cost is not None
    assert cost.per_million_output_tokens == pytest.approx(3.20 / 3600 / (tokens / seconds) * 1e6)
    assert cost.total == pytest.approx(3.20 * seconds / 3600)
    assert (cost.currency, cost.dated, cost.table) == ("USD", "2026-11-01", "p.toml")
    assert len(result.stages) == 2
    for stage in result.stages:
        assert stage.joules == pytest.approx(10 * 6.0)
        assert stage.j_per_output_token == pytest.approx(10 / stage.output_tps)
        assert stage.output_tps_per_w == pytest.approx(stage.output_tps / 10)
        assert stage.cost_per_million_output_tokens == pytest.approx(3.20 / 3600 / stage.output_tps * 1e6)


def test_without_a_table_a_summary_has_no_money(make_run: MakeRun) -> None:
    run = make_run()
    result = summed(run, with_gpu_0_serving(run.records))
    assert result.cost is None
    assert all(stage.cost_per_million_output_tokens is None for stage in result.stages)


def test_server_and_hosts_are_summed_up_where_they_spoke(make_run: MakeRun) -> None:
    run = make_run(seconds=12.0)
    assert (summed(run).server, summed(run).hosts) == (None, [])
    records: list[Any] = []
    for i in range(40):
        counts = [2 * i, 4 * i, 4 * i]
        records += [
            ServerSample(
                t_ns=i * SECOND, took_ns=1, source="m", kv_pct=float(i), preemptions=10.0 * i % 70,
                ttft=Histogram([0.16, 0.2], counts),
            ),
            HostSample(t_ns=i * SECOND, took_ns=1, source="host", host="n1", cpu_pct=50.0, steal_pct=float(i % 2)),
        ]  # fmt: skip
    result = summed(run, [*run.records, *records])
    server, last = result.server, int(last_end_s(run))
    assert server is not None
    assert server.kv_pct == Spread(pytest.approx(np.mean(range(2, last + 1))), float(last))  # type: ignore[arg-type]
    # Of 4 a second, half are under 0.16 s, as the median is; the 95th of 100 lies nine tenths on from there to 0.2 s.
    assert server.ttft_ms is not None
    assert server.ttft_ms.p50 is None
    assert server.ttft_ms.between == {"p50": [0.0, 160.0]}
    assert server.ttft_ms.p95 == pytest.approx(196.0)
    assert server.ttft_ms.count == 4 * (last - 1)
    # From 10 at 1 s on; back to 0 at 7 s, 14 s, ...: each fall is a new start.
    readings = [10 * i % 70 for i in range(1, last + 1)]
    assert server.preemptions == sum(b - a if b >= a else b for a, b in itertools.pairwise(readings))
    assert server.running is None
    half = Spread(pytest.approx(0.5, abs=0.06), 1.0)  # type: ignore[arg-type]
    assert result.hosts == [Host("n1", cpu_pct=Spread(50.0, 50.0), steal_pct=half)]


def test_what_bound_when_stands_in_the_summary(make_run: MakeRun) -> None:
    run = make_run(seconds=12.0)
    full = [
        ServerSample(t_ns=i * SECOND // 4, took_ns=1, source="m", kv_pct=99.0, waiting=5.0) for i in range(80)
    ]
    result = summed(run, [*run.records, *full])
    first = result.limits[0]
    assert (first.from_s, first.limit, first.why) == (0.0, "KV cache", "99 % used, 5 waiting")
    assert first.to_s == pytest.approx(result.duration_s, abs=0.001)


def test_the_result_survives_the_manifest(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    run.manifest.result = plain(summed(run))
    write(tmp_path, run.manifest)
    back = read(tmp_path).result
    assert back is not None
    kept = {key: value for key, value in run.manifest.result["ttft_from_due_ms"].items() if value is not None}
    assert back["ttft_from_due_ms"] == kept, "TOML has no null"
    assert back["requests"] == run.manifest.result["requests"]


def test_where_answers_have_no_tokens_their_times_are_missing_and_input_is_counted() -> None:
    result = summarise(folded(*embedded()), manifest(LoadConfig(duration_s=2.0)))
    assert (result.valid, result.requests.succeeded, result.errors) == (True, 8, {})
    for name in ("ttft_from_due_ms", "ttft_from_sent_ms", "itl_ms", "chunk_gap_ms", "tpot_ms"):
        described = getattr(result, name)
        assert (described.count, described.p50, described.mean) == (0, None, None)
    assert result.itl_ms.unknown == 0
    # to the end of the answer: 10 to 17 ms
    assert (result.e2e_ms.count, result.e2e_ms.min, result.e2e_ms.p50, result.e2e_ms.max) == (
        8,
        10.0,
        13.5,
        17.0,
    )
    assert result.tokens == Tokens(input=320, cached=None, output=0, source=None)
    through = result.throughput
    assert through.input_tps == through.total_tps == pytest.approx(320 / result.duration_s)
    assert through.output_tps is None
    assert [stage.output_tps for stage in result.stages] == [None] * len(result.stages)
    assert result.tokens_per_chunk is None
