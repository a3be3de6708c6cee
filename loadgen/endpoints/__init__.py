"""One row a protocol: where to send a request, how to build its body, how to read an event of the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from loadgen.endpoint_names import EndpointName
from loadgen.endpoints import chat, completions, embeddings, llamacpp, messages, ollama, responses, tgi
from loadgen.endpoints.event import OK_FINISH, EventContent, Usage
from loadgen.endpoints.framing import LINES, SSE, WHOLE, EventParser, Framing
from loadgen.endpoints.prompt import Prompt
from loadgen.endpoints.sse import HeldBytes
from loadgen.endpoints.token_event import CountedTokenEvent, DecodeLines, TokenEvent, no_token_events

__all__ = ["ENDPOINTS", "OK_FINISH", "Endpoint", "EventContent", "Usage", "as_seen"]


@dataclass(frozen=True)
class Endpoint:
    """A protocol. `body(fields, prompt, max_tokens_field, output_tokens)` gives the request's bytes;
    `read(data, name)` gives what one event says and never raises (`name` as in `endpoints.sse.Event`)."""

    path: str
    """Path of the URL below the target's base path. One that begins with `/v1` follows the API's version."""
    body: Callable[[Mapping[str, object], Prompt, str, int], bytes]
    read: Callable[..., EventContent]
    text: Callable[[bytes], str]
    """The text by which one event makes the answer longer: asked only where the text is wanted."""
    shown_bytes: Callable[[bytes], int]
    """How many bytes of text one event shows, reasoning and tool calls included: a bound from above."""
    takes_ids: bool
    """A prompt may be token ids."""
    token_event: DecodeLines[TokenEvent[Any]] = no_token_events
    """Decodes token events only: what it takes, `read` calls `ANSWER` (`loadgen.endpoints.token_event`)."""
    counted_token_event: DecodeLines[CountedTokenEvent[Any]] = no_token_events
    """Decodes the token events of a server that tells how many tokens each bears."""
    line_events: bool = False
    """Each line of data is an event (`loadgen.endpoints.sse`)."""
    framing: Framing = SSE
    """How an answer is cut into events."""
    bears_tokens: bool = True
    """Answers are tokens, one after the other; else one event is the whole answer, and is `done`."""
    wished: tuple[str, ...] = ()
    """Fields of `loadgen.probe.attempts.WISHED` that servers are known to take here."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with each request of this protocol; names in lower case."""

    def parser(self, held: HeldBytes | None = None) -> EventParser:
        """For the events of one answer; `held` counts what all such parsers hold."""
        return self.framing.parser(self.line_events, held)


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
        completions.shown,
        takes_ids=True,
        token_event=completions.TOKEN_EVENT,
        counted_token_event=completions.COUNTED_TOKEN_EVENT,
    ),
    "chat": Endpoint(
        chat.PATH,
        chat.body,
        chat.read,
        chat.text,
        chat.shown,
        takes_ids=False,
        token_event=chat.TOKEN_EVENT,
        counted_token_event=chat.COUNTED_TOKEN_EVENT,
    ),
    "responses": Endpoint(
        responses.PATH,
        responses.body,
        responses.read,
        responses.text,
        responses.shown,
        takes_ids=False,
        wished=responses.WISHED,
    ),
    "messages": Endpoint(
        messages.PATH,
        messages.body,
        messages.read,
        messages.text,
        messages.shown,
        takes_ids=False,
        headers=messages.HEADERS,
    ),
    "embeddings": Endpoint(
        embeddings.PATH,
        embeddings.body,
        embeddings.read,
        embeddings.text,
        embeddings.shown,
        takes_ids=True,
        framing=WHOLE,
        bears_tokens=False,
    ),
    "tgi": Endpoint(tgi.PATH, tgi.body, tgi.read, tgi.text, tgi.shown, takes_ids=False),
    "ollama": Endpoint(
        ollama.GENERATE_PATH,
        ollama.generate_body,
        ollama.read,
        ollama.text,
        ollama.shown,
        takes_ids=False,
        framing=LINES,
    ),
    "ollama-chat": Endpoint(
        ollama.CHAT_PATH,
        ollama.chat_body,
        ollama.read,
        ollama.text,
        ollama.shown,
        takes_ids=False,
        framing=LINES,
    ),
    "llamacpp": Endpoint(
        llamacpp.PATH,
        llamacpp.body,
        llamacpp.read,
        llamacpp.text,
        llamacpp.shown,
        takes_ids=True,
        wished=llamacpp.WISHED,
    ),
}
