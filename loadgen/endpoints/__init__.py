"""One row per protocol: where to send, how to build a body, how to read an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from loadgen.endpoints import chat, completions
from loadgen.endpoints.event import OK_FINISH, Reading, Usage, read_error
from loadgen.endpoints.token_event import Counted, DecodeLines, Usual

__all__ = ["ENDPOINTS", "OK_FINISH", "Endpoint", "Reading", "Usage", "read_error"]


@dataclass(frozen=True)
class Endpoint:
    """A protocol. `body(fields, prompt, max_tokens_field, output_tokens)` gives the request's bytes;
    `read(data, name)` gives what one event says and never raises (`name` as in `endpoints.sse.Event`)."""

    path: str
    """Below the target's base path."""
    body: Callable[[Mapping[str, object], list[int] | str, str, int], bytes]
    read: Callable[..., Reading]
    usual: DecodeLines[Usual[Any]]
    """Decodes usual events only: what it takes, `read` calls `ANSWER` (`loadgen.endpoints.token_event`)."""
    counted: DecodeLines[Counted[Any]]
    """The same for a server that tells the tokens of each event."""
    takes_ids: bool
    """A prompt may be token ids."""


ENDPOINTS: dict[str, Endpoint] = {
    "completions": Endpoint(
        completions.PATH,
        completions.body,
        completions.read,
        completions.USUAL,
        completions.COUNTED,
        takes_ids=True,
    ),
    "chat": Endpoint(chat.PATH, chat.body, chat.read, chat.USUAL, chat.COUNTED, takes_ids=False),
}
