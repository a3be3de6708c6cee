"""Our key, should a server echo it: hidden before its text is cut, kept or shown."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HIDDEN = b"***"


class Redactor:
    """Hides one secret, as it stands or as JSON may write it (`\\u0026`, `\\/`): in words that are kept or
    shown, never in what tokens are counted from."""

    def __init__(self, secret: str) -> None:
        # Whatever its case: of some headers we keep small letters.
        self._pattern = re.compile(b"".join(map(_written, secret)), re.IGNORECASE) if secret else None

    def data(self, data: bytes) -> bytes:
        return data if self._pattern is None else self._pattern.sub(_HIDDEN, data)

    def text(self, text: str) -> str:
        return self.data(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def redactor_of(headers: Iterable[tuple[str, str]]) -> Redactor:
    """What hides the key that a request's headers carry; it hides nothing where they carry none."""
    sent = next((value for name, value in headers if name.lower() == "authorization"), "")
    return Redactor(sent.removeprefix("Bearer "))


def _written(character: str) -> bytes:
    plain = re.escape(character.encode())
    escaped = rb"\\u%04x" % ord(character)
    return rb"(?:\\?%b|%b)" % (plain, escaped) if character in '"\\/' else rb"(?:%b|%b)" % (plain, escaped)
