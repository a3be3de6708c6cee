"""A prompt as a body is made of it: token ids, text, either as JSON that was made before, or messages."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import msgspec


class Messages(NamedTuple):
    """A chat that a person wrote down, as JSON."""

    json: msgspec.Raw


Prompt: TypeAlias = "list[int] | str | msgspec.Raw | Messages"
"""`Raw`: JSON of ids or of a text."""
