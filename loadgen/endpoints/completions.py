"""`POST /v1/completions`: plain text or token ids in, `choices[].text` out (OpenAI, legacy API)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from loadgen.decoding import ready
from loadgen.endpoints.event import (
    ANSWER,
    DONE,
    NOTHING,
    EventBuilder,
    EventContent,
    WireUsage,
    answer_text,
    error_of,
    filled,
    is_done,
    loads,
    read_error,
    read_lenient,
    shown_bytes,
    usage_of,
)
from loadgen.endpoints.prompt import Messages, Prompt
from loadgen.endpoints.token_event import CountedTokenEvent, Text, TokenEvent

PATH = "/v1/completions"


class _Choice(msgspec.Struct, gc=False):
    index: int | None = None
    text: str | None = None
    finish_reason: str | None = None
    token_ids: list[int] | None = None
    usage: WireUsage | None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: WireUsage | None = None
    error: msgspec.Raw = msgspec.Raw()


class _TokenChoice(msgspec.Struct, gc=False):
    text: Text
    index: Literal[0] = 0
    finish_reason: None = None
    token_ids: None = None
    usage: None = None


class _CountedChoice(msgspec.Struct, gc=False):
    text: Text
    index: Literal[0] = 0
    finish_reason: None = None
    token_ids: tuple[int] | None = None
    usage: None = None


TOKEN_EVENT = msgspec.json.Decoder(ready(TokenEvent[_TokenChoice])).decode_lines
COUNTED_TOKEN_EVENT = msgspec.json.Decoder(ready(CountedTokenEvent[_CountedChoice])).decode_lines
_decode = msgspec.json.Decoder(ready(_Chunk)).decode
_encode = msgspec.json.Encoder().encode


def body(fields: Mapping[str, object], prompt: Prompt, max_tokens_field: str, output_tokens: int) -> bytes:
    """The request body. `prompt` is token ids or text.

    Raises:
        ValueError: messages were given.
    """
    if isinstance(prompt, Messages):
        raise ValueError("completions: messages cannot be sent as a prompt, need text or token ids")
    return _encode({**fields, "prompt": prompt, max_tokens_field: output_tokens})


def read(data: bytes, name: bytes | None = None, *, index_counts: bool = False) -> EventContent:
    """One event of the stream. Never raises. `index_counts`: a choice's index is that of its token."""
    if name is not None and name != b"message":
        return read_error(data) if name == b"error" else NOTHING
    if is_done(data):
        return DONE
    try:
        chunk = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return read_lenient(data, _bear, index_counts)
    choices = chunk.choices
    if choices and len(choices) == 1 and chunk.usage is None and not chunk.error:
        only = choices[0]
        plain = only.finish_reason is None and only.usage is None and not only.token_ids
        if only.text and plain and not only.index:
            return ANSWER
    builder, usage = EventBuilder(), chunk.usage
    for choice in choices or ():
        if choice.index and not index_counts:
            builder.extra = True
            continue
        if choice.text:
            builder.answer = True
        if choice.token_ids:
            builder.count(choice.token_ids)
        if choice.finish_reason:
            builder.finish_reason = choice.finish_reason
        usage = usage or choice.usage  # Moonshot's place for it
    error = None
    if choices is None or chunk.error:
        error = error_of(loads(data) or {})
    return builder.content(usage_of(usage), error)


def text(data: bytes) -> str:
    """The text by which one event makes the answer longer. Never raises."""
    return answer_text(data, _text_of)


def shown(data: bytes) -> int:
    """How many bytes of text one event shows, at the most. Never raises."""
    return shown_bytes(data, ("text",))


def _text_of(choice: dict[str, Any]) -> object:
    return choice.get("text")


def _bear(choice: dict[str, Any], builder: EventBuilder) -> None:
    if filled(_text_of(choice)):
        builder.answer = True
