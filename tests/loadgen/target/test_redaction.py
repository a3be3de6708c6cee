"""Our key stays out of what is kept and shown, however a server writes it."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from loadgen.arrivals.load import ClosedLoad
from loadgen.records import Request
from loadgen.target.redaction import Redactor, redactor_of
from tests.loadgen.raw_server import HEAD, RawServer, Step, chunked, good, sse, token
from tests.loadgen.worker.engine_runs import run_engine, worker_config

KEY = 'sk-S3CRET/"&<+\\end'


@pytest.mark.parametrize(
    "written",
    [
        KEY,
        json.dumps(KEY)[1:-1],
        KEY.replace("/", "\\/"),
        KEY.replace("&", "\\u0026").replace("<", "\\u003C"),
        "".join(f"\\u{ord(character):04x}" for character in KEY),
    ],
)
def test_a_key_is_hidden_as_it_stands_and_as_json_may_write_it(written: str) -> None:
    assert Redactor(KEY).text(f"wrong key {written}, try another") == "wrong key ***, try another"


def test_a_short_key_is_a_key_too() -> None:
    assert Redactor("secret").text("Incorrect API key provided: secret") == "Incorrect API key provided: ***"


def test_without_a_key_nothing_is_hidden() -> None:
    assert redactor_of([("host", "h")]).data(b"anything \xff") == b"anything \xff"


def body(text: str) -> bytes:
    return b"HTTP/1.1 401 No\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text.encode())


ECHOES: dict[str, list[Step]] = {
    "error body": [body(json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}."}}))],
    "key at the cut": [body("x" * 195 + KEY)],
    "error event": [HEAD, chunked(sse(token(), json.dumps({"error": {"message": f"no {KEY}"}})))],
    "event named error": [HEAD, chunked(b"event: error\ndata: bad " + KEY.encode() + b"\n\n")],
    "finish reason": [HEAD, chunked(sse(token(finish=json.dumps(KEY)[1:-1]), "[DONE]"))],
    "encoding": [
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: "
        + KEY.lower().encode()
        + b"\r\ncontent-length: 0\r\n\r\n"
    ],
}


@pytest.mark.parametrize("key", ["x", "stop", "EMPTY", "text", '"finish_reason"', "choices-"])
def test_a_key_that_is_a_word_of_the_protocol_spoils_no_count(key: str) -> None:
    async def run() -> Request:
        async with RawServer(lambda number, _: good()) as server:
            asked = worker_config(server.port, ClosedLoad(1), requests=1)
            headers = [*asked.template.headers, ("authorization", f"Bearer {key}")]
            template = msgspec.structs.replace(asked.template, headers=headers)
            emitted = await run_engine(msgspec.structs.replace(asked, template=template))
        return emitted.requests[0]

    record = asyncio.run(run())
    assert record.error is None
    assert (record.chunks, record.finish_reason) == (3, "length")


@pytest.mark.parametrize("name", ECHOES)
def test_no_record_holds_a_key_that_the_server_echoes(name: str) -> None:
    async def run() -> str:
        async with RawServer(lambda number, _: ECHOES[name]) as server:
            asked = worker_config(server.port, ClosedLoad(1), requests=1)
            headers = [*asked.template.headers, ("authorization", f"Bearer {KEY}")]
            template = msgspec.structs.replace(asked.template, headers=headers)
            emitted = await run_engine(msgspec.structs.replace(asked, template=template))
        assert len(emitted.requests) == 1
        return msgspec.json.encode([emitted.requests, emitted.notes]).decode().lower()

    kept = asyncio.run(run())
    assert "s3cret" not in kept
    assert "sk-" not in kept


def test_a_key_is_hidden_in_whichever_header_it_goes_and_a_protocols_version_is_none() -> None:
    redactor = redactor_of([("x-api-key", "k3y"), ("anthropic-version", "2023-06-01")])
    assert redactor.text("key k3y, version 2023-06-01") == "key ***, version 2023-06-01"
