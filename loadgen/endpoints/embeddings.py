"""`POST /v1/embeddings`: text or token ids in, one vector out, in one piece: there is no token of an answer.

So TTFT, ITL and TPOT mean nothing here; what can be measured is the time to the whole answer, and how much
input goes through.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from loadgen.decoding import ready
from loadgen.endpoints.event import Count, EventContent, Usage, error_of
from loadgen.endpoints.picking import count_in, object_of, within
from loadgen.endpoints.prompt import Messages, Prompt
from loadgen.records import RequestError

PATH = "/v1/embeddings"

_encode = msgspec.json.Encoder().encode


class _Row(msgspec.Struct, gc=False):
    """The numbers are skipped where they stand: nobody looks at them, and decoding them would cost more than
    all the rest."""

    embedding: msgspec.Raw


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: Count | None = None


class _Answer(msgspec.Struct, gc=False):
    data: list[_Row]
    usage: _Usage | None = None
    error: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(ready(_Answer)).decode


def body(fields: Mapping[str, object], prompt: Prompt, max_tokens_field: str, output_tokens: int) -> bytes:
    """The request body. `prompt` is token ids or text; nothing is generated, so no length is asked for."""
    if isinstance(prompt, Messages):
        raise ValueError("embeddings: messages cannot be sent as input, need text or token ids")
    return _encode({**{name: value for name, value in fields.items() if name != "stream"}, "input": prompt})


def read(data: bytes, name: bytes | None = None, *, index_counts: bool = False) -> EventContent:
    """A whole answer: `done` where it holds a vector that is not empty, else an error. Never raises."""
    try:
        answer = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_lenient(data)
    if not answer.data or answer.error or bytes(answer.data[0].embedding) in (b"null", b"[]", b'""'):
        return _read_lenient(data)
    usage = answer.usage
    if usage is None or usage.prompt_tokens is None:
        return EventContent(done=True)
    return EventContent(done=True, usage=Usage(usage.prompt_tokens))


def text(data: bytes) -> str:
    """Nothing: an answer has no text."""
    return ""


def shown(data: bytes) -> int:
    """How many bytes of text one event shows, reasoning included. Never raises."""
    return 0


def _read_lenient(data: bytes) -> EventContent:
    answer = object_of(data)
    error = error_of(answer) if answer is not None else None
    rows = answer.get("data") if answer is not None else None
    first = rows[0] if isinstance(rows, list) and rows else None
    if error is None and not (isinstance(first, dict) and first.get("embedding")):
        error = RequestError("no_embedding")
    if error is not None:
        return EventContent(error=error)
    wire = within(answer, "usage")
    prompt = count_in(wire, "prompt_tokens")
    return EventContent(
        done=True,
        usage=None if prompt is None else Usage(prompt),
        flags=() if prompt is not None or wire.get("prompt_tokens") is None else ("bad_usage",),
    )
