"""The definitions of the latency metrics, on requests worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from loadgen.records import Request
from sessions.metrics import (
    PER_REQUEST,
    Requests,
    e2e,
    send_lag,
    tokens_after_gaps,
    tpot,
    ttft_from_due,
    ttft_from_sent,
)
from sessions.timeline.requests import RequestColumns

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


def row(**changes: object) -> Requests:
    columns = RequestColumns()
    columns.add(request(**changes))
    return columns.rows


def test_latencies_of_a_request_by_hand() -> None:
    r = row()
    assert ttft_from_due(r) == 100_000_000
    assert ttft_from_sent(r) == 98_000_000
    assert e2e(r) == 152_000_000
    assert send_lag(r) == 2_000_000
    assert tpot(r) == 52_000_000 / 3


def test_a_request_sent_again_after_a_stale_connection_has_no_send_lag_of_ours() -> None:
    r = row(stale_retries=1)
    assert np.isnan(send_lag(r))
    assert ttft_from_due(r) == 100_000_000


def test_one_token_has_no_time_per_token() -> None:
    r = row(chunks=1, gaps_us=[], output_tokens=1, last_token_ns=1_100_000_000)
    assert np.isnan(tpot(r))
    assert e2e(r) == 100_000_000
    assert np.isnan(tpot(row(output_tokens=None)))


@pytest.mark.parametrize("missing", ["first_token_ns", "last_token_ns", "sent_ns"])
def test_a_missing_time_gives_no_figure_rather_than_a_nought(missing: str) -> None:
    figures = [float(of(row(**{missing: None}))[0]) for of in PER_REQUEST.values()]
    assert np.isnan(figures).any()
    assert 0 not in figures


def test_a_time_before_its_beginning_gives_no_figure() -> None:
    assert np.isnan(ttft_from_due(row(first_token_ns=999_999_999)))


def test_itl_is_the_chunk_gap_where_each_chunk_bore_one_token() -> None:
    assert tokens_after_gaps(request()) == []
    assert tokens_after_gaps(request(chunks=1, gaps_us=[], output_tokens=1)) == []


def test_a_chunk_of_several_tokens_shares_its_gap_among_them() -> None:
    assert tokens_after_gaps(request(chunk_tokens=[2, 4, 1, 1], output_tokens=8)) == [4, 1, 1]
    assert tpot(row(chunk_tokens=[2, 4, 1, 1], output_tokens=8)) == 52_000_000 / 7


def test_itl_is_unknown_where_the_tokens_of_a_chunk_are() -> None:
    assert tokens_after_gaps(request(output_tokens=9)) is None
    assert tokens_after_gaps(request(output_tokens=None)) is None
    assert tokens_after_gaps(request(token_source="chunks")) is None, "counted from the chunks themselves"
    assert tokens_after_gaps(request(chunk_tokens=[1, 2])) is None, "a list that does not fit the gaps"
