"""What one event of a stream says, whatever the protocol, and the rules that all protocols share."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import inf
from typing import Annotated, Any

import msgspec

from loadgen.errors import printable
from loadgen.records import RequestError

OK_FINISH = frozenset(
    {
        *("stop", "length", "tool_calls", "content_filter", "function_call", "eos_token"),
        *("completed", "max_output_tokens"),  # OpenAI's responses
        *("end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"),  # Anthropic
        *("limit", "eos", "word"),  # llama.cpp
    }
)
"""Finish reasons of a request that went well. An unknown one is kept as it is, and is no failure."""

MAX_TOKENS = 1_000_000_000
"""A count above this in `usage` is nonsense and ignored."""

_OVERLOADED = frozenset(
    {
        *("429", "503", "overloaded", "rate_limit_exceeded", "too_many_requests"),
        *("overloaded_error", "rate_limit_error"),  # Anthropic
    }
)

Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_TOKENS)]


class Usage(msgspec.Struct, frozen=True, gc=False):
    """The server's own counts; None for each that it did not give or that made no sense."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    """Where it comes with every chunk (`continuous_usage_stats`), the count so far: what a chunk bore is the
    difference to the count before it, which the worker takes."""
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    """Those of `completion_tokens` that are reasoning; 0 where they are told but not counted in it (xAI)."""


class EventContent(msgspec.Struct, frozen=True):
    """One event, understood."""

    bears_token: bool = False
    """Text, reasoning or a tool call arrived, or `token_ids` did. `" "` is a token, `""` and null are not,
    however much `usage.completion_tokens` grew beside them (`loadgen.worker.token_count`)."""
    tokens: int | None = None
    """Exact number of tokens in this chunk, from `token_ids`; None when the server does not say."""
    reasoning: bool = False
    """All that this chunk bears is reasoning."""
    shows_reasoning: bool = False
    """Reasoning is among what it bears."""
    finish_reason: str | None = None
    """Safe to print."""
    usage: Usage | None = None
    error: RequestError | None = None
    """The stream reports a failure: an error object, or finish_reason `abort` or `error`."""
    done: bool = False
    """`[DONE]`."""
    flags: tuple[str, ...] = ()
    """`bad_json`, `bad_usage`, `bad_utf8`, `extra_choices`: oddities that are no failure by themselves."""


DONE = EventContent(done=True)
ANSWER = EventContent(bears_token=True)
"""What nearly every event of a stream says; made once, since it is returned for each token."""
REASONING = EventContent(bears_token=True, reasoning=True, shows_reasoning=True)
NOTHING = EventContent()
BAD_JSON = EventContent(flags=("bad_json",))
"""Not a JSON object: nothing of it was understood."""


def is_done(data: bytes) -> bool:
    return len(data) < 16 and data.strip() == b"[DONE]"


class WireDetails(msgspec.Struct, gc=False):
    cached_tokens: Count | None = None


class WireOutputDetails(msgspec.Struct, gc=False):
    reasoning_tokens: Count | None = None


class WireUsage(msgspec.Struct, gc=False):
    """`usage` as it stands on the wire; anything out of range fails the strict decode."""

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Any = None
    """Only ever compared: no figure rests on it, so it cannot be wrong."""
    reasoning_tokens: Count | None = None
    """SGLang's place for it."""
    prompt_tokens_details: WireDetails | None = None
    completion_tokens_details: WireOutputDetails | None = None


def usage_of(wire: WireUsage | None) -> Usage | None:
    if wire is None:
        return None
    details, of_output = wire.prompt_tokens_details, wire.completion_tokens_details
    reasoning = of_output.reasoning_tokens if of_output else None
    if reasoning is None:
        reasoning = wire.reasoning_tokens
    return Usage(
        wire.prompt_tokens,
        wire.completion_tokens,
        details.cached_tokens if details else None,
        _counted_in(reasoning, wire.prompt_tokens, wire.completion_tokens, wire.total_tokens),
    )


