"""The gaps of many requests, counted; what they must come to is worked by hand or by numpy."""

from __future__ import annotations

import itertools
import random

import msgspec
import numpy as np
import pytest

from loadgen.records import Request
from sessions.store.gap_codec import encode_gaps
from sessions.timeline.token_gaps import Multiset, TokenGaps, unpacked


def request(gaps_us: list[int], chunk_tokens: list[int] | None = None, **more: object) -> Request:
    """One whose chunks bore one token each, or as many as `chunk_tokens` says."""
    chunks = len(gaps_us) + 1
    tokens = chunk_tokens or []
    fields = {"output_tokens": sum(tokens) or chunks, "chunk_tokens": tokens, **more}
    return Request(index=0, worker=0, due_ns=0, chunks=chunks, gaps_us=gaps_us, **fields)  # type: ignore[arg-type]


def packed(given: Request) -> Request:
    """As a session's file has it."""
    gaps = encode_gaps(given.gaps_us)
    return given if gaps is None else msgspec.structs.replace(given, gaps=gaps, gaps_us=[])


def counts(of: Multiset) -> dict[float, float]:
    return dict(zip(of.values.tolist(), of.counts.tolist(), strict=True))


def test_a_gap_before_several_tokens_is_shared_among_them() -> None:
    gaps = TokenGaps()
    assert gaps.add(request([20, 30, 2], [2, 4, 1, 1]))
    assert counts(gaps.itl_us) == {5.0: 4, 30.0: 1, 2.0: 1}
    assert counts(gaps.chunk_gaps_us) == {20.0: 1, 30.0: 1, 2.0: 1}


def test_a_gap_is_an_itl_where_each_chunk_bore_one_token_and_unknown_where_nobody_said() -> None:
    gaps = TokenGaps()
    assert gaps.add(request([20, 20, 7]))
    assert not gaps.add(request([20, 9], output_tokens=8))
    assert counts(gaps.itl_us) == {20.0: 2, 7.0: 1}
    assert counts(gaps.chunk_gaps_us) == {20.0: 3, 7.0: 1, 9.0: 1}


def test_gaps_of_a_second_and_more_are_counted_too() -> None:
    gaps = TokenGaps()
    gaps.add(request([5, 2**20 - 1, 2**20, 60_000_000, 60_000_000]))
    expected = {5.0: 1, float(2**20 - 1): 1, float(2**20): 1, 60_000_000.0: 2}
    assert counts(gaps.itl_us) == counts(gaps.chunk_gaps_us) == expected


@pytest.mark.parametrize("batch", [1, 50, 1 << 20])
def test_neither_order_nor_packing_nor_batches_leave_a_trace(
    monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    draw = random.Random(3)
    requests = []
    for _ in range(60):
        n = draw.randrange(30)
        tokens = draw.choice([None, [draw.randint(0, 4) for _ in range(n + 1)]])
        requests.append(request([draw.choice([0, 1, 1000, 2_000_000]) for _ in range(n)], tokens))
    one = TokenGaps()
    for given in requests:
        one.add(given)
    monkeypatch.setattr("sessions.timeline.token_gaps.BATCH_GAPS", batch)
    draw.shuffle(requests)
    other = TokenGaps()
    for given in requests:
        other.add(packed(given))
        if draw.random() < 0.1:
            assert len(other.itl_us.values)
    assert counts(one.itl_us) == counts(other.itl_us)
    assert counts(one.chunk_gaps_us) == counts(other.chunk_gaps_us)


def test_many_packed_texts_unpack_one_after_the_other() -> None:
    lists = [[0], [1, 2, 3], [2**24 - 1, 0, 4095, 4096], list(range(0, 90_000, 451))]
    texts = [encode_gaps(gaps) or "" for gaps in lists]
    assert unpacked(texts).tolist() == list(itertools.chain.from_iterable(lists))
    assert unpacked([]).dtype == np.int64
