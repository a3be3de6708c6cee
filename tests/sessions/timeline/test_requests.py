"""Requests as columns: their order, what is missing, and what they take of memory."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest

from loadgen.records import Request, RequestError
from sessions.store.gap_codec import encode_gaps
from sessions.timeline.requests import KINDS_CAP, NONE, ROW, RequestColumns
from tests.sessions.conftest import Maker


def columns(*requests: Request) -> RequestColumns:
    made = RequestColumns()
    for request in requests:
        made.add(request)
    return made


def test_a_row_has_what_its_request_had() -> None:
    made = columns(
        Request(
            index=7,
            worker=3,
            due_ns=10**15,
            sent_ns=10**15 + 1,
            headers_ns=10**15 + 2,
            first_token_ns=10**15 + 3,
            last_token_ns=10**15 + 4,
            end_ns=10**15 + 5,
            status=200,
            stale_retries=1,
            asked_input_tokens=10,
            asked_output_tokens=3,
            input_tokens=11,
            conversation=4,
            turn=1,
            tags=("long",),
            cached_tokens=5,
            output_tokens=2,
            chunks=2,
            gaps_us=[1],
        )
    )
    (row,) = made.rows
    found = {name: int(row[name]) for name in ROW.names or ()}
    assert found == {
        "longest_gap_us": 1,
        "due_ns": 10**15,
        "sent_ns": 10**15 + 1,
        "headers_ns": 10**15 + 2,
        "first_token_ns": 10**15 + 3,
        "last_token_ns": 10**15 + 4,
        "end_ns": 10**15 + 5,
        "index": 7,
        "asked_input_tokens": 10,
        "asked_output_tokens": 3,
        "input_tokens": 11,
        "cached_tokens": 5,
        "output_tokens": 2,
        "hidden_tokens": 0,
        "chunks": 2,
        "conversation": 4,
        "status": 200,
        "turn": 1,
        "worker": 3,
        "stale_retries": 1,
        "target": NONE,
        "error": NONE,
        "token_source": 0,
        "tags": 0,
        "itl_known": 1,
    }
    assert (made.token_sources, made.tags) == (["usage"], [("long",)])


def test_what_a_request_lacks_is_marked_and_never_nought() -> None:
    made = columns(Request(index=0, worker=0, due_ns=0, error=RequestError("timeout")))
    (row,) = made.rows
    for name in (
        "sent_ns",
        "headers_ns",
        "first_token_ns",
        "last_token_ns",
        "status",
        "output_tokens",
        "turn",
    ):
        assert row[name] == NONE
    assert made.error_kinds[row["error"]] == "timeout"
    assert not row["itl_known"]


@pytest.mark.parametrize("seed", range(3))
def test_they_stand_in_the_order_they_were_due_however_they_came(make_run: Maker, seed: int) -> None:
    draw = random.Random(seed)
    requests = list(make_run(failing=0.1, workers=3).requests)
    draw.shuffle(requests)
    made = RequestColumns()
    for i, request in enumerate(requests, 1):
        made.add(request)
        if draw.random() < 0.1:
            assert len(made.rows) == len(made) == i
    assert made.rows["index"].tolist() == sorted(request.index for request in requests)
    assert np.all(np.diff(made.rows["due_ns"]) >= 0)


def test_only_gaps_of_requests_that_succeeded_are_counted() -> None:
    good = Request(index=0, worker=0, due_ns=0, chunks=2, output_tokens=2, gaps_us=[5])
    bad = Request(index=1, worker=0, due_ns=0, chunks=2, gaps_us=[9], error=RequestError("cut_mid_stream"))
    assert columns(good, bad).gaps.chunk_gaps_us.values.tolist() == [5.0]


@pytest.mark.parametrize("chunk_tokens", ["one", "counted", "unknown"])
def test_the_longest_gap_of_each_is_known_packed_or_not_failed_or_not(
    make_run: Maker, chunk_tokens: str
) -> None:
    run = make_run(chunk_tokens=chunk_tokens, failing=0.2)
    made, expected = RequestColumns(), {}
    for i, request in enumerate(run.requests):
        expected[request.index] = max(request.gaps_us, default=NONE)
        gaps = encode_gaps(request.gaps_us) if i % 3 else None
        made.add(request if gaps is None else msgspec.structs.replace(request, gaps_us=[], gaps=gaps))
        if i % 50 == 0:  # what came so far is taken
            assert len(made.rows) == i + 1
    found = dict(zip(made.rows["index"].tolist(), made.rows["longest_gap_us"].tolist(), strict=True))
    assert found == expected
    assert len(set(found.values())) > 100


def test_absurd_numbers_of_a_damaged_session_are_cut_and_do_not_wrap() -> None:
    (row,) = columns(Request(index=10**12, worker=4095, due_ns=3 * 10**17, output_tokens=10**12)).rows
    assert (row["index"], row["worker"], row["due_ns"]) == (10**12, 4095, 3 * 10**17)
    assert row["output_tokens"] == 2**31 - 1


def test_error_kinds_beyond_those_that_are_ours_are_one() -> None:
    made = RequestColumns()
    for i in range(KINDS_CAP + 50):
        made.add(Request(index=i, worker=0, due_ns=i, error=RequestError(f"kind {i}")))
    assert len(made.error_kinds) == KINDS_CAP + 1
    assert made.error_kinds[made.rows["error"][-1]] == "other"


def test_a_row_takes_no_more_than_is_said() -> None:
    assert ROW.itemsize <= 112


def test_what_is_asked_between_requests_of_a_batch_holds_all_of_them() -> None:
    made = RequestColumns()
    for index in range(3):
        made.add(
            Request(index, 0, index, end_ns=9, gaps_us=[5], chunks=2, output_tokens=2, tags=(f"t{index}",))
        )
        assert len(made) == len(made.rows) == len(made.tags) == index + 1
        assert made.gaps.chunk_gaps_us.counts.tolist() == [index + 1]
    assert made.rows["tags"].tolist() == [0, 1, 2]