def _counted_in(
    reasoning: int | None, prompt: int | None, completion: int | None, total: object
) -> int | None:
    """The reasoning tokens that the completion tokens include: by the total, none where they come on top."""
    apart = reasoning and type(total) is int and total == (prompt or 0) + (completion or 0) + reasoning
    return 0 if apart else reasoning


class EventBuilder(msgspec.Struct, gc=False):
    """What the choices of one chunk bear, added up (normally there is one choice)."""

    answer: bool = False
    reasoning: bool = False
    tokens: int | None = None
    finish_reason: str | None = None
    extra: bool = False
    """A choice beside the one that was asked for was left out."""

    def count(self, token_ids: object) -> None:
        # An empty list beside text is a late flush: the text still is there, how many tokens is unknown.
        if isinstance(token_ids, list) and token_ids:
            self.tokens = (self.tokens or 0) + len(token_ids)

    def content(
        self, usage: Usage | None, error: RequestError | None, flags: tuple[str, ...] = ()
    ) -> EventContent:
        reason = self.finish_reason
        if reason is not None and reason not in OK_FINISH:
            reason = printable(reason, 40)
            error = error or finish_error(reason)
        return EventContent(
            bears_token=self.answer or self.reasoning or self.tokens is not None,
            tokens=self.tokens,
            reasoning=self.reasoning and not self.answer,
            shows_reasoning=self.reasoning,
            finish_reason=reason,
            usage=usage,
            error=error,
            flags=(*flags, "extra_choices") if self.extra else flags,
        )


def finish_error(reason: str) -> RequestError | None:
    """The failure that a finish reason stands for, None when it is none."""
    if reason == "abort":
        return RequestError("aborted", "finish_reason: abort")
    if reason == "error":
        return RequestError("server_stream_error", "finish_reason: error")
    return None


def error_of(chunk: dict[str, Any]) -> RequestError | None:
    """The failure a decoded event reports, in any of the shapes servers use; None when it reports none.

    Shapes: `{"error": {"message", "type", "code"}}` (OpenAI, vLLM, llama.cpp), `{"error": "text",
    "error_type": "overloaded"}` (TGI), `{"object": "error", "message"}` (vLLM until 2025),
    `{"detail": ...}` (FastAPI), `{"errors": [...]}` (GraphQL). Where there are no choices, an error that is
    empty is one too.
    """
    error = chunk.get("error")
    if not error:
        bare = chunk.get("choices") is None
        several = chunk.get("errors") if bare else None
        if bare and (chunk.get("object") == "error" or "detail" in chunk):
            error = chunk
        elif several:
            error = several[0] if isinstance(several, list) else several
        elif not (bare and isinstance(error, (dict, list))):
            return None
    signs: list[object] = [chunk.get("error_type")]
    if isinstance(error, dict):
        message = error.get("message") or error.get("detail") or error.get("msg") or error
        signs += [error.get(key) for key in ("type", "code", "http_status_code", "status")]
    else:
        message = error
    text = message if isinstance(message, str) else _compact(message)
    busy = any(str(sign).lower() in _OVERLOADED for sign in signs if isinstance(sign, (str, int)))
    return RequestError("rejected" if busy else "server_stream_error", printable(text))


def _compact(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)[:400]
    except (ValueError, RecursionError):
        return "an error that could not be read"


def read_error(data: bytes) -> EventContent:
    """An event the server named `error`, or an `error:` line: its data may be anything."""
    chunk = loads(data)
    found = error_of(chunk) if isinstance(chunk, dict) else None
    if found is None:
        message = chunk.get("message") if isinstance(chunk, dict) else None
        text = message if isinstance(message, str) else data[:400].decode("utf-8", "replace")
        busy = isinstance(chunk, dict) and str(chunk.get("code")) in _OVERLOADED
        found = RequestError("rejected" if busy else "server_stream_error", printable(text))
    return EventContent(error=found)


