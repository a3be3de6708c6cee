"""What a server said, with our key hidden in it, safe to keep and to print."""

from __future__ import annotations

import msgspec

from loadgen.endpoints import Endpoint, EventContent
from loadgen.endpoints.sse import Event
from loadgen.errors import printable
from loadgen.records import RequestError
from loadgen.target.redaction import Redactor


def shown(text: str, redactor: Redactor) -> str:
    return printable(redactor.text(text))


def without_key(content: EventContent, event: Event, endpoint: Endpoint, redactor: Redactor) -> EventContent:
    """`content`, which `event` says, with our key hidden before the server's words are cut."""
    hidden = endpoint.read(redactor.data(event.data), event.name)
    error, reason = content.error, content.finish_reason
    if error is not None:
        message = hidden.error.message if hidden.error is not None else shown(error.message, redactor)
        error = RequestError(error.kind, message)
    if reason is not None:
        reason = hidden.finish_reason or shown(reason, redactor)
    return msgspec.structs.replace(content, error=error, finish_reason=reason)
