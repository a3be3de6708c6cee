"""`POST /v1/messages`: messages in, content blocks out (Anthropic; vLLM, SGLang and llama.cpp serve it).

Source: https://docs.anthropic.com/en/api/messages-streaming
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from loadgen.endpoints.event import (
    ANSWER,
    DONE,
    NOTHING,
    REASONING,
    EventBuilder,
    EventContent,
    Usage,
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
from loadgen.endpoints.prompt import Prompt, as_messages

PATH = "/v1/messages"
HEADERS = (("anthropic-version", "2023-06-01"),)
"""Anthropic's own server and gateways to it refuse a request without it."""

_encode = msgspec.json.Encoder().encode


def body(fields: Mapping[str, object], prompt: Prompt, max_tokens_field: str, output_tokens: int) -> bytes:
    """The request body, with `prompt` as the only message.

    Raises:
        ValueError: token ids were given; a message is text.
    """
    messages = as_messages(prompt, "messages: token ids cannot be sent as a message, need text")
    return _encode({**fields, "messages": messages, "max_tokens": output_tokens})


def read(data: bytes, name: bytes | None = None, *, index_counts: bool = False) -> EventContent:
    """One event of the stream, or a whole answer. Never raises."""
    event = opened(data, name)
    if isinstance(event, EventContent):
        return event
    kind = text_in(event, "type") or (name or b"").decode("latin-1")
    if kind == "content_block_delta":
        return _delta(data, within(event, "delta"))
    if kind == "content_block_start":
        block = within(event, "content_block")
        if text_in(block, "type") == "tool_use":
            return ANSWER if text_in(block, "name") else NOTHING
        return ANSWER if text_in(block, "text") else REASONING if text_in(block, "thinking") else NOTHING
    if kind == "message_start":
        # Its count of output tokens is of a message that has only begun.
        usage, sound = _usage(within(event, "message", "usage"))
        if usage is not None:
            usage = counts(usage.prompt_tokens, None, usage.cached_tokens)
        return content_of(EventBuilder(), {}, usage, flags=() if sound else ("bad_usage",))
    if kind == "message_delta":
        return _stopped(within(event, "delta"), within(event, "usage"))
    if kind == "message_stop":
        return DONE
    if kind == "message":
        return _stopped(event, within(event, "usage"), done=True)
    if kind == "error":
        return read_error(data)
    return NOTHING if "type" in event and not event.get("error") else content_of(EventBuilder(), event)


def text(data: bytes) -> str:
    """The text by which one event makes the answer longer. Never raises."""
    event = object_of(data) or {}
    delta = within(event, "delta") if text_in(event, "type") == "content_block_delta" else {}
    return text_in(delta, "text")


def shown(data: bytes) -> int:
    """How many bytes of text one event shows, reasoning included. Never raises."""
    return shown_in(data, ("delta", "text"), ("delta", "thinking"), ("delta", "partial_json"))


def _delta(data: bytes, delta: dict[str, Any]) -> EventContent:
    if text_in(delta, "text") or text_in(delta, "partial_json"):
        return answer(data)  # A signature or a citation bears nothing that was generated.
    return REASONING if text_in(delta, "thinking") else NOTHING


def _stopped(said: dict[str, Any], wire: dict[str, Any], done: bool = False) -> EventContent:
    usage, sound = _usage(wire)
    builder = EventBuilder(finish_reason=text_in(said, "stop_reason") or None)
    return content_of(builder, {}, usage, done=done, flags=() if sound else ("bad_usage",))


def _usage(wire: dict[str, Any]) -> tuple[Usage | None, bool]:
    """`input_tokens` leaves out what came from the cache or went into it: all three are the prompt."""
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    parts = [count_in(wire, name) for name in names]
    # Gateways that do not know it yet say 0, and no prompt is empty.
    prompt = sum(part or 0 for part in parts) or None
    found = counts(prompt, count_in(wire, "output_tokens"), parts[1])
    return found, not unsound(wire, *names, "output_tokens")
