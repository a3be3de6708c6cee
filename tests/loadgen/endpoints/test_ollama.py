"""Ollama's own `/api/generate` and `/api/chat`: lines of JSON."""

from __future__ import annotations

import msgspec
import pytest

from loadgen.endpoints import ENDPOINTS, ollama
from tests.loadgen.endpoints.protocol_fixtures import answer_of, readings
from tests.loadgen.endpoints.test_events import said

STREAMS = {
    "ollama.generate.ndjson": ["R", "T", "T", "- length usage 11+3 cached None done"],
    "ollama.chat.ndjson": ["R", "T", "T", "- stop usage 22+9 cached None done"],
    "failed.generate.ndjson": [
        "T",
        "- server_stream_error: an error was encountered while running the model: unexpected EOF",
    ],
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("piece_bytes", [1 << 20, 7, 1])
def test_a_stream_of_lines_is_read_however_it_is_cut(name: str, piece_bytes: int) -> None:
    assert readings("ollama-chat" if ".chat." in name else "ollama", name, piece_bytes) == STREAMS[name]


def test_an_answer_is_its_text_without_thinking_and_calls() -> None:
    assert answer_of("ollama", "ollama.generate.ndjson") == "That's"
    assert answer_of("ollama-chat", "ollama.chat.ndjson") == "Hi"


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b'{"response":" ","done":false}', "T"),
        (b'{"response":"","done":false}', "-"),
        (b'{"response":"\xff","done":false}', "T bad_utf8"),
        (b'{"message":{"tool_calls":[{"function":{}}]},"done":false}', "-"),
        (b'{"message":7,"response":7}', "-"),
        # what older ones do not say: that the model had come to its end
        (b'{"response":"","done":true,"eval_count":3}', "- stop usage None+3 cached None done"),
        (b'{"response":"a","done":true,"done_reason":"stop","eval_count":"3"}', "T stop done bad_usage"),
        (b'{"error":"model requires more system memory"}', "- server_stream_error: model requires more system memory"),
        (b"[DONE]", "- bad_json"),
        (b"[" * 100_000, "- bad_json"),
    ],
)  # fmt: skip
def test_a_line_says_what_it_says(data: bytes, want: str) -> None:
    assert said(ollama.read(data)) == want


def test_bodies_keep_the_options_that_a_person_adds() -> None:
    fields = {"model": "m", "stream": True, "options": {"num_ctx": 8192, "num_predict": 1}}
    common = {"model": "m", "stream": True, "options": {"num_ctx": 8192, "num_predict": 9}}
    generate, chat = ENDPOINTS["ollama"].body, ENDPOINTS["ollama-chat"].body
    assert msgspec.json.decode(generate(fields, "text", "", 9)) == {**common, "prompt": "text"}
    messages = [{"role": "user", "content": "text"}]
    assert msgspec.json.decode(chat(fields, "text", "", 9)) == {**common, "messages": messages}
    for body in (generate, chat):
        with pytest.raises(ValueError, match="ollama: token ids"):
            body({}, [1, 2], "", 9)
