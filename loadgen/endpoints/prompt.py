"""A prompt as a body is made of it: token ids, text, either as JSON that was made before, or messages."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import msgspec


class Messages(NamedTuple):
    """A chat that a person wrote down, as JSON."""

    json: msgspec.Raw


Prompt: TypeAlias = "list[int] | str | msgspec.Raw | Messages"
"""`Raw`: JSON of ids or of a text."""


def only_text(prompt: Prompt, refusal: str) -> str | msgspec.Raw:
    """`prompt`, which is text.

    Raises:
        ValueError: it is token ids or messages: with `refusal`.
    """
    if isinstance(prompt, str) or (isinstance(prompt, msgspec.Raw) and bytes(prompt)[:1] == b'"'):
        return prompt
    raise ValueError(refusal)


def as_messages(prompt: Prompt, refusal: str) -> msgspec.Raw | list[dict[str, object]]:
    """`prompt` as the only message of a chat, or as the messages that it is.

    Raises:
        ValueError: it is token ids: with `refusal`.
    """
    if isinstance(prompt, Messages):
        return prompt.json
    return [{"role": "user", "content": only_text(prompt, refusal)}]
