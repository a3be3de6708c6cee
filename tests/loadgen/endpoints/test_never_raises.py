"""Whatever a server sends is read without an exception, by every endpoint."""

from __future__ import annotations

import json
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.endpoint_names import ENDPOINT_NAMES, EndpointName
from loadgen.endpoints import ENDPOINTS, EventContent

NAMES = (
    *(
        "type",
        "delta",
        "response",
        "item",
        "usage",
        "status",
        "error",
        "errors",
        "detail",
        "message",
        "output",
    ),
    *(
        "content_block",
        "text",
        "thinking",
        "name",
        "stop_reason",
        "incomplete_details",
        "reason",
        "input_tokens",
    ),
    *("token", "details", "generated_text", "generated_tokens", "input_length", "finish_reason", "special"),
    *(
        "done",
        "done_reason",
        "eval_count",
        "prompt_eval_count",
        "content",
        "tool_calls",
        "function",
        "choices",
    ),
    *("stop", "stop_type", "timings", "cache_n", "tokens_predicted", "data", "embedding", "prompt_tokens"),
)
WORDS = (
    *(
        "content_block_delta",
        "content_block_start",
        "message_start",
        "message_delta",
        "message",
        "error",
        "tool_use",
    ),
    *(
        "response.output_text.delta",
        "response.completed",
        "response.failed",
        "response.output_item.added",
        "",
        "a",
    ),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)
EVENTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6).map(
    lambda value: json.dumps(value).encode()
)
EVENT_NAMES = st.none() | st.sampled_from([b"error", b"message_delta", b"response.completed", b"\xff"])


@pytest.mark.parametrize("endpoint", ENDPOINT_NAMES)
@given(data=EVENTS | st.binary(max_size=40), name=EVENT_NAMES)
def test_anything_is_read(endpoint: EndpointName, data: bytes, name: bytes | None) -> None:
    found = ENDPOINTS[endpoint].read(data, name)
    assert isinstance(found, EventContent)
    said = (found.finish_reason or "") + (found.error.message if found.error else "")
    # no control characters, lone surrogates or line breaks, which a terminal might obey
    assert not {category(character) for character in said} & {"Cc", "Cs", "Zl", "Zp"}
    assert isinstance(ENDPOINTS[endpoint].text(data), str)
