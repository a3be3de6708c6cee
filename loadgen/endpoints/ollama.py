"""`POST /api/generate` and `/api/chat`: text or messages in, lines of JSON out (Ollama's own API).

Source: https://docs.ollama.com/api
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from loadgen.endpoints.event import BAD_JSON, NOTHING, REASONING, EventBuilder, EventContent
from loadgen.endpoints.picking import (
    answer,
    content_of,
    count_in,
    counts,
    object_of,
    shown_in,
    text_in,
    unsound,
    within,
)
from loadgen.endpoints.prompt import Prompt, as_messages, only_text

GENERATE_PATH, CHAT_PATH = "/api/generate", "/api/chat"

_encode = msgspec.json.Encoder().encode
_NEEDS_TEXT = "ollama: token ids cannot be sent, need text"


def generate_body(
    fields: Mapping[str, object], prompt: Prompt, max_tokens_field: str, output_tokens: int
) -> bytes:
    """The body of a request to `/api/generate`.

    Raises:
        ValueError: token ids were given; a prompt is text.
    """
    return _encode({**_with_length(fields, output_tokens), "prompt": only_text(prompt, _NEEDS_TEXT)})


def chat_body(
    fields: Mapping[str, object], prompt: Prompt, max_tokens_field: str, output_tokens: int
) -> bytes:
    """The body of a request to `/api/chat`, with `prompt` as the only message.

    Raises:
        ValueError: token ids were given; a message is text.
    """
    messages = as_messages(prompt, _NEEDS_TEXT)
    return _encode({**_with_length(fields, output_tokens), "messages": messages})


def _with_length(fields: Mapping[str, object], output_tokens: int) -> dict[str, object]:
    given = fields.get("options")
    options = {**(given if isinstance(given, dict) else {}), "num_predict": output_tokens}
    return {**fields, "options": options}


def read(data: bytes, name: bytes | None = None, *, index_counts: bool = False) -> EventContent:
    """One line of the stream, of either path. Never raises."""
    event = object_of(data)
    if event is None:
        return BAD_JSON
    message = within(event, "message")
    if text_in(event, "response") or text_in(message, "content") or _calls(message):
        builder = EventBuilder(answer=True)
    else:
        builder = EventBuilder(reasoning=bool(text_in(event, "thinking") or text_in(message, "thinking")))
    if event.get("done") is not True:
        if event.get("error"):
            return content_of(builder, event)
        if builder.answer:
            return answer(data)
        return REASONING if builder.reasoning else NOTHING
    builder.finish_reason = text_in(event, "done_reason") or "stop"  # which older ones do not say
    names = ("prompt_eval_count", "eval_count")
    usage = counts(*(count_in(event, name) for name in names))
    flags = ("bad_usage",) if unsound(event, *names) else ()
    return content_of(builder, event, usage, done=True, flags=flags)


def text(data: bytes) -> str:
    """The text by which one line makes the answer longer. Never raises."""
    event = object_of(data) or {}
    return text_in(event, "response") or text_in(within(event, "message"), "content")


def shown(data: bytes) -> int:
    """How many bytes of text one event shows, reasoning included. Never raises."""
    return shown_in(data, ("response",), ("thinking",), ("message", "content"), ("message", "thinking"))


def _calls(message: dict[str, Any]) -> bool:
    calls = message.get("tool_calls")
    functions = [within(call, "function") for call in calls] if isinstance(calls, list) else []
    return any(text_in(function, "name") for function in functions)
