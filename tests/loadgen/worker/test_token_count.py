"""How many tokens an answer had, how many were shown, and when: `loadgen.worker.token_count`, rule by rule.

Every event comes 10 ms after the one before it, the first at 10 ms, so a time is the number of an event.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest

from loadgen.endpoints import ENDPOINTS
from loadgen.records import Request, Tick
from loadgen.worker.counters import Counters
from sessions.metrics import tokens_after_gaps, tpot
from sessions.store.parse import parse
from sessions.timeline.requests import RequestColumns
from tests.loadgen.worker.made_requests import Finished, gained, in_flight_request

MS = 1_000_000
STEP_NS = 10 * MS


def delta(finish: str | None = None, usage: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    event: dict[str, Any] = {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}
    return event if usage is None else {**event, "usage": usage}


def words(n: int, text: str = " word") -> list[dict[str, Any]]:
    return [delta(content=text) for _ in range(n)]


def used(completion: int, reasoning: int | None = None, **more: Any) -> dict[str, Any]:
    details = {} if reasoning is None else {"completion_tokens_details": {"reasoning_tokens": reasoning}}
    return {"prompt_tokens": 8, "completion_tokens": completion, **details, **more}


def totals(completion: int, reasoning: int | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [], "usage": used(completion, reasoning, **more)}


FINISH = delta("stop")


def answered(
    *events: dict[str, Any] | str,
    chunk_counts: bool = False,
    one_token_chunks: bool = True,
    done: bool = True,
) -> tuple[Request, Tick]:
    counters = Counters()
    request = in_flight_request(
        ENDPOINTS["chat"],
        counters,
        Finished(),
        chunk_counts=chunk_counts,
        one_token_chunks=one_token_chunks,
    )
    request.on_sent(0)
    request.on_headers(1, 200, [(b"content-type", b"text/event-stream")])
    for number, event in enumerate([*events, *["[DONE]"] * done], 1):
        data = event if isinstance(event, str) else json.dumps(event)
        request.on_body(number * STEP_NS, f"data: {data}\n\n".encode(), True)
    request.on_end(1_000 * STEP_NS)
    return request.record, gained(counters)


def tpot_ms(record: Request) -> float | None:
    columns = RequestColumns()
    columns.add(record)
    (value,) = tpot(columns.rows)
    return None if np.isnan(value) else float(value) / 1e6


def shown_from_to(record: Request) -> tuple[int, int]:
    """Numbers of the events that bore the first and the last token."""
    assert record.first_token_ns is not None
    assert record.last_token_ns is not None
    return record.first_token_ns // STEP_NS, record.last_token_ns // STEP_NS


@pytest.mark.parametrize("chunk_counts", [True, False])
def test_totals_that_grow_in_chunks_without_text_are_no_tokens(chunk_counts: bool) -> None:
    record, tick = answered(
        *words(4), delta("stop", used(5)), totals(6), totals(7), totals(7), chunk_counts=chunk_counts
    )
    assert (record.chunks, tick.chunks, tick.output_tokens) == (4, 4, 4)
    assert shown_from_to(record) == (1, 4)
    assert record.output_tokens == 7


def test_continuous_usage_counts_the_tokens_of_each_chunk_and_e2e_ends_with_the_last_of_them() -> None:
    record, tick = answered(
        delta(role="assistant", content="", usage=used(0)),
        delta(content="a", usage=used(1)),
        delta(content="bcd", usage=used(4)),
        delta("length", usage=used(5)),
        totals(5),
        chunk_counts=True,
    )
    assert (record.chunk_tokens, record.output_tokens, record.hidden_tokens) == ([1, 3], 5, 1)
    assert shown_from_to(record) == (2, 3)
    assert tpot_ms(record) == 10 / 3
    assert tick.output_tokens == 4


def test_half_a_character_belongs_to_the_chunk_that_shows_the_whole_of_it() -> None:
    record, _ = answered(
        delta(content="a", usage=used(1)),
        delta(content="", usage=used(2)),
        delta(content="é", usage=used(3)),
        delta("stop", usage=used(3)),
        chunk_counts=True,
    )
    assert (record.chunk_tokens, record.hidden_tokens) == ([1, 2], 0)
    assert shown_from_to(record) == (1, 3)


def test_a_text_whose_count_stands_still_bears_no_further_token() -> None:
    record, tick = answered(
        *(delta(content="ab", usage=used(n)) for n in (1, 1, 2, 3)), FINISH, chunk_counts=True
    )
    assert record.chunk_tokens == [1, 0, 1, 1]
    assert (record.output_tokens, record.hidden_tokens, tick.output_tokens) == (3, 0, 3)


@pytest.mark.parametrize("finish", ["stop", None])
def test_usage_within_the_choice_is_usage(finish: str | None) -> None:
    last = delta(finish, content="" if finish else " end")
    last["choices"][0]["usage"] = used(20)
    record, _ = answered(*words(5), last, *[FINISH] * (finish is None), one_token_chunks=False)
    assert (record.output_tokens, record.token_source, record.input_tokens) == (20, "usage", 8)


@pytest.mark.parametrize("chunk_counts", [True, False])
@pytest.mark.parametrize("last", [True, False], ids=["counted at last", "never counted"])
def test_a_count_of_nought_is_no_count(chunk_counts: bool, last: bool) -> None:
    nought = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    events = [delta(content=" a", usage=nought) for _ in range(5)]
    record, _ = answered(*events, FINISH, *[totals(5)] * last, chunk_counts=chunk_counts)
    assert (record.chunks, record.output_tokens, record.chunk_tokens) == (5, 5, [])
    assert record.token_source == ("usage" if last else "chunks")
    assert record.input_tokens == (8 if last else None)
    assert (tokens_after_gaps(record) == []) is last


def test_counts_in_some_chunks_only_are_not_taken_for_counts_of_all() -> None:
    events = [delta(content="a", usage=used(1)), delta(content="b"), delta(content="c", usage=used(3))]
    record, _ = answered(*events, FINISH, chunk_counts=True)
    assert (record.chunks, record.chunk_tokens, record.output_tokens) == (3, [], 3)
    assert record.hidden_tokens == 0


def test_hidden_reasoning_that_was_counted_is_not_in_the_time_per_token() -> None:
    record, _ = answered(*words(11), FINISH, totals(41, 30), one_token_chunks=False)
    assert (record.output_tokens, record.hidden_tokens) == (41, 30)
    assert tpot_ms(record) == 10.0
    assert tokens_after_gaps(record) == []


def test_reasoning_tokens_beside_the_details_are_read_too() -> None:
    record, _ = answered(*words(11), FINISH, totals(41, reasoning_tokens=30))
    assert record.hidden_tokens == 30


def test_reasoning_that_was_streamed_is_shown() -> None:
    thoughts = [delta(reasoning_content=" hm") for _ in range(6)]
    record, _ = answered(*thoughts, *words(5), FINISH, totals(11, 6))
    assert (record.output_tokens, record.hidden_tokens) == (11, 0)
    assert tpot_ms(record) == 10.0


def test_reasoning_that_stood_in_the_text_is_shown() -> None:
    record, _ = answered(*words(20, " <think>"), FINISH, totals(20, 15))
    assert record.hidden_tokens == 0
    assert tpot_ms(record) == 10.0


def test_reasoning_counted_beside_the_completion_is_not_taken_from_it() -> None:
    record, _ = answered(*words(11), FINISH, totals(11, 5, total_tokens=24))
    assert (record.hidden_tokens, tpot_ms(record)) == (0, 10.0)


def test_a_summary_of_the_reasoning_is_not_all_of_it() -> None:
    thoughts = [delta(reasoning=" so"), delta(reasoning=" what")]
    record, _ = answered(*thoughts, *words(10), FINISH, totals(512, 500), one_token_chunks=False)
    assert (record.hidden_tokens, tpot_ms(record)) == (None, None)


@pytest.mark.parametrize("one_token_chunks", [True, False])
def test_tokens_that_the_text_cannot_bear_leave_the_time_per_token_unknown(one_token_chunks: bool) -> None:
    record, _ = answered(*words(10), FINISH, totals(100), one_token_chunks=one_token_chunks)
    assert (record.output_tokens, record.hidden_tokens) == (100, None)
    assert tpot_ms(record) is None
    assert tokens_after_gaps(record) is None


def test_a_request_whose_hidden_tokens_nobody_told_is_read_back() -> None:
    record, _ = answered(*words(10), FINISH, totals(100))
    assert parse(msgspec.json.encode(record)) == record


@pytest.mark.parametrize(
    "text",
    [" four words in one", "四个字一起来", " a b c d"],
    ids=["prose", "no ASCII", "short words"],
)
def test_chunks_of_several_tokens_each_keep_their_time_per_token(text: str) -> None:
    record, _ = answered(*words(11, text), FINISH, totals(44), one_token_chunks=False)
    assert (record.hidden_tokens, tpot_ms(record)) == (0, 100 / 43)


def test_tokens_of_a_tool_call_are_borne_by_its_arguments() -> None:
    call = [{"index": 0, "function": {"arguments": '{"place": "Rome"}'}}]
    record, _ = answered(
        *(delta(tool_calls=call) for _ in range(5)), delta("tool_calls"), totals(20), one_token_chunks=False
    )
    assert (record.hidden_tokens, record.chunks) == (0, 5)


def test_an_end_token_beside_one_token_in_each_chunk_is_borne() -> None:
    record, _ = answered(*words(5, "1"), FINISH, totals(6), one_token_chunks=False)
    assert (record.output_tokens, record.hidden_tokens) == (6, 0)


def test_reasoning_counted_before_the_first_text_is_not_in_the_first_chunk() -> None:
    events = [delta(content=" w", usage=used(30 + n, 30)) for n in range(1, 12)]
    record, _ = answered(*events, FINISH, totals(41, 30), chunk_counts=True)
    assert (record.output_tokens, record.hidden_tokens, record.chunk_tokens) == (41, 30, [])
    assert tpot_ms(record) == 10.0


def test_a_first_chunk_of_far_more_tokens_than_the_others_leaves_the_time_per_token_unknown() -> None:
    events = [delta(content=" w", usage=used(30 + n)) for n in range(1, 12)]
    record, _ = answered(*events, FINISH, totals(41), chunk_counts=True)
    assert (record.hidden_tokens, tpot_ms(record)) == (None, None)
    assert tokens_after_gaps(record) == [1] * 10, "the gaps after it are of tokens that were shown"


def test_all_tokens_hidden_is_a_failure_that_says_so() -> None:
    record, _ = answered(delta(role="assistant", content=""), delta("length"), totals(64, 64))
    assert record.error is not None
    assert (record.error.kind, record.error.message) == ("tokens_hidden", "64 tokens counted, none shown")
    assert record.first_token_ns is None


def test_one_chunk_is_no_span_of_time() -> None:
    record, _ = answered(delta(content=" all of it at once"), FINISH, totals(5))
    assert tpot_ms(record) is None


def test_counts_that_include_another_choice_are_not_of_ours() -> None:
    other = {"choices": [{"index": 1, "delta": {"content": " b"}}]}
    record, _ = answered(*words(5), *[other] * 5, FINISH, totals(10))
    assert (record.chunks, record.hidden_tokens, tpot_ms(record)) == (5, None, None)
    assert record.flags == ["extra_choices"]


@pytest.mark.parametrize("chunk_counts", [True, False])
def test_what_comes_behind_a_finish_reason_is_no_part_of_the_answer_and_flagged(chunk_counts: bool) -> None:
    counted = [delta(content=" w", usage=used(n)) for n in range(1, 7)]
    record, tick = answered(
        *counted[:3], delta("stop", content=" w", usage=used(4)), *counted[4:], chunk_counts=chunk_counts
    )
    assert (record.error, record.finish_reason) == (None, "stop")
    assert (record.chunks, tick.chunks) == (4, 4)
    assert shown_from_to(record) == (1, 4)
    assert record.flags == ["token_after_finish"]


def test_counts_that_include_what_came_behind_a_finish_reason_are_not_of_the_answer() -> None:
    record, _ = answered(*words(3), delta("stop", content=" w"), *words(3), totals(7))
    assert (record.chunks, record.hidden_tokens, tpot_ms(record)) == (4, None, None)
    record, _ = answered(*words(3), delta("stop", content=" w"), *words(3), totals(4))
    assert (record.chunks, record.hidden_tokens, tpot_ms(record)) == (4, 0, 10.0)


def test_an_error_behind_a_finish_reason_is_a_failure_still() -> None:
    record, _ = answered(*words(2), FINISH, {"errors": [{"message": "out of memory"}]})
    assert record.error is not None
    assert (record.error.kind, record.error.message) == ("server_stream_error", "out of memory")


def test_a_text_of_fewer_than_two_bytes_a_token_is_no_whole_text() -> None:
    for tokens, hidden in ((44, 0), (45, None)):  # of 88 bytes
        record, _ = answered(*words(11, " a b c d"), FINISH, totals(tokens), one_token_chunks=False)
        assert record.hidden_tokens == hidden, tokens


def test_chunks_of_a_server_that_sent_one_token_in_each_bear_two_at_the_most() -> None:
    for tokens, hidden in ((20, 0), (21, None)):
        record, _ = answered(*words(10), FINISH, totals(tokens))
        assert record.hidden_tokens == hidden, tokens


def test_a_total_below_what_the_chunks_told_leaves_the_time_per_token_unknown() -> None:
    record, _ = answered(
        *(delta(content="a", usage=used(n)) for n in (1, 2, 4)), FINISH, totals(3), chunk_counts=True
    )
    assert (record.output_tokens, record.hidden_tokens, tpot_ms(record)) == (3, None, None)
    assert record.flags == ["usage_mismatch"]


def test_a_first_chunk_of_eight_tokens_is_no_hidden_reasoning() -> None:
    events = [delta(content=" w", usage=used(8 + n)) for n in range(5)]
    record, _ = answered(*events, FINISH, totals(12), chunk_counts=True)
    assert (record.chunk_tokens, record.hidden_tokens) == ([8, 1, 1, 1, 1], 0)


@pytest.mark.parametrize("chunk_counts", [True, False])
def test_tokens_of_the_prompt_that_came_from_the_cache_are_those_of_the_last_usage(
    chunk_counts: bool,
) -> None:
    def cached(tokens: int | None) -> dict[str, Any]:
        return {"prompt_tokens_details": {"cached_tokens": tokens}}

    first = delta(content="a", usage=used(1, **cached(6)))
    record, _ = answered(first, *words(1), FINISH, totals(2, **cached(None)), chunk_counts=chunk_counts)
    assert record.cached_tokens == 6
    record, _ = answered(first, *words(1), FINISH, totals(2, **cached(0)), chunk_counts=chunk_counts)
    assert record.cached_tokens == 0
    record, _ = answered(*words(2), FINISH, totals(2), chunk_counts=chunk_counts)
    assert record.cached_tokens is None
