"""`POST /v1/chat/completions`: messages in, `choices[].delta` out (OpenAI and all that speak its tongue)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

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

PATH = "/v1/chat/completions"
_TEXT_FIELDS = ("content", "reasoning", "reasoning_content", "refusal", "tool_calls", "function_call")


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct, gc=False):
    function: _Function | None = None


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None


class _Choice(msgspec.Struct, gc=False):
    index: int | None = None
    delta: _Delta | None = None
    finish_reason: str | None = None
    token_ids: list[int] | None = None
    usage: WireUsage | None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: WireUsage | None = None
    error: msgspec.Raw = msgspec.Raw()


_NoCalls = Annotated[list[_ToolCall], msgspec.Meta(max_length=0)]


class _TokenDelta(_Delta, gc=False, kw_only=True):
    content: Text
    reasoning: Literal["", None] = None
    reasoning_content: Literal["", None] = None
    refusal: Literal["", None] = None
    tool_calls: _NoCalls | None = None
    function_call: None = None


class _TokenChoice(msgspec.Struct, gc=False):
    delta: _TokenDelta
    index: Literal[0] = 0
    finish_reason: None = None
    token_ids: None = None
    usage: None = None

    @property
    def text(self) -> str:
        return self.delta.content


class _CountedChoice(msgspec.Struct, gc=False):
    delta: _TokenDelta
    index: Literal[0] = 0
    finish_reason: None = None
    token_ids: tuple[int] | None = None
    usage: None = None

    @property
    def text(self) -> str:
        return self.delta.content


TOKEN_EVENT = msgspec.json.Decoder(ready(TokenEvent[_TokenChoice])).decode_lines
COUNTED_TOKEN_EVENT = msgspec.json.Decoder(ready(CountedTokenEvent[_CountedChoice])).decode_lines
_decode = msgspec.json.Decoder(ready(_Chunk)).decode
_encode = msgspec.json.Encoder().encode


def body(fields: Mapping[str, object], prompt: Prompt, max_tokens_field: str, output_tokens: int) -> bytes:
    """The request body, with `prompt` as the only message, unless it is messages already.

    Raises:
        ValueError: token ids were given; a chat message is text.
    """
    if isinstance(prompt, list):
        raise ValueError("chat: token ids cannot be sent as a message, need text")
    messages = prompt.json if isinstance(prompt, Messages) else [{"role": "user", "content": prompt}]
    return _encode({**fields, "messages": messages, max_tokens_field: output_tokens})


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
        if (
            not only.index
            and only.delta is not None
            and (only.delta.content or only.delta.refusal)
            and not (only.delta.reasoning or only.delta.reasoning_content)
            and only.finish_reason is None
            and only.usage is None
            and not only.token_ids
        ):
            return ANSWER
    builder, usage = EventBuilder(), chunk.usage
    for choice in choices or ():
        if choice.index and not index_counts:
            builder.extra = True
            continue
        delta = choice.delta
        if delta is not None:
            if delta.content or delta.refusal:
                builder.answer = True
            elif delta.tool_calls or delta.function_call:
                builder.answer |= _calls(delta)
            if delta.reasoning or delta.reasoning_content:
                builder.reasoning = True
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
    return shown_bytes(data, _TEXT_FIELDS)


def _text_of(choice: dict[str, Any]) -> object:
    delta = choice.get("delta")
    return delta.get("content") if isinstance(delta, dict) else None


def _calls(delta: _Delta) -> bool:
    functions = [call.function for call in delta.tool_calls or ()] + [delta.function_call]
    return any(function is not None and bool(function.name or function.arguments) for function in functions)


def _bear(choice: dict[str, Any], builder: EventBuilder) -> None:
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return
    if filled(delta.get("content")) or filled(delta.get("refusal")):
        builder.answer = True
    if filled(delta.get("reasoning")) or filled(delta.get("reasoning_content")):
        builder.reasoning = True
    calls = delta.get("tool_calls")
    for call in [*(calls if isinstance(calls, list) else ()), {"function": delta.get("function_call")}]:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and (filled(function.get("name")) or filled(function.get("arguments"))):
            builder.answer = True
