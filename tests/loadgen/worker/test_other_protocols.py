"""Each protocol beside completions and chat, from the probe to the records, against the simulator."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from loadgen.arrivals.load import ClosedLoad
from loadgen.endpoint_names import EndpointName
from loadgen.probe.probe import ProbeResult, probe
from loadgen.records import Request
from loadgen.target.url import parse_target
from loadgen.workload.lengths import Fixed
from loadgen.workload.spec import SyntheticWorkload
from tests.loadgen.raw_server import RawServer, Script, chunked
from tests.loadgen.worker.engine_runs import Emitted, run_engine, worker_config

INPUT, OUTPUT, REQUESTS = 24, 9, 3
TEXT = ("responses", "messages", "tgi", "ollama", "ollama-chat", "llamacpp")
ENDS = {
    "responses": {"max_output_tokens", "completed"},
    "messages": {"max_tokens", "end_turn"},
    "tgi": {"length", "eos_token"},
    "ollama": {"length", "stop"},
    "ollama-chat": {"length", "stop"},
    "llamacpp": {"limit"},
}


def loaded(url: str, endpoint: EndpointName) -> tuple[ProbeResult, Emitted, list[str]]:
    """What the probe found at `url`, what a worker made of it in a few requests, and the notes."""
    notes: list[str] = []

    async def body() -> tuple[ProbeResult, Emitted]:
        target = parse_target(url)
        probed = await probe(
            target,
            None,
            model=None,
            endpoint=endpoint,
            input_tokens=INPUT,
            output_tokens=OUTPUT,
            seed=3,
            on_note=notes.append,
        )
        config = worker_config(
            target.address.port,
            ClosedLoad(1),
            template=probed.template,
            workload=SyntheticWorkload(
                probed.prompt, Fixed(probed.prompt.tokens), Fixed(probed.output_tokens)
            ),
            requests=REQUESTS,
            chunk_counts=probed.chunk_counts,
            one_token_chunks=probed.capabilities.one_token_chunks is not False,
        )
        return probed, await run_engine(config)

    return *asyncio.run(body()), notes


@pytest.mark.parametrize("endpoint", TEXT)
def test_prompts_are_exact_and_each_token_is_timed(simulator_url: str, endpoint: EndpointName) -> None:
    probed, emitted, notes = loaded(simulator_url, endpoint)
    assert (probed.template.endpoint, probed.input_exact) == (endpoint, True)
    assert len(emitted.requests) == REQUESTS
    for request in emitted.requests:
        assert (request.error, request.flags, request.input_tokens) == (None, [], INPUT)
        assert request.finish_reason in ENDS[endpoint]
        # Where nothing keeps the model from ending sooner it may, and the probe has said so.
        assert request.output_tokens == OUTPUT or any("may be shorter" in note for note in notes)
        assert (request.token_source, request.chunks) == ("usage", request.output_tokens)
        assert len(request.gaps_us) == request.chunks - 1
        assert request.sent_ns < request.first_token_ns <= request.last_token_ns <= request.end_ns  # type: ignore[operator]
    assert emitted.total("itl_unknown") == 0
    assert emitted.total("output_tokens") == sum(request.output_tokens or 0 for request in emitted.requests)
    assert emitted.total("input_tokens") == REQUESTS * INPUT


@pytest.mark.parametrize("endpoint", ["responses", "llamacpp"])
def test_an_answer_is_as_long_as_asked_where_the_protocol_has_a_word_for_it(
    simulator_url: str, endpoint: EndpointName
) -> None:
    probed, emitted, notes = loaded(simulator_url, endpoint)
    assert probed.template.fields["ignore_eos"] is True
    assert not any("may be shorter" in note for note in notes)
    assert [request.output_tokens for request in emitted.requests] == [OUTPUT] * REQUESTS


def test_an_embedding_has_a_time_and_input_tokens_and_nothing_else(simulator_url: str) -> None:
    probed, emitted, notes = loaded(simulator_url, "embeddings")
    assert (probed.output_tokens, probed.prompt.form, probed.input_exact) == (0, "ids", True)
    assert notes == ["model sim-small, the only one that the server lists"] or notes == []
    for request in emitted.requests:
        assert (request.error, request.flags, request.input_tokens) == (None, [], INPUT)
        assert (request.output_tokens, request.chunks, request.asked_output_tokens) == (None, 0, 0)
        assert request.first_token_ns is request.last_token_ns is None
        assert request.finish_reason is None
    durations = [request.end_ns - request.due_ns for request in emitted.requests]
    assert sum(sum(tick.e2e[1::2]) for tick in emitted.ticks) == len(durations) == REQUESTS
    assert emitted.total("input_tokens") == REQUESTS * INPUT
    for name in ("ttft_from_due", "itl", "chunk_gap"):
        assert not any(getattr(tick, name) for tick in emitted.ticks)
    assert (emitted.total("itl_unknown"), emitted.total("output_tokens")) == (0, 0)


def answered(
    endpoint: EndpointName, content_type: str, *pieces: bytes, headers: Sequence[tuple[str, str]] = ()
) -> Request:
    """The record of one request that is answered by these pieces of a body, a chunk each."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    script: Script = lambda number, body: [head, *(chunked(p, end=False) for p in pieces), chunked()]  # noqa: E731
    usual = worker_config(0)

    async def body() -> Emitted:
        async with RawServer(script) as server:
            template = msgspec.structs.replace(
                usual.template, endpoint=endpoint, headers=[("host", f"127.0.0.1:{server.port}"), *headers]
            )
            workload = msgspec.structs.replace(
                usual.workload,
                prompt=msgspec.structs.replace(usual.workload.prompt, form="text", words=["a"]),
            )
            return await run_engine(
                worker_config(server.port, ClosedLoad(1), template=template, workload=workload, requests=1)
            )

    (request,) = asyncio.run(body()).requests
    return request


