"""Any stream, cut anywhere, is recorded as a reading by plain rules says (`reference_reading`).

`--hypothesis-profile wire` tries 20,000 streams, and 1,000 more over real sockets.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadgen.arrivals.load import ClosedLoad
from loadgen.endpoints import as_seen
from loadgen.endpoints.token_event import no_token_events
from loadgen.errors import printable
from loadgen.records import Request
from loadgen.worker.batch_decode import batch_decoder
from loadgen.worker.counters import Counters
from loadgen.workload.lengths import Fixed
from loadgen.workload.spec import PromptSpec, SyntheticWorkload
from loadgen.workload.template import RequestTemplate
from tests.loadgen.raw_server import FIN, Step, chunked
from tests.loadgen.worker.engine_runs import run
from tests.loadgen.worker.made_requests import Finished, gained, in_flight_request
from tests.loadgen.worker.made_streams import Made, made_stream, made_streams
from tests.loadgen.worker.reference_reading import How, Reading, read

STREAMS = max(300, settings.default.max_examples if settings.default else 0)
SOCKET_STREAMS = max(40, STREAMS // 20)
STEP_NS = 1_000_003
SENT_NS = 7


def recorded(made: Made, batched: bool, fast: bool = True) -> tuple[Request, int, int]:
    """The record of a request so answered, and the chunks and tokens that its worker counted."""
    how = made.how
    endpoint = as_seen(how.endpoint, line_events=how.line_events, index_counts=how.index_counts)  # type: ignore[arg-type]
    if not fast:
        endpoint = replace(endpoint, token_event=no_token_events, counted_token_event=no_token_events)
    counters = Counters()
    request = in_flight_request(
        endpoint,
        counters,
        Finished(),
        chunk_counts=how.chunk_counts,
        one_token_chunks=how.one_token_chunks,
    )
    decode = batch_decoder(endpoint, chunk_counts=how.chunk_counts, one_token_chunks=how.one_token_chunks)
    request.on_sent(SENT_NS)
    request.on_headers(SENT_NS, 200, [(b"content-type", b"text/event-stream")])
    for t_ns, data in timed(made):
        events: list[Any] = []
        if batched and request.token_end and data.endswith(request.token_end):
            events = decode([chunked(data, end=False)])
        if events:
            request.on_token_events(events, [t_ns], len(data))
        else:
            request.on_body(t_ns, data, True)
    request.on_end(end_ns(made))
    tick = gained(counters)
    return request.record, tick.chunks, tick.output_tokens


def timed(made: Made) -> list[tuple[int, bytes]]:
    return [(number * STEP_NS, piece) for number, piece in enumerate(made.pieces, 1)]


def end_ns(made: Made) -> int:
    return (len(made.pieces) + 1) * STEP_NS


def said(record: Request, chunks: int, tokens: int) -> dict[str, Any]:
    return {
        "chunks": (record.chunks, chunks),
        "live_tokens": tokens,
        "gaps": record.gaps_us,
        "first_event": record.first_event_ns,
        "first": record.first_token_ns,
        "first_answer": record.first_answer_token_ns,
        "last": record.last_token_ns,
        "each": record.chunk_tokens,
        "output": (record.output_tokens, record.token_source),
        "hidden": record.hidden_tokens,
        "input": (record.input_tokens, record.cached_tokens),
        "finish": record.finish_reason,
        "error": None if record.error is None else record.error.kind,
    }


def wanted(reading: Reading) -> dict[str, Any]:
    times = [t_ns for t_ns, _ in reading.chunks]
    first = times[0] if times else None
    return {
        "chunks": (len(times), len(times)),
        "live_tokens": reading.live_tokens,
        "gaps": [b // 1000 - a // 1000 for a, b in itertools.pairwise(times)],
        "first_event": reading.first_event_ns,
        "first": first,
        "first_answer": None if reading.first_answer_ns == first else reading.first_answer_ns,
        "last": times[-1] if times else None,
        "each": reading.each,
        "output": (reading.output_tokens, reading.source),
        "hidden": reading.hidden_tokens,
        "input": (reading.input_tokens, reading.cached_tokens),
        "finish": reading.finish_reason and printable(reading.finish_reason, 40),
        "error": reading.error,
    }


@settings(max_examples=STREAMS, suppress_health_check=[HealthCheck.too_slow])
@given(made_streams(), st.booleans())
def test_a_stream_is_recorded_as_plain_rules_read_it(made: Made, batched: bool) -> None:
    found = recorded(made, batched)
    assert said(*found) == wanted(read(timed(made), end_ns(made), made.how))
    assert found == recorded(made, False, fast=False), "flags and all, with no fast path"


HEADS = [
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n",
    b"HTTP/1.1 200\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\nx-odd:\tvalue \r\n",
    b"HTTP/1.1 201 Created\r\nCONTENT-TYPE:text/event-stream\r\n",
    b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n",
]


def on_the_wire(random: Random, made: Made) -> list[Step]:
    """An answer with this body, framed and written as servers and proxies do, in pieces of any size."""
    head, framing = random.choice(HEADS), random.choice(["chunked", "chunked", "length", "close", "1.0"])
    if framing == "chunked":
        wire = head + b"Transfer-Encoding: chunked\r\n\r\n" + in_chunks(random, made)
    elif framing == "length":
        wire = head + b"content-length: %d\r\n\r\n" % len(made.body) + made.body
    elif framing == "close":
        wire = head + b"connection: close\r\n\r\n" + made.body
    else:
        wire = b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + made.body
    places = sorted(random.randrange(len(wire)) for _ in range(random.choice([0, 1, 4, 20])))
    steps: list[Step] = [wire[a:b] for a, b in itertools.pairwise([0, *places, len(wire)]) if a < b]
    return [*steps, FIN] if framing in ("close", "1.0") else steps


def in_chunks(random: Random, made: Made) -> bytes:
    size_line = random.choice([b"%x\r\n", b"%X\r\n", b"%x;name=value\r\n", b"000%x\r\n"])
    own_cuts = random.random() < 0.5
    pieces = made.pieces if own_cuts else [made.body[at : at + 37] for at in range(0, len(made.body), 37)]
    chunks = b"".join(size_line % len(piece) + piece + b"\r\n" for piece in pieces)
    return chunks + random.choice([b"0\r\n\r\n", b"0\r\n\r\n", b"0\r\nx-checksum: 1\r\n\r\n"])


@pytest.mark.parametrize("chunk_counts", [True, False])
@pytest.mark.parametrize("endpoint", ["chat", "completions"])
def test_a_stream_over_a_real_socket_is_recorded_as_plain_rules_read_it(
    endpoint: str, chunk_counts: bool
) -> None:
    random = Random(20261126)
    how = How(endpoint, chunk_counts, one_token_chunks=True)
    streams = [made_stream(random, how) for _ in range(SOCKET_STREAMS // 4)]
    emitted, _ = run(
        lambda number, sent: on_the_wire(random, streams[number]),
        load=ClosedLoad(1),
        requests=len(streams),
        chunk_counts=chunk_counts,
        template=RequestTemplate("/v1/x", [("host", "x")], endpoint, {"model": "m"}),  # type: ignore[arg-type]
        workload=SyntheticWorkload(PromptSpec(form="text", tokens=4, words=["a", "b"]), Fixed(4), Fixed(3)),
    )
    assert len(emitted.requests) == len(streams)
    untimed = dict.fromkeys(("gaps", "first_event", "first", "first_answer", "last", "live_tokens"), 0)
    for record, made in zip(emitted.requests, streams, strict=True):
        reading = wanted(read([(1, made.body)], 2, how))
        assert {**said(record, record.chunks, 0), **untimed} == {**reading, **untimed}
        times = [
            record.sent_ns,
            record.first_event_ns,
            record.first_token_ns,
            record.last_token_ns,
            record.end_ns,
        ]
        known = [t_ns for t_ns in times if t_ns is not None]
        assert known == sorted(known)
        assert len(record.gaps_us) == max(0, record.chunks - 1)