def read_lenient(
    data: bytes, bear: Callable[[dict[str, Any], EventBuilder], None], index_counts: bool = False
) -> EventContent:
    """Reads an event that the strict, fast decode refused, keeping all of it that makes sense.

    `bear` adds what one choice bears. Never raises: what is no JSON object is `BAD_JSON`.
    """
    chunk = loads(data)
    if not isinstance(chunk, dict):
        return BAD_JSON
    flags: tuple[str, ...] = ()
    try:
        data.decode()
    except UnicodeDecodeError:
        flags = ("bad_utf8",)
    builder = EventBuilder()
    choices, counted = chunk.get("choices"), chunk.get("usage")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("index") and not index_counts:
            builder.extra = True
        elif isinstance(choice, dict):
            bear(choice, builder)
            reason = choice.get("finish_reason")
            if isinstance(reason, str) and reason:
                builder.finish_reason = reason
            if counted is None:
                counted = choice.get("usage")
            builder.count(choice.get("token_ids"))
    usage, sound = _usage(counted)
    return builder.content(usage, error_of(chunk), flags if sound else (*flags, "bad_usage"))


def loads(data: bytes) -> Any:
    """JSON as Python reads it (NaN and lone surrogates pass), None when it cannot be read.

    A number of more than 20 digits, which serves attack only, is infinite; deep nesting is unreadable.
    """
    try:
        return json.loads(data.decode("utf-8", "replace"), strict=False, parse_int=_short_int)
    except (ValueError, RecursionError):
        return None


def _short_int(digits: str) -> float:
    return inf if len(digits) > 20 else int(digits)


def _usage(wire: object) -> tuple[Usage | None, bool]:
    """Usage from decoded JSON, and whether all of it was sound."""
    if not isinstance(wire, dict):
        return None, wire is None
    raw = (
        wire.get("prompt_tokens"),
        wire.get("completion_tokens"),
        wire.get("reasoning_tokens"),
        _detail(wire.get("prompt_tokens_details"), "cached_tokens"),
        _detail(wire.get("completion_tokens_details"), "reasoning_tokens"),
    )
    counts = [value if type(value) is int and 0 <= value <= MAX_TOKENS else None for value in raw]
    sound = all(value is None or count is not None for value, count in zip(raw, counts, strict=True))
    prompt, completion, beside, cached, reasoning = counts
    reasoning = _counted_in(
        beside if reasoning is None else reasoning, prompt, completion, wire.get("total_tokens")
    )
    return Usage(prompt, completion, cached, reasoning), sound


def _detail(details: object, name: str) -> object:
    return details.get(name) if isinstance(details, dict) else None


def answer_text(data: bytes, text_of: Callable[[dict[str, Any]], object]) -> str:
    """The text by which one event makes the answer longer; empty where it does not. Never raises.

    `text_of` gives the field of a choice that holds it: a string, or parts of which some have one (Mistral).
    """
    chunk = loads(data)
    choices = chunk.get("choices") if isinstance(chunk, dict) else None
    return "".join(
        _text(text_of(choice))
        for choice in (choices if isinstance(choices, list) else ())
        if isinstance(choice, dict) and not choice.get("index")
    )


def shown_bytes(data: bytes, fields: tuple[str, ...]) -> int:
    """How many bytes of text one event shows in these fields of its choices or their deltas. Never raises.

    A bound from above: all that is text in them counts, the id of a tool call, too.
    """
    chunk = loads(data)
    choices = chunk.get("choices") if isinstance(chunk, dict) else None
    size = 0
    for choice in choices if isinstance(choices, list) else ():
        for holder in (choice, choice.get("delta")) if isinstance(choice, dict) else ():
            left = [holder.get(field) for field in fields] if isinstance(holder, dict) else []
            while left:
                value = left.pop()
                if isinstance(value, str):
                    size += len(value.encode("utf-8", "replace"))
                elif isinstance(value, (list, dict)):
                    left += value.values() if isinstance(value, dict) else value
    return size


def _text(value: object) -> str:
    parts = value if isinstance(value, list) else [value]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return "".join(text for text in texts if isinstance(text, str))


def filled(value: object) -> bool:
    """Whether a text field bears anything: a non-empty string, or parts of which one does (Mistral)."""
    if isinstance(value, str):
        return value != ""
    if isinstance(value, list):
        return any(
            filled(part.get("text") or part.get("thinking")) if isinstance(part, dict) else filled(part)
            for part in value
            if isinstance(part, (dict, str))
        )
    return False