NDJSON = "application/x-ndjson"


def kind(request: Request) -> str | None:
    return None if request.error is None else request.error.kind


def test_lines_are_read_across_reads_and_a_last_one_without_its_end_is_flagged() -> None:
    request = answered(
        "ollama",
        NDJSON,
        b'{"response":"a","done":false}\n{"respon',
        b'se":"b","done":false}\n{"response":"","done":true,"done_reason":"stop",',
        b'"eval_count":2,"prompt_eval_count":7}',
    )
    assert (kind(request), request.chunks, request.output_tokens, request.input_tokens) == (None, 2, 2, 7)
    assert request.flags == ["unterminated_event"]


@pytest.mark.parametrize(
    ("endpoint", "content_type", "body", "want"),
    [
        ("ollama", NDJSON, b'{"response":"a","done":false}\n{"error":"out of memory"}\n', "server_stream_error"),
        ("ollama", NDJSON, b'{"response":"a","done":false}\n', "truncated"),
        ("ollama", NDJSON, b'{"response":"","done":true,"done_reason":"load"}\n', "no_tokens"),
        ("ollama", "text/event-stream", b'{"response":"a","done":true}\n', "not_sse"),
        ("messages", "text/event-stream", b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"no"}}\n\n', "rejected"),
        ("tgi", "text/event-stream", b'data:{"token":{"text":"a"}}\n\n', "truncated"),
        ("llamacpp", "application/json", b'{"content":"a","stop":true}', "not_sse"),
        ("embeddings", "application/json", b'{"data":[]}', "no_embedding"),
        ("embeddings", "application/json", b'{"data":[{"embedding":[0.5', "no_embedding"),
        ("embeddings", "application/json", b'{"error":{"message":"no","code":503}}', "rejected"),
        ("embeddings", "application/json", b"", "truncated"),
        ("embeddings", "text/html", b"<html>", "not_sse"),
    ],
)  # fmt: skip
def test_what_is_no_whole_answer_is_a_failure_of_its_own_kind(
    endpoint: EndpointName, content_type: str, body: bytes, want: str
) -> None:
    assert kind(answered(endpoint, content_type, body)) == want


@pytest.mark.parametrize(
    ("endpoint", "content_type", "body"),
    [
        ("messages", "text/event-stream", b'data: {"type":"error","error":{"message":"who is s3cret-key?"}}\n\n'),
        ("responses", "text/event-stream", b'data: {"type":"error","message":"who is s3cret-key?"}\n\n'),
        ("tgi", "text/event-stream", b'data:{"error":"who is s3cret-key?","error_type":"generation"}\n\n'),
        ("llamacpp", "text/event-stream", b'error: {"message":"who is s3cret-key?"}\n\n'),
        ("ollama", NDJSON, b'{"error":"who is s3cret-key?"}\n'),
        ("embeddings", "application/json", b'{"error":{"message":"who is s3cret-key?"}}'),
    ],
)  # fmt: skip
def test_a_key_that_a_server_echoes_is_kept_in_no_record(
    endpoint: EndpointName, content_type: str, body: bytes
) -> None:
    request = answered(endpoint, content_type, body, headers=[("x-api-key", "s3cret-key")])
    assert request.error is not None
    assert (request.error.kind, request.error.message) == ("server_stream_error", "who is ***?")
