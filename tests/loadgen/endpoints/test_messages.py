"""Anthropic's `/v1/messages`: recorded and written streams, and events worked out by hand."""

from __future__ import annotations

import msgspec
import pytest

from loadgen.endpoints import messages
from tests.loadgen.endpoints.protocol_fixtures import answer_of, readings
from tests.loadgen.endpoints.test_events import said

STREAMS = {
    # 12 of the 13 tokens of its prompt came from the cache, and are left out of `input_tokens`
    "llamacpp.messages.sse": [
        "- usage 13+None cached 12",
        *"-TTTTT-",
        "- max_tokens usage None+5 cached None",
        "- done",
    ],
    "anthropic.messages.sse": [
        "- usage 125+None cached 100",
        *"--R---T-T-T-",
        "- tool_use usage None+15 cached None",
        "- done",
    ],
    # llama.cpp, where the first token is no whole character: four tokens in three chunks, the prompt not counted
    "startless.messages.sse": [*"-TTT-", "- max_tokens usage None+4 cached None", "- done"],
    "overloaded.messages.sse": ["- usage 7+None cached None", "T", "- rejected: Overloaded"],
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("piece_bytes", [1 << 20, 7])
def test_a_stream_is_read_as_its_server_meant_it(name: str, piece_bytes: int) -> None:
    assert readings("messages", name, piece_bytes) == STREAMS[name]


def test_an_answer_is_its_text_without_thinking_and_calls() -> None:
    assert answer_of("messages", "anthropic.messages.sse") == "Hello"


def delta(text: bytes) -> bytes:
    return b'{"type":"content_block_delta","index":0,"delta":' + text + b"}"


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (delta(b'{"type":"text_delta","text":" "}'), "T"),
        (delta(b'{"type":"text_delta","text":""}'), "-"),
        (delta(b'{"type":"text_delta","text":null}'), "-"),
        (delta(b'{"type":"citations_delta","citation":{"cited_text":"a"}}'), "-"),
        (delta(b"7"), "-"),
        (delta(b'{"text":"\xff"}'), "T bad_utf8"),
        (b'{"type":"message_delta","delta":{},"usage":{"input_tokens":9,"output_tokens":2}}', "- usage 9+2 cached None"),
        # a gateway that does not know the prompt's length says 0
        (b'{"type":"message_start","message":{"usage":{"input_tokens":0,"output_tokens":1}}}', "-"),
        (b'{"type":"message_start","message":{"usage":{"input_tokens":"9"}}}', "- bad_usage"),
        (b'{"type":"message_start","message":7}', "-"),
        (b'{"type":"something_new"}', "-"),
        (b'{"type":"error","error":{"type":"api_error","message":"no"}}', "- server_stream_error: no"),
        (b'{"type":"error","error":{"type":"rate_limit_error","message":"no"}}', "- rejected: no"),
        (b'{"error":{"message":"no"}}', "- server_stream_error: no"),
        # a whole answer, as it comes without a stream
        (
            b'{"type":"message","content":[],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":1}}',
            "- end_turn usage 5+1 cached None done",
        ),
        (b"7", "- bad_json"),
        (b"[" * 100_000, "- bad_json"),
    ],
)  # fmt: skip
def test_an_event_says_what_it_says(data: bytes, want: str) -> None:
    assert said(messages.read(data)) == want


def test_a_body_holds_one_message_and_the_length() -> None:
    body = msgspec.json.decode(
        messages.body({"model": "m", "stream": True}, "text", "max_completion_tokens", 9)
    )
    assert body == {
        "model": "m",
        "stream": True,
        "messages": [{"role": "user", "content": "text"}],
        "max_tokens": 9,
    }
    with pytest.raises(ValueError, match="messages: token ids"):
        messages.body({}, [1, 2], "max_tokens", 9)
