"""llama.cpp's own `/completion`: a recorded stream, and events worked out by hand."""

from __future__ import annotations

import msgspec
import pytest

from loadgen.endpoints import llamacpp
from tests.loadgen.endpoints.protocol_fixtures import answer_of, readings
from tests.loadgen.endpoints.test_events import said


@pytest.mark.parametrize("piece_bytes", [1 << 20, 7])
def test_a_recorded_stream_counts_its_tokens_as_they_come(piece_bytes: int) -> None:
    assert readings("llamacpp", "llamacpp.completion.sse", piece_bytes) == [
        *(f"T usage 10+{n} cached None" for n in range(1, 6)),
        "- limit usage 10+5 cached 0 done",
    ]


def test_its_answer_is_the_text_of_its_events() -> None:
    assert answer_of("llamacpp", "llamacpp.completion.sse") == " lej\ufffd\ufffd resi wuz"


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b'{"content":"a","stop":false}', "T"),
        (b'{"content":"","stop":false}', "-"),
        (b'{"content":"","stop":false,"tokens_predicted":3}', "- usage None+3 cached None"),
        (b'{"content":7,"stop":"no"}', "-"),
        (b'{"content":"","stop":true,"stop_type":"eos"}', "- eos done"),
        (b'{"content":"","stop":true,"stopped_word":true}', "- word done"),
        (b'{"content":"","stop":true,"stopped_limit":true}', "- limit done"),
        (b'{"content":"","stop":true,"stopped_limit":false,"stopped_eos":true}', "- eos done"),
        (b'{"content":"","stop":true}', "- stop done"),
        (b'{"content":"a","tokens_predicted":-3}', "T bad_usage"),
        (b'{"content":"\xff","stop":false}', "T bad_utf8"),
        (b'{"error":{"code":500,"message":"no","type":"server_error"}}', "- server_stream_error: no"),
        (b"[DONE]", "- done"),
        (b"[1]", "- bad_json"),
        (b"", "- bad_json"),
        (b"[" * 100_000, "- bad_json"),
    ],
)
def test_an_event_says_what_it_says(data: bytes, want: str) -> None:
    assert said(llamacpp.read(data)) == want


def test_a_body_takes_ids_and_text_and_names_the_length_as_this_server_does() -> None:
    for prompt in ([5, 6], "two words"):
        body = msgspec.json.decode(
            llamacpp.body({"stream": True, "ignore_eos": True}, prompt, "max_tokens", 9)
        )
        assert body == {"stream": True, "ignore_eos": True, "prompt": prompt, "n_predict": 9}
