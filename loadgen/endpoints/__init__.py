"""One row per protocol: where to send, how to build a body, how to read an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from loadgen.endpoint_names import EndpointName
from loadgen.endpoints import chat, completions
from loadgen.endpoints.event import OK_FINISH, EventContent, Usage, read_error
from loadgen.endpoints.token_event import CountedTokenEvent, DecodeLines, TokenEvent

__all__ = ["ENDPOINTS", "OK_FINISH", "Endpoint", "EventContent", "Usage", "as_seen", "read_error"]


@dataclass(frozen=True)
class Endpoint:
    """A protocol. `body(fields, prompt, max_tokens_field, output_tokens)` gives the request's bytes;
    `read(data, name)` gives what one event says and never raises (`name` as in `endpoints.sse.Event`)."""

    path: str
    """Below the target's base path."""
    body: Callable[[Mapping[str, object], list[int] | str, str, int], bytes]
    read: Callable[..., EventContent]
    text: Callable[[bytes], str]
    """The text by which one event makes the answer longer: asked only where the text is wanted."""
    token_event: DecodeLines[TokenEvent[Any]]
    """Decodes token events only: what it takes, `read` calls `ANSWER` (`loadgen.endpoints.token_event`)."""
    counted_token_event: DecodeLines[CountedTokenEvent[Any]]
    """The same for a server that tells the tokens of each event."""
    takes_ids: bool
    """A prompt may be token ids."""
    line_events: bool = False
    """Each line of data is an event (`loadgen.endpoints.sse`)."""


def as_seen(name: EndpointName, *, line_events: bool, index_counts: bool) -> Endpoint:
    """An endpoint as a server was seen to speak it. `index_counts`: a choice's index is that of its token."""
    endpoint = ENDPOINTS[name]
    read = partial(endpoint.read, index_counts=True) if index_counts else endpoint.read
    return replace(endpoint, line_events=line_events, read=read)


ENDPOINTS: dict[EndpointName, Endpoint] = {
    "completions": Endpoint(
        completions.PATH,
        completions.body,
        completions.read,
        completions.text,
        completions.TOKEN_EVENT,
        completions.COUNTED_TOKEN_EVENT,
        takes_ids=True,
    ),
    "chat": Endpoint(
        chat.PATH,
        chat.body,
        chat.read,
        chat.text,
        chat.TOKEN_EVENT,
        chat.COUNTED_TOKEN_EVENT,
        takes_ids=False,
    ),
}
