"""A broken answer is a failure of its own kind; an odd but complete one is a success."""

from __future__ import annotations

import msgspec
import pytest

from loadgen.arrivals.load import ClosedLoad
from loadgen.endpoints.sse import HeldBytes
from loadgen.worker.counters import Counters
from loadgen.worker_config import Deadlines
from tests.loadgen.raw_server import (
    FIN,
    HEAD,
    RST,
    Step,
    chunked,
    good,
    sse,
    token,
    usage,
)
from tests.loadgen.worker.engine_runs import run, worker_config

BROKEN: list[tuple[str, list[Step], str]] = [
    ("reset in the middle", [HEAD, chunked(sse(token()), end=False), 0.02, RST], "cut_mid_stream"),
    ("closed in the middle", [HEAD, chunked(sse(token()), end=False), FIN], "cut_mid_stream"),
    ("short content-length", [b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 999\r\n\r\n", sse(token()), FIN], "cut_mid_stream"),
    ("error after 200", [HEAD, chunked(sse(token(), '{"error":{"message":"boom","code":500}}', "[DONE]"))], "server_stream_error"),
    ("no token at all", [HEAD, chunked(sse("[DONE]"))], "no_tokens"),
    ("role chunk only", [HEAD, chunked(sse('{"choices":[{"index":0,"text":"","finish_reason":null}]}', "[DONE]"))], "no_tokens"),
    ("no finish, no DONE", [HEAD, chunked(sse(token(), token()))], "truncated"),
    ("abort", [HEAD, chunked(sse(token(), token(finish="abort"), "[DONE]"))], "aborted"),
    ("json, not a stream", [b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}'], "not_sse"),
    ("500", [b"HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\nboom"], "http_500"),
    ("429", [b"HTTP/1.1 429 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"], "rejected"),
    ("503", [b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"], "rejected"),
    ("redirect is not followed", [b"HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"], "http_307"),
    ("not HTTP", [b"SSH-2.0-OpenSSH\r\n"], "bad_response"),
    ("huge header", [b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000 + b"\r\n\r\n"], "bad_response"),
    ("a status of five digits", [b"HTTP/1.1 99999 X\r\n\r\n"], "bad_response"),
    ("a negative size of a chunk", [HEAD, b"-5\r\nabc\r\n"], "bad_response"),
    ("a size of a chunk beyond 64 bits", [HEAD, b"F" * 18 + b"\r\nabc\r\n"], "bad_response"),
    ("another protocol", [b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"], "bad_response"),
    ("204", [b"HTTP/1.1 204 No Content\r\n\r\n"], "http_204"),
    ("a length of nought", [b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 0\r\n\r\n"], "no_tokens"),
    ("nothing but its end", [HEAD, chunked(sse(token("", "length"), usage(8, 2), "[DONE]"))], "tokens_hidden"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "kind"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_answer_is_a_failure_of_its_own_kind(script: list[Step], kind: str) -> None:
    emitted, _ = run(lambda n, b: script, requests=2)
    assert emitted.errors() == {kind: 2}
    assert emitted.total("succeeded") == 0
    assert [r.error.kind for r in emitted.requests if r.error] == [kind, kind]


FINE: list[tuple[str, list[Step]]] = [
    ("no DONE but a finish reason", [HEAD, chunked(sse(token(), token(finish="stop")))]),
    ("close-delimited", [b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n", sse(token(), token(finish="stop"), "[DONE]"), FIN]),
    ("HTTP/1.0", [b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n", sse(token(), token(finish="stop"), "[DONE]"), FIN]),
    ("100 and 103 first", [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", *good(2)]),
    ("chunk extensions", [HEAD, b"5;ext=1\r\ndata:\r\n", b"%x\r\n %s\n\n\r\n" % (len(token()) + 3, token().encode()), chunked(sse(token(finish="stop")))]),
    ("content-length", [b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncontent-length: %d\r\n\r\n" % len(sse(token(), token(finish="stop"), "[DONE]")), sse(token(), token(finish="stop"), "[DONE]")]),
    ("cut after DONE", [HEAD, chunked(sse(token(), token(finish="stop"), "[DONE]"), end=False), 0.01, FIN]),
    ("comments between", [HEAD, chunked(b": ping\n\n", sse(token()), b":\n\n", sse(token(finish="stop"), "[DONE]"))]),
    ("another id and model from the second event on", [HEAD, chunked(sse('{"id":"a","model":"m",' + token()[1:], '{"id":"b","model":"n",' + token(finish="stop")[1:], "[DONE]"))]),
    ("an answer to nobody behind it", [*good(2), b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", FIN]),
    ("one byte at a time", [HEAD, *[b"1\r\n%c\r\n" % byte for byte in sse(token(), token(finish="stop"), "[DONE]")], b"0\r\n\r\n"]),
]  # fmt: skip


@pytest.mark.parametrize("script", [row[1] for row in FINE], ids=[row[0] for row in FINE])
def test_an_odd_but_complete_answer_is_a_success_with_two_tokens(script: list[Step]) -> None:
    emitted, _ = run(lambda n, b: script, requests=2)
    assert emitted.errors() == {}
    assert [(r.chunks, r.error) for r in emitted.requests] == [(2, None), (2, None)]


@pytest.mark.parametrize(
    ("script", "deadlines", "kind"),
    [
        ([60.0], Deadlines(headers_s=0.3), "headers_timeout"),
        ([HEAD, 60.0], Deadlines(first_token_s=0.3), "first_token_timeout"),
        ([HEAD, chunked(sse(token()), end=False), 60.0], Deadlines(gap_s=0.3), "gap_timeout"),
        ([60.0], Deadlines(total_s=0.3), "total_timeout"),
        ([HEAD, *[b":\n"] * 3, 60.0], Deadlines(first_token_s=0.3), "bad_response"),
    ],
)
def test_each_deadline_fails_a_request_with_its_own_kind(
    script: list[Step], deadlines: Deadlines, kind: str
) -> None:
    emitted, _ = run(lambda n, b: script, requests=1, deadlines=deadlines)
    assert emitted.errors() == {kind: 1}
    [record] = emitted.requests
    assert record.error is not None
    if kind != "bad_response":
        option = kind.removesuffix("_timeout").replace("_", "-")
        assert record.error.message == f"0.3 s; --timeout {option}=TIME allows more"


def test_keep_alive_comments_stop_the_clock_of_the_gap_and_a_drip_without_a_line_does_not() -> None:
    first = [HEAD, chunked(sse(token()), end=False)]
    last = chunked(sse(token(finish="stop")), sse("[DONE]"))

    def paused(piece: bytes) -> list[Step]:
        return [*first, *[0.1, chunked(piece, end=False)] * 12, last]

    scripts = {0: paused(b": ping\n\n"), 1: paused(b":")}
    emitted, _ = run(lambda n, b: scripts[n], requests=2, deadlines=Deadlines(gap_s=0.5))
    assert emitted.errors() == {"gap_timeout": 1}
    assert [record.chunks for record in emitted.requests if record.error is None] == [2]


def test_lines_without_an_end_cost_the_memory_of_a_few_however_many_streams_send_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = HeldBytes(most=1 << 20)
    monkeypatch.setattr("loadgen.worker.engine.HeldBytes", lambda: held)
    line = chunked(b"data: " + b"x" * 300_000, end=False)
    emitted, _ = run(
        lambda n, b: [HEAD, line, 60.0],
        load=ClosedLoad(6),
        requests=6,
        deadlines=Deadlines(first_token_s=1.0),
    )
    errors = emitted.errors()
    assert errors["body_too_large"] >= 1
    assert errors["body_too_large"] + errors["first_token_timeout"] == 6
    messages = {record.error.message for record in emitted.requests if record.error is not None}
    assert any("those of all streams together hold more than 1 MiB" in message for message in messages)
    assert held.held == 0


def test_ticks_tell_what_was_said_of_failures_and_the_key_is_hidden_in_it() -> None:
    key = "sk-CANARY-5e1f"

    def script(number: int, _body: bytes) -> list[Step]:
        said = b'{"error":{"message":"model \x1b[2J not loaded for %s"}}' % key.encode()
        status = b"500 Oops" if number % 4 else b"404 Gone"
        return [b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n" % (status, len(said)), said]

    made = worker_config(1).template
    template = msgspec.structs.replace(made, headers=[*made.headers, ("authorization", f"Bearer {key}")])
    emitted, _ = run(script, requests=12, template=template)
    causes: dict[tuple[str, str], int] = {}
    for tick in emitted.ticks:
        for cause in tick.causes:
            assert key not in cause.text
            causes[cause.kind, cause.text] = causes.get((cause.kind, cause.text), 0) + cause.count
    text = "model \\x1b[2J not loaded for ***"
    assert causes == {("http_500", text): 9, ("http_404", text): 3}


def test_of_many_things_said_in_a_tick_the_rest_is_counted_by_its_kind_alone() -> None:
    counters = Counters()
    for i in range(100):
        counters.fail("http_500", f"shard {i} failed")
    tick = counters.take(t_ns=1, dt_ns=1, worker=0, connects=0, cpu_ns=0)
    assert len(tick.causes) == 17
    assert sum(cause.count for cause in tick.causes) == 100
    assert {cause.text: cause.count for cause in tick.causes}[""] == 84
