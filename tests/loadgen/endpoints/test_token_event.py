"""The recogniser of token events and the full decoder agree, whatever the bytes.

Streams are built of events that real servers send, mutated in place, and cut anywhere. The same stream goes
through a request as it is and through one whose endpoint recognises nothing, so that every event is decoded in
full: records and counts must be the same.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from loadgen.endpoints import ENDPOINTS, Endpoint
from loadgen.endpoints.event import ANSWER
from loadgen.endpoints.sse import SseParser
from loadgen.endpoints.token_event import no_token_events, token_events
from loadgen.records import Request, Tick
from loadgen.worker.counters import Counters
from tests.loadgen.worker.made_requests import Finished, gained, in_flight_request

VLLM = (
    b'{"id":"cmpl-8f2","object":"text_completion","created":1763700000,"model":"m","choices":[{"index":0,'
    b'"text":" a","logprobs":null,"finish_reason":null,"stop_reason":null,"token_ids":null}],"usage":null}'
)
VLLM_COUNTED = (
    b'{"id":"cmpl-8f2","choices":[{"index":0,"text":" a","finish_reason":null,"token_ids":[7]}],'
    b'"usage":{"prompt_tokens":8,"total_tokens":9,"completion_tokens":1}}'
)
CHAT = (
    b'{"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"},'
    b'"logprobs":null,"finish_reason":null}]}'
)
ONE_TOKEN = {"completions": VLLM, "chat": CHAT}

EVENTS = [
    *(VLLM, CHAT, VLLM_COUNTED),
    VLLM_COUNTED.replace(b"[7]", b"null").replace(b'tokens":1', b'tokens":2'),
    VLLM_COUNTED.replace(b'tokens":1', b'tokens":3'),
    VLLM.replace(b'" a"', b'""'),
    VLLM.replace(b'" a"', b'" a\\n\\ndata: {"'),
    VLLM.replace(b'reason":null', b'reason":"length"', 1),
    VLLM.replace(b"]", b'],"error":null'),
    VLLM.replace(b"{", b'{"error":{"message":"x"},', 1),
    CHAT.replace(b'"content":"a"', b'"role":"assistant","content":""'),
    CHAT.replace(b'"content":"a"', b'"reasoning_content":"b"'),
    CHAT.replace(b'"content":"a"', b'"tool_calls":[{"function":{"name":"f","arguments":""}}]'),
    b'{"choices":[],"usage":{"prompt_tokens":8,"completion_tokens":5}}',
    *(b"[DONE]", b"{}", b"", b'{"a":"x}', b'{y"}', b'{"choices":[{}', b"{}]},{}", b"{} {}"),
]
PIECES = [
    b"\n",
    b"\r",
    b"\n\n",
    b"\t",
    b" ",
    b'"',
    b"}",
    b"{",
    b"}\n\ndata: {",
    b"data: ",
    b"\xff",
    b"\\u0000",
]
PIECES += [
    b",",
    b"null",
    b'"text":""',
    b'"error":1,',
    b'"usage":{},',
    b"event: error\n",
    b": ping\n\n",
    b"1",
    b"[]",
]


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    token_event = draw(st.sampled_from([VLLM, CHAT, VLLM_COUNTED]))
    events = draw(st.lists(st.one_of(st.just(token_event), st.sampled_from(EVENTS)), min_size=1, max_size=8))
    stream = bytearray(b"".join(b"data: " + event + b"\n\n" for event in events))
    if draw(st.booleans()):
        # white space where JSON allows it and an event stream may not
        marks = [at for at, byte in enumerate(stream) if byte in b"{}[],:"]
        at = draw(st.sampled_from(marks or [0])) + draw(st.integers(0, 1))
        stream[at:at] = draw(st.sampled_from([b"\n", b"\r", b"\t", b" ", b"\r\n", b"\n "]))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(stream)))
        gone = draw(st.integers(0, 12))
        stream[at : at + gone] = draw(st.sampled_from([b"", *PIECES, *EVENTS]))
    return bytes(stream)


def attack(*events: bytes) -> bytes:
    return b"".join(b"data: " + event + b"\n\n" for event in events)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(streams(), st.sampled_from(["completions", "chat"]))
@example(attack(b'{"a":"x}', b'{y",' + VLLM[1:], VLLM + b" " + VLLM, VLLM), "completions")
@example(b"data: " + VLLM, "completions")
@example(b"data: " + VLLM + b"\n", "completions")
@example(attack(VLLM + b" " + VLLM), "completions")
@example(attack(VLLM + b" " + VLLM, VLLM), "completions")
@example(attack(VLLM, VLLM + b" " + VLLM), "completions")
@example(attack(VLLM + b"\n" + VLLM, VLLM), "completions")
@example(attack(VLLM.replace(b",", b",\n", 1), VLLM), "completions")
@example(attack(VLLM.replace(b",", b",\r", 1), VLLM), "completions")
@example(attack(VLLM.replace(b",", b",\n", 1)), "completions")
@example(attack(VLLM.replace(b",", b",\r", 1)), "completions")
@example(attack(VLLM.replace(b"null}", b'null},{"text":"b"}')), "completions")
@example(attack(VLLM.replace(b"{", b'{"error":{"message":"x"},', 1), VLLM), "completions")
@example(attack(CHAT.replace(b'"a"', b'"a","reasoning":5')), "chat")
def test_what_is_recognised_is_one_token_of_an_answer_to_the_full_decoder(stream: bytes, name: str) -> None:
    endpoint = ENDPOINTS[name]
    events, size = token_events(endpoint.token_event, stream)
    parser = SseParser()
    parser.feed(b":\n")  # so that no byte order mark may come any more
    full = parser.feed(stream[:size])
    assert [event.name for event in full] == [None] * len(events)
    assert [endpoint.read(event.data, event.name) for event in full] == [ANSWER] * len(events)
    assert parser.at_rest or not size


def recorded(endpoint: Endpoint, reads: list[bytes], counted_token_event: bool) -> tuple[Request, Tick]:
    counters = Counters()
    request = in_flight_request(endpoint, counters, Finished(), chunk_counts=counted_token_event)
    request.on_sent(10)
    request.on_headers(20, 200, [(b"content-type", b"text/event-stream")])
    for number, read in enumerate(reads, 1):
        request.on_body(number * 1_234_567, read, True)
    request.on_end(99_000_000_000)
    return request.record, gained(counters)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    streams(),
    st.lists(st.integers(0, 3000), max_size=4),
    st.sampled_from(["completions", "chat"]),
    st.booleans(),
)
def test_a_request_is_recorded_the_same_with_the_fast_path_and_without(
    stream: bytes, places: list[int], name: str, counted_token_event: bool
) -> None:
    edges = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    reads = [stream[a:b] for a, b in itertools.pairwise(edges) if a < b]
    endpoint = ENDPOINTS[name]
    full = replace(endpoint, token_event=no_token_events, counted_token_event=no_token_events)
    assert recorded(endpoint, reads, counted_token_event) == recorded(full, reads, counted_token_event)


@pytest.mark.parametrize("name", ["completions", "chat"])
@pytest.mark.parametrize("events", [1, 2, 200])
def test_token_events_are_recognised_and_the_end_of_a_response_is_left(name: str, events: int) -> None:
    stream = (b"data: " + ONE_TOKEN[name] + b"\n\n") * events
    tail = b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\ndata: [DONE]\n\n'
    for end in (b"", tail, b"data: {"):
        found, size = token_events(ENDPOINTS[name].token_event, stream + end)
        assert (len(found), size) == (events, len(stream))


def test_counted_events_are_recognised_and_counted() -> None:
    stream = b"".join(
        b"data: " + VLLM_COUNTED.replace(b'completion_tokens":1', b'completion_tokens":%d' % n) + b"\n\n"
        for n in range(1, 51)
    )
    assert len(token_events(ENDPOINTS["completions"].counted_token_event, stream)[0]) == 50
    record, tick = recorded(ENDPOINTS["completions"], [stream[:300], stream[300:], b"data: [DONE]\n\n"], True)
    assert (record.chunks, record.output_tokens, record.input_tokens) == (50, 50, 8)
    assert (tick.output_tokens, sum(tick.itl[1::2])) == (50, 49)


def test_gaps_add_up_to_the_time_between_first_and_last_token() -> None:
    record, _ = recorded(ENDPOINTS["completions"], [b"data: " + VLLM + b"\n\n"] * 200, False)
    assert record.first_token_ns is not None
    assert record.last_token_ns is not None
    assert record.first_token_ns // 1000 + sum(record.gaps_us) == record.last_token_ns // 1000
