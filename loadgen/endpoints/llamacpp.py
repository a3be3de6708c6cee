"""`POST /completion`: text or token ids in, `content` out (llama.cpp's own API).

Source: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from loadgen.endpoints.event import (
    NOTHING,
    EventBuilder,
    EventContent,
    Usage,
)
from loadgen.endpoints.picking import (
    content_of,
    count_in,
    counts,
    flags_of,
    object_of,
    opened,
    shown_in,
    text_in,
    unsound,
    within,
)
from loadgen.endpoints.prompt import Messages, Prompt

PATH = "/completion"
WISHED = ("ignore_eos",)

_encode = msgspec.json.Encoder().encode


def body(fields: Mapping[str, object], prompt: Prompt, max_tokens_field: str, output_tokens: int) -> bytes:
    """The request body. `prompt` is token ids or text."""
    if isinstance(prompt, Messages):
        raise ValueError("llamacpp: messages cannot be sent as a prompt, need text or token ids")
    return _encode({**fields, "prompt": prompt, "n_predict": output_tokens})


def read(data: bytes, name: bytes | None = None, *, index_counts: bool = False) -> EventContent:
    """One event of the stream, each with the tokens so far; or a whole answer. Never raises."""
    event = opened(data, name)
    if isinstance(event, EventContent):
        return event
    usage, bears = _usage(event), bool(text_in(event, "content"))
    stopped, flags = event.get("stop") is True, () if data.isascii() else flags_of(data)
    if unsound(event, "tokens_evaluated", "tokens_predicted"):
        flags = (*flags, "bad_usage")
    if not stopped and not flags and not event.get("error"):
        if usage is None and not bears:
            return NOTHING
        return EventContent(bears_token=bears, usage=usage)
    builder = EventBuilder(answer=bears, finish_reason=_reason(event) if stopped else None)
    return content_of(builder, event, usage, done=stopped, flags=flags)


def text(data: bytes) -> str:
    """The text by which one event makes the answer longer. Never raises."""
    return text_in(object_of(data) or {}, "content")


def shown(data: bytes) -> int:
    """How many bytes of text one event shows, reasoning included. Never raises."""
    return shown_in(data, ("content",))


def _usage(event: dict[str, Any]) -> Usage | None:
    cached = count_in(within(event, "timings"), "cache_n")
    return counts(count_in(event, "tokens_evaluated"), count_in(event, "tokens_predicted"), cached)


def _reason(event: dict[str, Any]) -> str:
    """`limit`, `eos` or `word`: until 2025 each was a field of its own."""
    if reason := text_in(event, "stop_type"):
        return reason
    return next((end for end in ("limit", "eos", "word") if event.get(f"stopped_{end}") is True), "stop")
