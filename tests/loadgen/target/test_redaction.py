"""Our key stays out of what is kept and shown, however a server writes it."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import random
import urllib.parse
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def _json_numbers(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)


def _url_all(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


FORMS: dict[str, Callable[[str], str]] = {
    "as it stands": lambda key: key,
    "in small letters": str.lower,
    "JSON": lambda key: json.dumps(key)[1:-1],
    "JSON, slashes too": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "JSON in numbers": _json_numbers,
    "JSON in JSON": lambda key: json.dumps(json.dumps(key))[1:-1],
    "URL": lambda key: urllib.parse.quote(key, safe=""),
    "URL of a form": urllib.parse.quote_plus,
    "URL, small letters": lambda key: urllib.parse.quote(key, safe="").lower(),
    "URL, every byte": _url_all,
    "URL, twice": lambda key: urllib.parse.quote(urllib.parse.quote(key, safe=""), safe=""),
    "URL in JSON in a page": lambda key: html.escape(json.dumps(urllib.parse.quote(key, safe=""))),
    "page": html.escape,
    "page, in numbers": lambda key: "".join(f"&#{ord(character)};" for character in key),
    "page, in hex": lambda key: "".join(f"&#x{ord(character):X};" for character in key),
    "JSON of a page": lambda key: json.dumps(html.escape(key))[1:-1],
    "Python's bytes": lambda key: "".join(f"\\x{byte:02x}" for byte in key.encode()),
    "hex": lambda key: key.encode().hex(),
    "hex, capitals": lambda key: key.encode().hex().upper(),
    "base64": _base64,
    "base64 for URLs": lambda key: base64.urlsafe_b64encode(key.encode()).decode().rstrip("="),
    "base64 of Bearer": lambda key: _base64(f"Bearer {key}"),
    "base64 of a user": lambda key: _base64(f"u:{key}"),
    "base64 of two users": lambda key: _base64(f"us:{key}"),
    "base64 in a text": lambda key: _base64(f"a key {key} that nobody knows"),
    "base64 in a URL": lambda key: urllib.parse.quote(_base64(f"joe:{key}"), safe=""),
}


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=settings().max_examples // 4)
@given(
    key=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=6, max_size=80),
    before=st.sampled_from(["", "key ", "the key=", '{"key": "', "?k="]),
)
def test_no_way_of_writing_lets_a_key_through(form: str, key: str, before: str) -> None:
    written = FORMS[form](key)
    told = Redactor(key).text(f"{before}{written} is wrong")
    assert "***" in told
    assert (told.startswith(before), told.endswith(" is wrong")) == (True, True)
    quotes = 2 * len("&#x27;\\\\")
    assert len(told) <= len(f"{before}*** is wrong") + quotes


@pytest.mark.parametrize("before", ["100%", "\\", "&#", "\\u00", "%25", "\\x"])
def test_what_looks_like_half_an_escape_before_a_key_does_not_save_it(before: str) -> None:
    assert Redactor("41;abcdef-key").text(f"{before}41;abcdef-key!") == f"{before}***!"


@given(st.text(), st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=12, max_size=40))
def test_a_text_without_the_key_is_left_as_it_is(text: str, key: str) -> None:
    if key.lower() not in text.lower():
        assert Redactor(key).text(text) == text


@given(st.binary(max_size=200), st.lists(st.text(max_size=12), max_size=3))
def test_whatever_a_server_says_it_can_be_searched(data: bytes, secrets: list[str]) -> None:
    clean = [secret.encode("latin-1", "replace").decode("latin-1") for secret in secrets]
    Redactor(*clean).data(data)
    Redactor(*clean).text(data.decode("latin-1"))


def test_a_long_text_full_of_escapes_and_of_base64_is_searched_in_a_moment() -> None:
    draw = random.Random(1)
    noise = "".join(draw.choice("abcXYZ019+/") for _ in range(200_000)) + "\\u0041%41&amp;" * 10_000
    told = Redactor("sk-S3CRET-0123456789").text(noise + " sk-S3CRET-0123456789")
    assert told == noise + " ***"


def test_what_a_header_holds_in_parts_is_hidden_in_parts() -> None:
    basic = "Basic " + _base64("joe:hunter2-of-mine")
    redactor = redactor_of([("authorization", basic), ("cookie", "a=b; session=c00kie-of-mine; theme=dark")])
    for secret in (basic[6:], "joe:hunter2-of-mine", "hunter2-of-mine", "c00kie-of-mine"):
        assert redactor.text(f"no {secret} here") == "no *** here"
    assert redactor.text("the theme is dark") == "the theme is dark"


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
