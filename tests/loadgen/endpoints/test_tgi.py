"""TGI's own `/generate_stream`: written streams, and events worked out by hand."""

from __future__ import annotations

import msgspec
import pytest

from loadgen.endpoints import tgi
from tests.loadgen.endpoints.protocol_fixtures import answer_of, readings
from tests.loadgen.endpoints.test_events import said

STREAMS = {
    # the token in the middle has no text yet: the count at the end knows it
    "tgi.generate_stream.sse": ["T1", "-", "T1 eos_token usage 6+3 cached None done"],
    "overloaded.generate_stream.sse": [
        "T1",
        "- rejected: Request failed during generation: Server error: out of memory",
    ],
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("piece_bytes", [1 << 20, 7])
def test_a_stream_is_read_as_its_server_meant_it(name: str, piece_bytes: int) -> None:
    assert readings("tgi", name, piece_bytes) == STREAMS[name]


def test_special_tokens_are_no_text_of_the_answer() -> None:
    assert answer_of("tgi", "tgi.generate_stream.sse") == " The"


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b'{"token":{"text":" "}}', "T1"),
        (b'{"token":{"text":"\xff"}}', "T1 bad_utf8"),
        (b'{"token":7}', "-"),
        (b"{}", "-"),
        (b'{"token":{"text":"a"},"details":{"finish_reason":"length","generated_tokens":-1}}', "T1 length done bad_usage"),
        (b'{"token":{"text":"a"},"generated_text":"a","details":null}', "T1 done"),
        (b'{"error":"no","error_type":"generation"}', "- server_stream_error: no"),
        (b"", "- bad_json"),
        (b"[" * 100_000, "- bad_json"),
    ],
)  # fmt: skip
def test_an_event_says_what_it_says(data: bytes, want: str) -> None:
    assert said(tgi.read(data)) == want


def test_a_body_names_no_model_and_keeps_what_a_person_adds_to_the_parameters() -> None:
    fields = {"model": "m", "stream": True, "parameters": {"temperature": 0.7, "max_new_tokens": 1}}
    assert msgspec.json.decode(tgi.body(fields, "text", "max_tokens", 9)) == {
        "inputs": "text",
        "parameters": {"details": True, "temperature": 0.7, "max_new_tokens": 9},
    }
    with pytest.raises(ValueError, match="tgi: token ids"):
        tgi.body({}, [1, 2], "max_tokens", 9)
