"""Our key, should a server echo it: hidden before its text is cut, kept or shown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from loadgen.target.request_headers import PUBLIC

_HIDDEN = b"***"
_SHORTEST = 6
"""Shorter values of headers that a person added would hide half of what a server says."""
_SCHEME = re.compile(r"\A(?:Bearer|Basic|Token|Key) ", re.IGNORECASE)


class Redactor:
    """Hides secrets, as they stand or as JSON may write them (`\\u0026`, `\\/`): in words that are kept or
    shown, never in what tokens are counted from."""

    def __init__(self, *secrets: str) -> None:
        # The longest first: one may hold another. Whatever their case: of some headers we keep small letters.
        written = [b"".join(map(_written, secret)) for secret in sorted(set(secrets), key=len, reverse=True)]
        patterns = [pattern for pattern in written if pattern]
        self._pattern = re.compile(b"|".join(patterns), re.IGNORECASE) if patterns else None

    def data(self, data: bytes) -> bytes:
        return data if self._pattern is None else self._pattern.sub(_HIDDEN, data)

    def text(self, text: str) -> str:
        return self.data(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def redactor_of(headers: Iterable[tuple[str, str]]) -> Redactor:
    """Hides what of a request's headers is a secret (`secrets_of`)."""
    return Redactor(*secrets_of(headers))


def secrets_of(headers: Iterable[tuple[str, str]]) -> list[str]:
    """What of these headers is to be hidden: a key, and what a person added where it is long enough not to
    be an everyday word."""
    secrets: list[str] = []
    for name, value in headers:
        key = _SCHEME.sub("", value)
        if name.lower() in ("authorization", "x-api-key"):
            secrets.append(key)
        elif name.lower() not in PUBLIC:
            secrets += [part for part in (value, key) if len(part) >= _SHORTEST]
    return secrets


def _written(character: str) -> bytes:
    plain = re.escape(character.encode())
    escaped = rb"\\u%04x" % ord(character)
    return rb"(?:\\?%b|%b)" % (plain, escaped) if character in '"\\/' else rb"(?:%b|%b)" % (plain, escaped)
