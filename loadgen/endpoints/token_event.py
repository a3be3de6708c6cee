"""Nearly every event of a stream says the same: one more token. Many of them are read here at once.

A type of its own describes a token event so narrowly that whatever decodes as it is one: nothing is guessed
from bytes, and all else is left to `SseParser` and the endpoint's `read`.

The shape is OpenAI's: `choices`, of which there is one, and `usage`. A protocol whose events look otherwise
goes without this fast path (`no_token_events`) until `content_of`, `texts_of` and `one_token_each` can read
its events, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar

import msgspec

from loadgen.endpoints.event import Count, EventContent, Usage, WireDetails

T = TypeVar("T")
Text = Annotated[str, msgspec.Meta(min_length=1)]


class Only(msgspec.Struct, Generic[T], array_like=True, forbid_unknown_fields=True, gc=False):
    """An array of one. A tuple would do, but the garbage collector would look at each."""

    choice: T


class TokenEvent(msgspec.Struct, Generic[T], gc=False):
    """An event that says nothing but that its one choice, of type `T`, bears a token."""

    choices: Only[T]
    usage: None = None
    error: None = None


class CountedChoice(Protocol):
    """A choice that bears text: of one token by its `token_ids`, or of as many as `usage` grew by."""

    token_ids: tuple[int] | None

    @property
    def text(self) -> str: ...


C = TypeVar("C", bound=CountedChoice)


class TokenUsage(msgspec.Struct, gc=False):
    """A `WireUsage` that tells of no reasoning."""

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    prompt_tokens_details: WireDetails | None = None
    completion_tokens_details: None = None
    reasoning_tokens: Literal[0] | None = None


class CountedTokenEvent(msgspec.Struct, Generic[C], gc=False):
    """A `TokenEvent` of a server that tells how many tokens an event bears, by `token_ids` or `usage`."""

    choices: Only[C]
    usage: TokenUsage | None = None
    error: None = None


def content_of(event: CountedTokenEvent[C]) -> EventContent:
    """What the endpoint's `read` says of it."""
    tokens, usage = None if event.choices.choice.token_ids is None else 1, event.usage
    if usage is None:
        return EventContent(bears_token=True, tokens=tokens)
    details = usage.prompt_tokens_details
    cached = details.cached_tokens if details else None
    counts = Usage(usage.prompt_tokens, usage.completion_tokens, cached, usage.reasoning_tokens)
    return EventContent(bears_token=True, tokens=tokens, usage=counts)


def texts_of(events: list[Any]) -> list[str]:
    """The text by which each of these token events makes the answer longer."""
    return [event.choices.choice.text for event in events]


def one_token_each(events: list[CountedTokenEvent[Any]], counted: int) -> bool:
    """There are some, and each bears exactly one token; `counted` came before them in their stream."""
    for event in events:
        counted += 1
        if event.choices.choice.token_ids is None and (
            event.usage is None or event.usage.completion_tokens != counted
        ):
            return False
    return bool(events)


DecodeLines = Callable[[bytes], list[T]]
"""`msgspec.json.Decoder.decode_lines` of a token event: values with white space between them."""


def no_token_events(lines: bytes) -> list[Any]:
    """The `DecodeLines` of a protocol without a fast path: its `read` is asked about every event."""
    return []


_LAST_EVENTS = 5
"""A response ends with events of its own (finish reason, usage, `[DONE]`): so many are looked at singly."""


def token_events(decode_lines: DecodeLines[T], data: bytes, begin: int = 0) -> tuple[list[T], int]:
    """The token events in `data` from `begin` on, where an event starts, and where they end: at `begin`
    when there are none. What the bytes after them hold is unknown.
    """
    none: tuple[list[T], int] = [], begin
    if not data.startswith(b"data: {", begin) or data.find(b"\r", begin) >= 0:
        return none
    end = len(data)
    if data.find(b"\n", begin + 7, -2) < 0:
        # One event, as nearly every read brings it.
        if not data.endswith(b"}\n\n"):
            return none
        # Not by `_one`: that costs a quarter more, at nearly every read.
        try:
            events = decode_lines(data[begin + 6 :])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return none
        return (events, end) if len(events) == 1 else none
    for _ in range(_LAST_EVENTS):
        start = data.rfind(b"\n\n", begin, end - 2) + 2
        if start < 2:
            events = _one(decode_lines, data[begin:end])
            return (events, end) if events else none
        if _one(decode_lines, data[start:end]):
            break
        end = start
    else:
        return none
    # Where one event meets the next stands a tab: no JSON string may hold one, and no value may go on
    # behind it, since between `}` and `{` of one value a comma or a colon must stand. So each event holds
    # whole values, and as many values as events means one in each.
    parts = data[begin + 6 : end - 2].split(b"}\n\ndata: {")
    values = b"}\t{".join(parts)
    if b"\n" in values:
        return none
    events = _exactly(len(parts), decode_lines, values)
    return (events, end) if events else none


def values_of(decode_lines: DecodeLines[T], values: list[bytes]) -> list[T]:
    """The events that `values` are, each from its `{` to its `}`; empty if one is not a token event."""
    # With a tab where two meet, for the same reason as above.
    data = b"\t".join(values)
    if b"\n" in data or b"\r" in data:
        return []
    return _exactly(len(values), decode_lines, data)


def _one(decode_lines: DecodeLines[T], event: bytes) -> list[T]:
    """`event` as a list of one; empty if it is not exactly one token event."""
    value = event[6:-2]
    if not event.startswith(b"data: {") or not event.endswith(b"}\n\n") or b"\n" in value:
        return []
    return _exactly(1, decode_lines, value)


def _exactly(count: int, decode_lines: DecodeLines[T], values: bytes) -> list[T]:
    """The events in `values`; empty unless there are `count` of them, all token events."""
    try:
        events = decode_lines(values)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    return events if len(events) == count else []
