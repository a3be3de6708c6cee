"""`POST /generate_stream`: text in, an event a token out (TGI's own API).

Source: https://huggingface.github.io/text-generation-inference
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from loadgen.endpoints.event import NOTHING, EventBuilder, EventContent
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
from loadgen.endpoints.prompt import Prompt, only_text

PATH = "/generate_stream"

_encode = msgspec.json.Encoder().encode
_TOKEN = EventContent(bears_token=True, tokens=1)


def body(fields: Mapping[str, object], prompt: Prompt, max_tokens_field: str, output_tokens: int) -> bytes:
    """The request body. It names no model: such a server has one.

    Raises:
        ValueError: token ids were given; input is text.
    """
    text = only_text(prompt, "tgi: token ids or messages cannot be sent as inputs, need text")
    own = {name: value for name, value in fields.items() if name not in ("model", "stream", "parameters")}
    given = fields.get("parameters")
    parameters = {
        "details": True,
        **(given if isinstance(given, dict) else {}),
        "max_new_tokens": output_tokens,
    }
    return _encode({**own, "inputs": text, "parameters": parameters})


def read(data: bytes, name: bytes | None = None, *, index_counts: bool = False) -> EventContent:
    """One event of the stream: a token, and with the last one how it ended. Never raises."""
    event = opened(data, name)
    if isinstance(event, EventContent):
        return event
    details, bears = within(event, "details"), bool(_token_text(event))
    if not details and event.get("generated_text") is None and not event.get("error"):
        if not bears:
            return NOTHING
        return _TOKEN if data.isascii() else content_of(_builder(True), {}, flags=flags_of(data))
    builder = _builder(bears)
    builder.finish_reason = text_in(details, "finish_reason") or None
    usage = counts(count_in(details, "input_length"), count_in(details, "generated_tokens"))
    done = event.get("generated_text") is not None or builder.finish_reason is not None
    flags = ("bad_usage",) if unsound(details, "input_length", "generated_tokens") else ()
    return content_of(builder, event, usage, done=done, flags=flags)


def text(data: bytes) -> str:
    """The text by which one event makes the answer longer; that of special tokens is none. Never raises."""
    event = object_of(data) or {}
    return "" if within(event, "token").get("special") is True else _token_text(event)


def shown(data: bytes) -> int:
    """How many bytes of text one event shows, reasoning included. Never raises."""
    return shown_in(data, ("token", "text"))


def _token_text(event: dict[str, Any]) -> str:
    return text_in(within(event, "token"), "text")


def _builder(bears: bool) -> EventBuilder:
    return EventBuilder(answer=True, tokens=1) if bears else EventBuilder()
