"""One row per protocol: where to send, how to build a body, how to read an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from loadgen.endpoint_names import EndpointName
from loadgen.endpoints import chat, completions
from loadgen.endpoints.event import OK_FINISH, EventContent, Usage, read_error
from loadgen.endpoints.token_event import CountedTokenEvent, DecodeLines, TokenEvent

__all__ = ["ENDPOINTS", "OK_FINISH", "Endpoint", "EventContent", "Usage", "read_error"]


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
