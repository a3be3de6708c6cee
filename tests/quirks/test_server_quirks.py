"""What servers, routers and proxies really send, one row each, with where it was seen.

Every row is played byte by byte to a real engine; 0 may be counted wrongly. The expected values are read
off the script by hand: which bytes are tokens, what the server said of them, and how it ended.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from loadgen.records import Request
from loadgen.worker_config import Deadlines
from sessions.metrics import e2e, tokens_after_gaps, tpot
from sessions.timeline.requests import RequestColumns
from tests.loadgen.raw_server import FIN, HEAD, RST, RawServer, Step, chunked, sse
from tests.loadgen.worker.engine_runs import Emitted
from tests.quirks.chat_wire import (
    DONE,
    ask,
    chunk,
    counted,
    end,
    one,
    role,
    short_prompts,
    stream,
    text,
    usage,
)

PAUSE_S = 0.06
PAUSE_NS = 60_000_000
SSE_TYPE = b"content-type: text/event-stream\r\n"


def no_check(record: Request, emitted: Emitted, server: RawServer) -> None:
    return None


@dataclass(frozen=True)
class Quirk:
    """A script and what has to be counted: `chunks` bear tokens, `output` tokens come from `source`."""

    number: str
    what: str
    seen: str
    steps: list[Step]
    chunks: int
    output: int | None
    source: str = "usage"
    error: str | None = None
    finish: str | None = "stop"
    flags: tuple[str, ...] = ()
    check: Callable[[Request, Emitted, RawServer], None] = no_check
    changes: dict[str, Any] = field(default_factory=dict)


def between(start_ns: int | None, end_ns: int | None) -> int:
    assert start_ns is not None
    assert end_ns is not None
    return end_ns - start_ns


def first_event_is_not_the_first_token(record: Request, emitted: Emitted, server: RawServer) -> None:
    assert between(record.headers_ns, record.first_event_ns) < PAUSE_NS // 2
    assert between(record.first_event_ns, record.first_token_ns) >= PAUSE_NS * 0.9


def reasoning_came_first(record: Request, emitted: Emitted, server: RawServer) -> None:
    assert between(record.first_token_ns, record.first_answer_token_ns) >= PAUSE_NS * 0.9


def no_itl_is_claimed(record: Request, emitted: Emitted, server: RawServer) -> None:
    assert tokens_after_gaps(record) is None
    assert len(record.gaps_us) == record.chunks - 1


def tail_is_outside(record: Request, emitted: Emitted, server: RawServer) -> None:
    """What comes after the last token extends neither E2E nor any gap."""
    assert between(record.last_token_ns, record.end_ns) >= PAUSE_NS * 0.9
    columns = RequestColumns()
    columns.add(record)
    assert e2e(columns.rows) < between(record.due_ns, record.end_ns) - PAUSE_NS * 0.9
    assert max(record.gaps_us, default=0) < PAUSE_NS // 1000 // 2


def each_token_is_timed(record: Request, emitted: Emitted, server: RawServer) -> None:
    """The finish chunk shows no token, although its usage has grown: E2E ends with the last that was shown."""
    assert (record.chunk_tokens, record.hidden_tokens) == ([1, 4], 1)
    assert tokens_after_gaps(record) == [4]
    assert between(record.last_token_ns, record.end_ns) >= PAUSE_NS * 0.9


def hidden_are(tokens: int | None) -> Callable[[Request, Emitted, RawServer], None]:
    def check(record: Request, emitted: Emitted, server: RawServer) -> None:
        assert record.hidden_tokens == tokens
        columns = RequestColumns()
        columns.add(record)
        (found,) = tpot(columns.rows)
        span_ns = between(record.first_token_ns, record.last_token_ns)
        assert np.isnan(found) if tokens is None else found == span_ns / (record.chunks - 1)

    return check


def only_asked_once(record: Request, emitted: Emitted, server: RawServer) -> None:
    assert len(server.bodies) == 2
    assert emitted.total("stale_retries") == 0
    assert record.first_token_ns is None


def message_says(*words: str) -> Callable[[Request, Emitted, RawServer], None]:
    def check(record: Request, emitted: Emitted, server: RawServer) -> None:
        assert record.error is not None
        assert [word for word in words if word not in record.error.message] == []

    return check


def cut_with_words(record: Request, emitted: Emitted, server: RawServer) -> None:
    assert record.error is not None
    assert record.error.message != ""
    assert record.first_token_ns is not None


def pings_are_nothing(record: Request, emitted: Emitted, server: RawServer) -> None:
    assert between(record.headers_ns, record.first_event_ns) >= PAUSE_NS * 0.9
    assert record.first_event_ns == record.first_token_ns


def burst_is_counted(record: Request, emitted: Emitted, server: RawServer) -> None:
    # all four tokens had one time, so three of them lost their own: counted as coalesced, said, not hidden
    assert record.gaps_us == [0, 0, 0]
    assert (emitted.total("reads"), emitted.total("coalesced_reads")) == (2, 2)


def headers(*more: bytes, length: int | None = None) -> bytes:
    lines = [b"HTTP/1.1 200 OK\r\n", SSE_TYPE, *(line + b"\r\n" for line in more)]
    if length is not None:
        lines.append(b"content-length: %d\r\n" % length)
    return b"".join(lines) + b"\r\n"


def tool_calls(arguments: str, name: str | None = None) -> str:
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return chunk({"tool_calls": [{"index": 0, "function": function}]})


def abort_of_vllm() -> str:
    return text("", "abort")


def hidden_of(completion: int, reasoning: int) -> str:
    counts = json.loads(usage(completion))
    counts["usage"]["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return json.dumps(counts)


def in_choice(completion: int) -> str:
    finish = json.loads(chunk(finish="stop"))
    finish["choices"][0]["usage"] = json.loads(usage(completion))["usage"]
    return json.dumps(finish)


PLAIN = sse(role(), text("a"), text("b", "stop"), usage(2), DONE)
TGI_BUSY = '{"error":"Model is overloaded","error_type":"overloaded"}'
VLLM_ERROR = '{"error":{"message":"boom","type":"InternalServerError","param":null,"code":500}}'
TGI_ERROR = '{"error":{"message":"Request failed","http_status_code":422}}'
BAD_GZIP = b"\x1f\x8b\x08\x00garbage that is no deflate stream"
GZIPPED = gzip.compress(PLAIN)

QUIRKS = [
    Quirk("1", "role-only first chunk with empty content", "vLLM serving_chat.py, SGLang serving_chat.py",
          [HEAD, one(role()), PAUSE_S, one(text("a")), one(text("b", "stop")), end(usage(2), DONE)],
          2, 2, check=first_event_is_not_the_first_token),
    Quirk("2", "role chunk after the first part of a chunked prefill", "vllm#15106",
          [HEAD, one(role()), PAUSE_S, one(text("a")), one(text("b")), one(text("c", "length")), end(usage(3), DONE)],
          3, 3, finish="length", check=first_event_is_not_the_first_token),
    Quirk("3", "role chunk with content null; a blank is a token", "llama.cpp#14268, apogee#139",
          stream(role(None), text(" "), text("b", "stop"), usage(2), DONE), 2, 2),
    Quirk("4a", "reasoning_content deltas before the answer", "vLLM, SGLang, DeepSeek API",
          [HEAD, one(role()), one(chunk({"reasoning_content": "hm"})), PAUSE_S, one(text("a")), end(chunk(finish="stop"), usage(2), DONE)],
          2, 2, check=reasoning_came_first),
    Quirk("4b", "reasoning deltas (newer name)", "vLLM harmony, OpenRouter",
          [HEAD, one(chunk({"reasoning": "hm", "content": None})), PAUSE_S, one(text("a")), end(chunk(finish="stop"), usage(2), DONE)],
          2, 2, check=reasoning_came_first),
    Quirk("4c", "reasoning that is counted and not shown", "OpenAI o-series, vLLM include_reasoning: false",
          stream(role(), text("a"), text("b"), text("c"), chunk(finish="stop"), hidden_of(63, 60), DONE), 3, 63, check=hidden_are(60)),
    Quirk("4d", "the same, and nobody says how many", "gateways that cut reasoning out",
          stream(role(), text("a"), text("b"), text("c"), chunk(finish="stop"), usage(63), DONE), 3, 63, check=hidden_are(None)),
    Quirk("4e", "all tokens are reasoning that is not shown", "OpenAI o-series with few max_completion_tokens",
          stream(role(), chunk(finish="length"), hidden_of(64, 64), DONE), 0, 64, "usage", "tokens_hidden", "length", check=message_says("64 tokens counted")),
    Quirk("5", "tool_calls deltas, and null ones", "GuideLLM's fixtures, vLLM",
          stream(chunk({"role": "assistant", "content": None, "tool_calls": None}), tool_calls("", "f"), tool_calls('{"a"'), tool_calls(":1}"), chunk(finish="tool_calls"), usage(3), DONE),
          3, 3, finish="tool_calls"),
    Quirk("6", "several tokens a chunk, and nobody says how many", "sglang PR #12064, vllm#27485",
          stream(role(), text("a b c"), text("d e f"), text("g h", "stop"), usage(8), DONE), 3, 8, check=no_itl_is_claimed),
    Quirk("7", "usage-only last chunk with no choices, late", "vLLM, TGI lib.rs:1065, SGLang",
          [HEAD, one(text("a")), one(text("b", "stop")), PAUSE_S, end(usage(2), DONE)], 2, 2, check=tail_is_outside),
    Quirk("7b", "totals that grow in chunks without text, where usage came with each", "SGLang, gateways that add their own usage chunk",
          [HEAD, one(counted("a", 1)), one(counted("b", 2)), PAUSE_S, one(chunk(finish="stop", usage=json.loads(usage(3))["usage"])), one(usage(4)), end(usage(4), DONE)],
          2, 4, changes={"chunk_counts": True}, check=tail_is_outside),
    Quirk("7c", "usage within the choice", "Moonshot",
          stream(role(), text("a"), text("b"), in_choice(2), DONE), 2, 2),
    Quirk("7d", "usage of nought with each chunk, the real one at last", "OpenVINO model server",
          stream(*(counted(word, 0) for word in "ab"), chunk(finish="stop"), usage(2), DONE), 2, 2, changes={"chunk_counts": True}),
    Quirk("8b", "text behind the finish reason", "proxies that join two answers",
          [HEAD, one(text("a")), one(text("b", "stop")), PAUSE_S, one(text("c")), end(usage(2), DONE)],
          2, 2, flags=("token_after_finish",), check=tail_is_outside),
    Quirk("8", "usage after finish_reason, in events of their own", "harness-sdk#3955",
          [HEAD, one(text("a")), one(text("b")), one(chunk(finish="stop")), PAUSE_S, one(usage(2)), end(DONE)], 2, 2, check=tail_is_outside),
    Quirk("9", "usage with every chunk", "vLLM, SGLang continuous_usage_stats",
          [HEAD, one(counted("", 0)), one(counted("a", 1)), PAUSE_S, one(counted("bcde", 5)), PAUSE_S, one(counted("", 6, "stop")), end(usage(6), DONE)],
          2, 6, changes={"chunk_counts": True}, check=each_token_is_timed),
    Quirk("10", "no usage at all: chunks are an estimate, never the length asked for", "old servers; SGLang's client assumes max_tokens",
          stream(role(), text("a"), text("b"), text("c"), chunk(finish="stop"), DONE), 3, 3, "chunks", changes={"workload": short_prompts(64)}),
    Quirk("11a", "error object and [DONE] after HTTP 200", "vLLM create_streaming_error_response, vLLM PR #57519",
          stream(role(), text("a"), text("b"), VLLM_ERROR, DONE), 2, 2, "chunks", "server_stream_error", None, check=message_says("boom")),
    Quirk("11b", "the same with an HTTP status inside", "TGI into_openai_event",
          stream(text("a"), TGI_ERROR, DONE), 1, 1, "chunks", "server_stream_error", None, check=message_says("Request failed")),
    Quirk("12", "a line `error: {...}` that is no SSE field", "llama.cpp until 2025 (PR #16109)",
          [HEAD, one(text("a")), chunked(b'error: {"code":500,"message":"slot lost","type":"server_error"}\n\n')],
          1, 1, "chunks", "server_stream_error", None, check=message_says("slot lost")),
    Quirk("13", "an event named error", "AIPerf's fixtures, TGI-like routers",
          [HEAD, one(text("a")), chunked(b'event: error\ndata: {"message":"backend gone"}\n\n')],
          1, 1, "chunks", "server_stream_error", None, check=message_says("backend gone")),
    Quirk("14", "flat error text with error_type", "TGI ErrorResponse",
          stream(TGI_BUSY), 0, None, "chunks", "rejected", None, check=message_says("overloaded")),
    Quirk("15", "HTTP 200 with a JSON body and no event stream", "llama.cpp#14566",
          [b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 17\r\n\r\n", b'{"error":"no SSE"', FIN],
          0, None, "chunks", "not_sse", None, check=message_says("no SSE")),
    Quirk("16a", "finish_reason abort, then [DONE]", "vllm#57082",
          stream(text("a"), abort_of_vllm(), DONE), 1, 1, "chunks", "aborted", None, check=message_says("abort")),
    Quirk("16b", "content_filter is the model's answer", "Azure OpenAI",
          stream(text("a"), chunk(finish="content_filter"), usage(1), DONE), 1, 1, finish="content_filter"),
    Quirk("16c", "a finish reason nobody knows is shown, not judged", "vendors' own servers",
          stream(text("a"), chunk(finish="repetition"), usage(1), DONE), 1, 1, finish="repetition", flags=("unknown_finish_reason",)),
    Quirk("17a", "no [DONE], a clean end after finish_reason", "many",
          stream(text("a"), text("b", "stop"), usage(2)), 2, 2, flags=("no_done",)),
    Quirk("17b", "no [DONE] and no finish_reason: cut short, though HTTP ended well", "routers that lose their backend",
          stream(text("a"), text("b")), 2, 2, "chunks", "truncated", None),
    Quirk("18a", "connection closed in mid-stream", "httpx: incomplete chunked read",
          [HEAD, one(text("a")), one(text("b")), PAUSE_S, FIN], 2, 2, "chunks", "cut_mid_stream", None, check=cut_with_words),
    Quirk("18b", "connection reset in mid-stream", "httpx: ReadError without a text",
          [HEAD, one(text("a")), one(text("b")), PAUSE_S, RST], 2, 2, "chunks", "cut_mid_stream", None, check=cut_with_words),
    Quirk("19", "keep-alive comments", "axum KeepAlive in TGI, litellm#37322",
          [HEAD, chunked(b": ping\n\n", end=False), chunked(b":\n\n", end=False), PAUSE_S, one(text("a")), chunked(b": ping\n\n", end=False), end(text("b", "stop"), usage(2), DONE)],
          2, 2, check=pings_are_nothing),
    Quirk("20", "named events that are not ours", "SGLang event: sglext_ids",
          [HEAD, one(text("a")), chunked(b"event: sglext_ids\ndata: " + text("no token").encode() + b"\n\n", end=False), end(text("b", "stop"), usage(2), DONE)], 2, 2),
    Quirk("22a", "429 with Retry-After: never asked again in silence", "TGI overloaded",
          [b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(TGI_BUSY), TGI_BUSY.encode()],
          0, None, "chunks", "rejected", None, check=only_asked_once),
    Quirk("22b", "503 with a date in Retry-After", "gateways",
          [b"HTTP/1.1 503 Service Unavailable\r\nretry-after: Sat, 21 Nov 2026 10:00:00 GMT\r\ncontent-length: 0\r\n\r\n"],
          0, None, "chunks", "rejected", None, check=only_asked_once),
    Quirk("23", "a proxy that gathers the stream and lets it go at once", "c8s#140, dstack#4269, nginx default",
          [HEAD, PAUSE_S, end(role(), text("a"), text("b"), text("c"), text("d", "stop"), usage(4), DONE)], 4, 4, check=burst_is_counted),
    Quirk("24a", "HTTP/1.0, the body ends with the connection", "old gateways",
          [b"HTTP/1.0 200 OK\r\n" + SSE_TYPE + b"\r\n", PLAIN, FIN], 2, 2),
    Quirk("24b", "HTTP/1.1 without length, ends with the connection", "llama.cpp forks",
          [headers(b"connection: close"), PLAIN, FIN], 2, 2),
    Quirk("24c", "chunk extensions and trailers", "Envoy",
          [HEAD, b"%x;name=value\r\n%s\r\n0\r\nx-checksum: 1\r\n\r\n" % (len(PLAIN), PLAIN)], 2, 2),
    Quirk("24d", "100 and 103 before the answer", "nginx, Cloudflare",
          [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", *stream(role(), text("a"), text("b", "stop"), usage(2), DONE)], 2, 2),
    Quirk("24e", "Content-Length on a stream", "buffering proxies", [headers(length=len(PLAIN)), PLAIN], 2, 2),
    Quirk("24f", "one byte a chunk", "debug proxies", [HEAD, *(b"1\r\n%c\r\n" % byte for byte in PLAIN), chunked()], 2, 2),
    Quirk("24g", "gzip although identity was asked for", "misconfigured nginx",
          [headers(b"content-encoding: gzip", length=len(GZIPPED)), GZIPPED], 0, None, "chunks", "not_sse", None, check=message_says("gzip")),
    Quirk("24h", "gzip that is no gzip", "misconfigured nginx",
          [headers(b"content-encoding: gzip", length=len(BAD_GZIP)), BAD_GZIP], 0, None, "chunks", "not_sse", None, check=message_says("gzip")),
    Quirk("24i", "headers of 200 kB", "httpx: Receive buffer too long",
          [b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000 + b"\r\n\r\n"], 0, None, "chunks", "bad_response", None),
    Quirk("24j", "a drip of bytes that never becomes a token", "httpx: never trips a read timeout",
          [HEAD, *[b"1\r\n:\r\n", 0.1] * 40], 0, None, "chunks", "first_token_timeout", None, changes={"deadlines": Deadlines(first_token_s=0.4)}),
    Quirk("24k", "one event of 15 MB", "attacks", [HEAD, chunked(b"data: " + b"a" * 15_000_000)], 0, None, "chunks", "body_too_large", None),
    Quirk("24l", "a shorter body than Content-Length says", "crashed backends",
          [headers(length=9999), PLAIN[:-20], FIN], 2, 2, "chunks", "cut_mid_stream", "stop"),
    Quirk("24m", "connection lost after [DONE], before HTTP's own end", "uvicorn workers that are recycled",
          [HEAD, chunked(PLAIN, end=False), FIN], 2, 2, flags=("cut_after_done",)),
]  # fmt: skip


@pytest.mark.parametrize("quirk", QUIRKS, ids=[f"{row.number} {row.what}" for row in QUIRKS])
def test_a_quirk_is_counted_as_what_it_is(quirk: Quirk) -> None:
    emitted, server = ask(quirk.steps, **quirk.changes)
    assert [record.index for record in emitted.requests] == [0, 1]
    for record in emitted.requests:
        assert (record.error.kind if record.error else None) == quirk.error
        assert (record.chunks, record.output_tokens, record.token_source) == (
            quirk.chunks,
            quirk.output,
            quirk.source,
        )
        assert record.finish_reason == quirk.finish
        assert set(record.flags) == set(quirk.flags)
        assert (record.first_token_ns is None) == (quirk.chunks == 0)
        if record.first_token_ns is not None and record.sent_ns is not None:
            assert record.first_token_ns > record.sent_ns, "no TTFT of 0 or less, ever"
        quirk.check(record, emitted, server)
    failed = 0 if quirk.error is None else 2
    assert emitted.errors() == ({} if quirk.error is None else {quirk.error: 2})
    assert (emitted.total("succeeded"), emitted.total("failed")) == (2 - failed, failed)
    assert emitted.total("chunks") == 2 * quirk.chunks


def in_one_write(steps: list[Step]) -> list[Step]:
    """The same bytes as late as a busy client would read them: all that came together, in one read."""
    made: list[Step] = []
    for step in steps:
        if isinstance(step, bytes) and made and isinstance(made[-1], bytes):
            made[-1] += step
        elif not isinstance(step, float):
            made += [PAUSE_S, step] if step == RST else [step]
    return made


@pytest.mark.parametrize(
    "quirk",
    [row for row in QUIRKS if row.number != "24j"],
    ids=[f"{row.number} {row.what}" for row in QUIRKS if row.number != "24j"],
)
def test_a_quirk_is_counted_the_same_when_all_of_it_is_read_at_once(quirk: Quirk) -> None:
    emitted, _ = ask(in_one_write(quirk.steps), **quirk.changes)
    for record in emitted.requests:
        assert (record.error.kind if record.error else None) == quirk.error
        assert (record.chunks, record.output_tokens, record.token_source, record.finish_reason) == (
            quirk.chunks,
            quirk.output,
            quirk.source,
            quirk.finish,
        )
        assert set(record.flags) == set(quirk.flags)
    assert emitted.total("chunks") == 2 * quirk.chunks


def test_every_row_of_the_list_of_quirks_is_played() -> None:
    played = {int("".join(digit for digit in row.number if digit.isdigit())) for row in QUIRKS}
    assert played | {21} == set(range(1, 25)), "21 has a test of its own"


def test_21_choices_that_nobody_asked_for_are_not_counted_as_tokens_of_ours() -> None:
    # n=1 is asked for; a server that sends two choices all the same must not double our tokens
    def choice(index: int, content: str, finish: str | None = None) -> dict[str, Any]:
        return {"index": index, "delta": {"content": content}, "finish_reason": finish}

    def event(*choices: dict[str, Any]) -> str:
        return json.dumps({"object": "chat.completion.chunk", "choices": list(choices)})

    script = stream(
        event(choice(0, "a")),
        event(choice(1, "other")),
        event(choice(0, "b", "stop")),
        event(choice(1, "other", "length")),
        DONE,
    )
    emitted, _ = ask(script)
    for record in emitted.requests:
        assert record.error is None
        assert (record.chunks, record.finish_reason) == (2, "stop")
        assert record.flags == ["extra_choices"]
