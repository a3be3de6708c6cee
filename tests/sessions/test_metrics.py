from __future__ import annotations

import random

import numpy as np
import pytest

from loadgen.records import Request
from sessions.metrics import (
    PER_REQUEST,
    chunk_gaps_us,
    e2e,
    itl_us,
    send_lag,
    tpot,
    ttft_from_due,
    ttft_from_sent,
)
from sessions.summary.exact_quantiles import ExactQuantiles

# due 1.000 s, sent 1.002, tokens at 1.100, 1.120, 1.150, 1.152
FOUR_CHUNKS = {
    "index": 0,
    "worker": 0,
    "due_ns": 1_000_000_000,
    "sent_ns": 1_002_000_000,
    "first_token_ns": 1_100_000_000,
    "last_token_ns": 1_152_000_000,
    "end_ns": 1_153_000_000,
    "chunks": 4,
    "gaps_us": [20_000, 30_000, 2_000],
    "output_tokens": 4,
}


def request(**changes: object) -> Request:
    return Request(**{**FOUR_CHUNKS, **changes})  # type: ignore[arg-type]


def test_latencies_of_a_request_by_hand() -> None:
    r = request()
    assert ttft_from_due(r) == 100_000_000
    assert ttft_from_sent(r) == 98_000_000
    assert e2e(r) == 152_000_000
    assert send_lag(r) == 2_000_000
    assert tpot(r) == 52_000_000 / 3
    assert chunk_gaps_us(r) == [20_000, 30_000, 2_000]


def test_a_request_sent_again_after_a_stale_connection_has_no_send_lag_of_ours() -> None:
    r = request(stale_retries=1)
    assert send_lag(r) is None
    assert ttft_from_due(r) == 100_000_000


def test_itl_is_the_chunk_gap_where_each_chunk_bore_one_token() -> None:
    assert itl_us(request()) == ([20_000, 30_000, 2_000], None)


def test_a_chunk_of_several_tokens_shares_its_gap_among_them() -> None:
    r = request(chunk_tokens=[2, 4, 1, 1], output_tokens=8)
    assert itl_us(r) == ([5_000, 30_000, 2_000], [4, 1, 1])
    assert tpot(r) == 52_000_000 / 7


def test_itl_is_unknown_where_the_tokens_of_a_chunk_are() -> None:
    assert itl_us(request(output_tokens=9)) is None
    assert itl_us(request(output_tokens=None)) is None
    assert itl_us(request(token_source="chunks")) is None, "counted from the chunks themselves"
    assert itl_us(request(chunk_tokens=[1, 2])) is None, "a list that does not fit the gaps"
    assert chunk_gaps_us(request(output_tokens=9)) == [20_000, 30_000, 2_000]


def test_one_token_has_no_gap_and_no_time_per_token() -> None:
    r = request(chunks=1, gaps_us=[], output_tokens=1, last_token_ns=1_100_000_000)
    assert tpot(r) is None
    assert itl_us(r) == ([], None)
    assert e2e(r) == 100_000_000


@pytest.mark.parametrize("missing", ["first_token_ns", "last_token_ns", "sent_ns"])
def test_a_missing_time_gives_no_figure_rather_than_a_nought(missing: str) -> None:
    r = request(**{missing: None})
    figures = {name: figure(r) for name, figure in PER_REQUEST.items()}
    assert None in figures.values()
    assert 0 not in figures.values()


def test_a_time_before_its_beginning_gives_no_figure() -> None:
    assert ttft_from_due(request(first_token_ns=999_999_999)) is None


@pytest.mark.parametrize("n", [1, 2, 7, 1000, 30_000])
def test_described_values_are_numpys_on_the_same_numbers(n: int) -> None:
    draws = np.random.default_rng(n).lognormal(10, 0.5, n).round()
    values = ExactQuantiles()
    values.add(draws[: n // 2])
    values.add(draws[n // 2 :])
    said = values.described(1e3)
    assert said["count"] == n
    expected = np.percentile(draws, (0, 50, 90, 95, 99, 100)) / 1e3
    found = [said[name] for name in ("min", "p50", "p90", "p95", "p99", "max")]
    np.testing.assert_allclose(np.array(found, dtype=float), expected, rtol=1e-12, atol=5e-7)
    np.testing.assert_allclose(np.array(said["mean"], dtype=float), draws.mean() / 1e3, atol=5e-7)


def test_weights_count_as_repeats_and_the_order_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(3)
    pairs = [(draw.choice([draw.uniform(1, 9), draw.randint(1, 9)]), draw.randint(1, 5)) for _ in range(500)]
    expanded = [value for value, count in pairs for _ in range(count)]
    described = []
    for compact_at, whole_below in ((1 << 20, 1 << 20), (50, 5), (3, 0)):
        monkeypatch.setattr("sessions.summary.exact_quantiles._COMPACT_AT", compact_at)
        monkeypatch.setattr("sessions.summary.exact_quantiles._WHOLE_BELOW", whole_below)
        draw.shuffle(pairs)
        values = ExactQuantiles()
        for value, count in pairs:
            if count == 1:
                values.add((value,))
            else:
                values.add([value], [count])
        described.append(values.described(1.0))
    assert described[0] == described[1] == described[2]
    assert described[0]["p95"] == pytest.approx(np.percentile(expanded, 95), abs=1e-6)
    assert described[0]["count"] == len(expanded)


def test_percentiles_on_few_samples_are_named_thin() -> None:
    thin = {}
    for n in (10, 11, 63, 64, 129, 130, 661, 662):
        values = ExactQuantiles()
        values.add(range(n))
        thin[n] = values.described(1.0)["thin"]
    assert thin[10] == ["p50", "p90", "p95", "p99"]
    assert thin[11] == thin[63] == ["p90", "p95", "p99"]
    assert thin[64] == thin[129] == ["p95", "p99"]
    assert thin[130] == thin[661] == ["p99"]
    assert thin[662] == []


def test_nothing_observed_is_none_throughout() -> None:
    said = ExactQuantiles().described(1.0)
    assert said["count"] == 0
    assert [said[name] for name in ("mean", "p50", "p90", "p95", "p99", "min", "max")] == [None] * 7
