"""What an event holds, picked out of JSON that may be anything: wrong types count as missing.

For protocols whose events come in many shapes. `chat` and `completions` decode into one type instead, since
most of the world's tokens come that way.
"""

from __future__ import annotations

from typing import Any

import msgspec

from loadgen.endpoints.event import (
    ANSWER,
    BAD_JSON,
    DONE,
    MAX_TOKENS,
    EventBuilder,
    EventContent,
    Usage,
    error_of,
    is_done,
    loads,
    read_error,
)
from loadgen.records import RequestError

_decode = msgspec.json.Decoder().decode


def object_of(data: bytes) -> dict[str, Any] | None:
    """The JSON object that an event is, None when it is none. Never raises."""
    try:
        decoded = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        decoded = loads(data)
    return decoded if isinstance(decoded, dict) else None


def opened(data: bytes, name: bytes | None) -> dict[str, Any] | EventContent:
    """The JSON object of a server-sent event; what the event says where it is none, or an error by its name.
    Never raises."""
    if name == b"error":
        return read_error(data)
    if is_done(data):
        return DONE
    event = object_of(data)
    return BAD_JSON if event is None else event


def flags_of(data: bytes) -> tuple[str, ...]:
    """`bad_utf8` where the event is no UTF-8: asked of what says something out of the ordinary."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return ("bad_utf8",)
    return ()


def answer(data: bytes) -> EventContent:
    """What an event says that bears a token of the answer, and nothing else."""
    return ANSWER if data.isascii() else EventContent(bears_token=True, flags=flags_of(data))


def within(value: object, *path: str) -> dict[str, Any]:
    """The object at `path` inside `value`; empty where there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def text_in(value: dict[str, Any], name: str) -> str:
    """A field's text; empty where it has none."""
    found = value.get(name)
    return found if isinstance(found, str) else ""


def shown_in(data: bytes, *paths: tuple[str, ...]) -> int:
    """How many bytes the texts at these paths have. Never raises."""
    event = object_of(data) or {}
    texts = (text_in(within(event, *path[:-1]), path[-1]) for path in paths)
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def count_in(value: dict[str, Any], name: str) -> int | None:
    """A field's number of tokens; None where it has none that makes sense."""
    found = value.get(name)
    return found if type(found) is int and 0 <= found <= MAX_TOKENS else None


def unsound(value: dict[str, Any], *names: str) -> bool:
    """Whether one of these counts is there and makes no sense."""
    return any(value.get(name) is not None and count_in(value, name) is None for name in names)


def content_of(
    builder: EventBuilder,
    event: dict[str, Any],
    usage: Usage | None = None,
    error: RequestError | None = None,
    *,
    done: bool = False,
    flags: tuple[str, ...] = (),
) -> EventContent:
    """What was picked. An event of no kind that is known may be an error's."""
    content = builder.content(usage, error or _error_in(event), flags)
    return msgspec.structs.replace(content, done=True) if done else content


def _error_in(event: dict[str, Any]) -> RequestError | None:
    return error_of(event) if event else None


def counts(
    prompt_tokens: int | None,
    completion_tokens: int | None,
    cached_tokens: int | None = None,
    reasoning_tokens: int | None = None,
) -> Usage | None:
    """The counts of an event; None when it has none."""
    if prompt_tokens is None and completion_tokens is None:
        return None
    return Usage(prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens)


def merged(earlier: Usage | None, later: Usage) -> Usage:
    """What two events of a stream counted: the later, where it says something. Anthropic counts the prompt at
    the beginning and the answer at the end."""
    if earlier is None:
        return later
    return Usage(
        earlier.prompt_tokens if later.prompt_tokens is None else later.prompt_tokens,
        earlier.completion_tokens if later.completion_tokens is None else later.completion_tokens,
        earlier.cached_tokens if later.cached_tokens is None else later.cached_tokens,
        earlier.reasoning_tokens if later.reasoning_tokens is None else later.reasoning_tokens,
    )
