"""`/v1/embeddings`: one JSON value, which holds a vector and no token."""

from __future__ import annotations

import msgspec
import pytest

from loadgen.endpoints import embeddings
from tests.loadgen.endpoints.protocol_fixtures import answer_of, readings
from tests.loadgen.endpoints.test_events import said


@pytest.mark.parametrize("piece_bytes", [1 << 20, 100])
def test_a_recorded_answer_is_done_once_and_counts_its_prompt(piece_bytes: int) -> None:
    assert readings("embeddings", "llamacpp.embeddings.json", piece_bytes) == [
        "- usage 4+None cached None done"
    ]
    assert answer_of("embeddings", "llamacpp.embeddings.json") == ""


EMPTY = "- no_embedding: "


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b'{"data":[{"embedding":[0.5,-1]}]}', "- done"),
        (
            b'{"data":[{"embedding":"DPHxvQ=="}],"usage":{"prompt_tokens":4}}',
            "- usage 4+None cached None done",
        ),
        (b'{"data":[{"embedding":[0.5]}],"usage":{"prompt_tokens":-4}}', "- done bad_usage"),
        (b'{"data":[{"embedding":[NaN]}],"usage":{"prompt_tokens":4}}', "- usage 4+None cached None done"),
        (b'{"data":[{"embedding":[0.5]}],"error":null}', "- done"),
        (b'{"data":[{"embedding":[0.5]}],"error":{"message":"no","code":429}}', "- rejected: no"),
        (b'{"data":[]}', EMPTY),
        (b'{"data":[{"embedding":[]}]}', EMPTY),
        (b'{"data":[{"embedding":null}]}', EMPTY),
        (b'{"data":[{}]}', EMPTY),
        (b'{"data":[7]}', EMPTY),
        (b"{}", EMPTY),
        (b"7", EMPTY),
        (b'{"data":[{"embedding":[0.5]', EMPTY),
        (b"[" * 100_000, EMPTY),
        (b'{"error":{"message":"no","code":429}}', "- rejected: no"),
    ],
)
def test_only_an_answer_with_a_vector_is_one(data: bytes, want: str) -> None:
    assert said(embeddings.read(data)) == want


def test_a_body_asks_for_no_length_and_no_stream() -> None:
    for prompt in ([5, 6], "two words"):
        body = msgspec.json.decode(embeddings.body({"model": "m", "stream": True}, prompt, "max_tokens", 9))
        assert body == {"model": "m", "input": prompt}
