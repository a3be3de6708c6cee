"""`POST /v1/responses`: text in, events named by their `type` out (OpenAI, vLLM, llama.cpp).

Source: https://developers.openai.com/api/reference/resources/responses/streaming-events
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from loadgen.endpoints.event import (
    ANSWER,
    NOTHING,
    REASONING,
    EventBuilder,
    EventContent,
    Usage,
    error_of,
    read_error,
)
from loadgen.endpoints.picking import (
    answer,
    content_of,
    count_in,
    counts,
    object_of,
    opened,
    shown_in,
    text_in,
    unsound,
    within,
)
from loadgen.endpoints.prompt import Messages, Prompt, only_text
from loadgen.records import RequestError

PATH = "/v1/responses"
WISHED = ("ignore_eos", "store")
"""vLLM and llama.cpp take `ignore_eos`, nobody `min_tokens`. `store`: the answer is not to be kept."""

_encode = msgspec.json.Encoder().encode
_ANSWERS = frozenset(
    {"output_text", "refusal", "function_call_arguments", "custom_tool_call_input", "mcp_call_arguments"}
)
_REASONINGS = frozenset({"reasoning_text", "reasoning_summary_text", "reasoning"})


def body(fields: Mapping[str, object], prompt: Prompt, max_tokens_field: str, output_tokens: int) -> bytes:
    """The request body, with `prompt` as the only input, or the messages that it is.

    Raises:
        ValueError: token ids were given; input is text.
    """
    refusal = "responses: token ids cannot be sent as input, need text"
    given = prompt.json if isinstance(prompt, Messages) else only_text(prompt, refusal)
    return _encode({**fields, "input": given, "max_output_tokens": output_tokens})


def read(data: bytes, name: bytes | None = None, *, index_counts: bool = False) -> EventContent:
    """One event of the stream, or a whole answer. Never raises."""
    event = opened(data, name)
    if isinstance(event, EventContent):
        return event
    kind = text_in(event, "type") or (name or b"").decode("latin-1")
    kind = kind.removeprefix("response.")
    if kind.endswith(".delta"):
        what, delta = kind[:-6], text_in(event, "delta")
        if not delta:
            return NOTHING
        if what in _ANSWERS:
            return answer(data)
        return REASONING if what in _REASONINGS else NOTHING
    if kind == "error":
        return read_error(data)
    if kind == "output_item.added":
        call = within(event, "item")
        return ANSWER if text_in(call, "type") == "function_call" and text_in(call, "name") else NOTHING
    if kind in ("completed", "incomplete", "failed", "cancelled"):
        return _ended(within(event, "response"), kind)
    if "output" in event and "status" in event:
        return _ended(event, text_in(event, "status"))
    return NOTHING if "type" in event and not event.get("error") else content_of(EventBuilder(), event)


def text(data: bytes) -> str:
    """The text by which one event makes the answer longer. Never raises."""
    event = object_of(data) or {}
    return text_in(event, "delta") if text_in(event, "type") == "response.output_text.delta" else ""


def shown(data: bytes) -> int:
    """How many bytes of text one event shows, reasoning included. Never raises."""
    return shown_in(data, ("delta",))


def _ended(response: dict[str, Any], kind: str) -> EventContent:
    status = text_in(response, "status") or kind
    usage, sound = _usage(response)
    error: RequestError | None = None
    if status in ("failed", "cancelled"):
        kind = "aborted" if status == "cancelled" else "server_stream_error"
        error = error_of(response) or RequestError(kind, f"status: {status}")
    reason = text_in(within(response, "incomplete_details"), "reason") or status
    builder = EventBuilder(finish_reason=None if error else reason)
    return content_of(builder, {}, usage, error, done=True, flags=() if sound else ("bad_usage",))


def _usage(response: dict[str, Any]) -> tuple[Usage | None, bool]:
    wire = within(response, "usage")
    cached = count_in(within(wire, "input_tokens_details"), "cached_tokens")
    reasoning = count_in(within(wire, "output_tokens_details"), "reasoning_tokens")
    found = counts(count_in(wire, "input_tokens"), count_in(wire, "output_tokens"), cached, reasoning)
    return found, not unsound(wire, "input_tokens", "output_tokens")
