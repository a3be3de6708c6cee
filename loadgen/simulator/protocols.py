"""The protocols beside OpenAI's completions and chat, one row each: its path, what asks and what answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import msgspec

from loadgen.simulator.other_bodies import (
    Asked,
    EmbeddingsBody,
    LlamaCppBody,
    MessagesBody,
    OllamaChatBody,
    OllamaGenerateBody,
    ResponsesBody,
    TgiBody,
)
from loadgen.simulator.other_chunks import Embeddings, LlamaCpp, Messages, Ollama, Responses, Tgi


class Writer(Protocol):
    """The bytes of a response in one protocol."""

    media_type: bytes

    def head(self) -> bytes: ...

    def token(self, position: int) -> bytes: ...

    def tail(self) -> bytes: ...

    def whole(self) -> bytes: ...

    def failure(self, payload: object) -> bytes: ...


class OtherBody(Protocol):
    """The body of a protocol beside OpenAI's completions and chat."""

    @property
    def model(self) -> str | None: ...

    def asked(self) -> Asked: ...


OTHERS: dict[str, tuple[type[msgspec.Struct], Callable[..., Writer]]] = {
    "/v1/responses": (ResponsesBody, Responses),
    "/v1/messages": (MessagesBody, Messages),
    "/v1/embeddings": (EmbeddingsBody, Embeddings),
    "/generate_stream": (TgiBody, Tgi),
    "/api/generate": (OllamaGenerateBody, Ollama),
    "/api/chat": (OllamaChatBody, partial(Ollama, chat=True)),
    "/completion": (LlamaCppBody, LlamaCpp),
}
"""Path -> the shape of its bodies, and what writes its answers."""
