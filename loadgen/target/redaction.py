"""Our key, should a server echo it: hidden before its text is cut, kept or shown."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable

from loadgen.target.request_headers import PUBLIC
from loadgen.target.written_forms import LAYERS, SHORTEST, Layer, base64_forms, plain_forms

_HIDDEN = b"***"
_SCHEME = re.compile(r"\A(?:Bearer|Basic|Token|Key|ApiKey) ", re.IGNORECASE)
_BASE64 = re.compile(rb"[a-z0-9+/_-]*=*")
_BASE64_BYTES = b"abcdefghijklmnopqrstuvwxyz0123456789+/_-"
_MOST_BEFORE = 4096
"""Bytes of one word of base64 before the secret in it: what is looked through stays bounded."""


class Redactor:
    """Hides secrets, however they are written (`loadgen.target.written_forms`): in words that are kept or
    shown, never in what tokens are counted from."""

    def __init__(self, *secrets: str) -> None:
        self._secrets = {secret for secret in secrets if secret}
        self._pattern: re.Pattern[bytes] | None = None
        self._base64: frozenset[bytes] = frozenset()

    def data(self, data: bytes) -> bytes:
        """`data` with `***` in place of each secret."""
        if not self._secrets:
            return data
        pattern = self._pattern = self._pattern or self._compiled()
        # Whatever their case: of some headers we keep small letters.
        small = data.lower()
        spans = [self._whole(match, small) for match in pattern.finditer(small)]
        layer = Layer(data).inner()
        for _ in range(LAYERS):
            if layer is None:
                break
            small = layer.data.lower()
            spans += [layer.span(*self._whole(match, small)) for match in pattern.finditer(small)]
            layer = layer.inner()
        return _without(data, spans) if spans else data

    def text(self, text: str) -> str:
        """As `data`, of a text."""
        hidden = self.data(text.encode("utf-8", "surrogatepass"))
        try:
            return hidden.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:  # what was hidden began or ended inside a character
            return hidden.decode("utf-8", "replace")

    def _compiled(self) -> re.Pattern[bytes]:
        plain: set[bytes] = set()
        base64_cores: set[bytes] = set()
        for secret in self._secrets:
            for encoding in ("utf-8", "latin-1"):  # as a URL says it, and as it stands in a header
                written = secret.encode(encoding, "replace")
                plain |= plain_forms(written)
                base64_cores |= base64_forms(written)
        self._base64 = frozenset(form.lower() for form in base64_cores)
        # The longest first: one may hold another.
        forms = sorted({form.lower() for form in plain if form} | self._base64, key=len, reverse=True)
        return re.compile(b"|".join(map(re.escape, forms)))

    def _whole(self, match: re.Match[bytes], text: bytes) -> tuple[int, int]:
        """Where a match stands; that of base64 with all that is packed with it."""
        begin, end = match.span()
        if match[0] in self._base64:
            rest = _BASE64.match(text, end)
            end = rest.end() if rest is not None else end
            before = text[max(0, begin - _MOST_BEFORE) : begin]
            begin -= len(before) - len(before.rstrip(_BASE64_BYTES))
        return begin, end


def _without(data: bytes, spans: Iterable[tuple[int, int]]) -> bytes:
    pieces: list[bytes] = []
    at = 0
    for begin, end in sorted(spans):
        if begin >= at:
            pieces += (data[at:begin], _HIDDEN)
        at = max(at, end)
    return b"".join((*pieces, data[at:]))


def redactor_of(headers: Iterable[tuple[str, str]]) -> Redactor:
    """Hides what of a request's headers is a secret (`secrets_of`)."""
    return Redactor(*secrets_of(headers))


def secrets_of(headers: Iterable[tuple[str, str]]) -> list[str]:
    """What of these headers is to be hidden: a key, and what a person added where it is long enough not to
    be an everyday word. Of cookies and of a user's password each by itself as well."""
    secrets: list[str] = []
    for name, value in headers:
        name = name.lower()
        key = _SCHEME.sub("", value)
        if name in PUBLIC:
            continue
        parts = [value, key]
        if name in ("authorization", "x-api-key"):
            secrets.append(key)
            parts = [key]
        if value[:6].lower() == "basic ":
            parts += _user_and_password(key)
        if name == "cookie":
            parts += [pair.partition("=")[2].strip() for pair in value.split(";")]
        secrets += [part for part in parts if len(part) >= SHORTEST]
    return secrets


def _user_and_password(key: str) -> list[str]:
    try:
        both = base64.b64decode(key, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return []
    return [both, both.partition(":")[2]]
