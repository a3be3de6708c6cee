"""OpenAI's `/v1/responses`: recorded and written streams, and events worked out by hand."""

from __future__ import annotations

import msgspec
import pytest

from loadgen.endpoints import responses
from tests.loadgen.endpoints.protocol_fixtures import answer_of, readings
from tests.loadgen.endpoints.test_events import said

STREAMS = {
    "llamacpp.responses.sse": [*"----TTTTT---", "- completed usage 13+5 cached 0 done"],
    "vllm.responses.sse": [*"----R--TTT-", "- max_output_tokens usage 21+4 cached 16 done"],
    "failed.responses.sse": [
        *"-T",
        "- server_stream_error: The model failed to generate a response. done",
    ],
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("piece_bytes", [1 << 20, 7])
def test_a_stream_is_read_as_its_server_meant_it(name: str, piece_bytes: int) -> None:
    assert readings("responses", name, piece_bytes) == STREAMS[name]


def test_an_answer_is_its_text_without_reasoning_and_calls() -> None:
    assert answer_of("responses", "vllm.responses.sse") == " sunny"


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b'{"type":"response.output_text.delta","delta":" "}', "T"),
        (b'{"type":"response.output_text.delta","delta":7}', "-"),
        (b'{"type":"response.output_text.delta","delta":"\xff"}', "T bad_utf8"),
        (b'{"type":"response.refusal.delta","delta":"No"}', "T"),
        (b'{"type":"response.reasoning_summary_text.delta","delta":"a"}', "R"),
        (b'{"type":"response.some_new_thing.delta","delta":"a"}', "-"),
        (b'{"type":"response.some_new_thing"}', "-"),
        (b'{"type":"error","code":"server_error","message":"no","param":null}', "- server_stream_error: no"),
        (b'{"type":"response.cancelled","response":{}}', "- aborted: status: cancelled done"),
        (
            b'{"type":"response.completed","response":{"usage":{"input_tokens":-1}}}',
            "- completed done bad_usage",
        ),
        (b'{"error":{"message":"no","code":503}}', "- rejected: no"),
        # a whole answer, as it comes without a stream
        (
            b'{"object":"response","status":"completed","output":[],"usage":{"input_tokens":5,"output_tokens":1}}',
            "- completed usage 5+1 cached None done",
        ),
        (b"null", "- bad_json"),
        (b"[" * 100_000, "- bad_json"),
    ],
)
def test_an_event_says_what_it_says(data: bytes, want: str) -> None:
    assert said(responses.read(data)) == want


def test_an_event_without_a_type_is_what_its_name_says() -> None:
    assert said(responses.read(b'{"delta":"a"}', b"response.output_text.delta")) == "T"
    assert said(responses.read(b"plain words", b"error")) == "- server_stream_error: plain words"


def test_a_body_holds_text_as_input_and_the_length() -> None:
    body = msgspec.json.decode(responses.body({"model": "m", "store": False}, "text", "max_tokens", 9))
    assert body == {"model": "m", "store": False, "input": "text", "max_output_tokens": 9}
    with pytest.raises(ValueError, match="responses: token ids"):
        responses.body({}, [1, 2], "max_tokens", 9)
