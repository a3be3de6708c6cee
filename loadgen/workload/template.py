"""All of a request that is the same each time."""

from __future__ import annotations

import msgspec

from loadgen.endpoint_names import EndpointName


class TargetHead(msgspec.Struct, frozen=True, array_like=True):
    """What a request to one of several targets says in place of its template's own; with the key."""

    path: str
    headers: list[tuple[str, str]]

    def __repr__(self) -> str:
        return f"TargetHead({self.path!r})"


class RequestTemplate(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands around a prompt. `headers` may hold a key: never logged, never stored."""

    path: str
    headers: list[tuple[str, str]]
    endpoint: EndpointName
    fields: dict[str, object]
    """Body fields that are the same each time: model, stream, stream_options, ignore_eos, ..."""
    max_tokens_field: str = "max_tokens"
    length_fields: tuple[str, ...] = ()
    """Further fields that hold the asked length of the answer: `min_tokens`, say."""
    line_events: bool = False
    """The server sends no blank lines between events: each line of data is one."""
    index_counts: bool = False
    """The index of a choice is that of its token."""
    conversation_header: str | None = None
    """Name of a header with the number of the conversation, by which a router can keep it in one place."""
    conversation_prefix: str = ""
    """Before that number: conversations of two runs are not the same."""

    def __repr__(self) -> str:
        return f"RequestTemplate({self.path!r})"
