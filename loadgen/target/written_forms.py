"""How a secret may stand in a text of somebody else's: escaped, in base64 or in hex.

Escapes are undone in the text, layer by layer (JSON in a URL in a page); base64 and hex are made of the
secret.
"""

from __future__ import annotations

import base64
import re
from bisect import bisect_right

SHORTEST = 6
"""Of a shorter secret no base64 or hex is looked for, and a shorter value of a header that a person added is
none: too much of what a server says would be hidden."""
LAYERS = 4
_ESCAPE = re.compile(
    rb"""\\["'/\\]|(?:\\|%)u00(?P<u>[0-9a-f]{2})|\\x(?P<x>[0-9a-f]{2})|%(?P<url>[0-9a-f]{2})"""
    rb"|&#0*(?P<decimal>[0-9]{1,3});|&#x0*(?P<hex>[0-9a-f]{1,2});|&(?P<name>amp|lt|gt|quot|apos|sol|plus|equals);",
    re.IGNORECASE,
)
_NAMED = {
    b"amp": b"&",
    b"lt": b"<",
    b"gt": b">",
    b"quot": b'"',
    b"apos": b"'",
    b"sol": b"/",
    b"plus": b"+",
    b"equals": b"=",
}


class Layer:
    """A text less some layers of escapes, and where each byte of it stood in the text itself."""

    def __init__(
        self, data: bytes, outer: Layer | None = None, gaps: tuple[list[int], list[int]] = ([], [])
    ) -> None:
        self.data = data
        self._outer, (self._from, self._gained) = outer, gaps

    def inner(self) -> Layer | None:
        """Less one more layer; None where there is no escape."""
        if b"\\" not in self.data and b"%" not in self.data and b"&" not in self.data:
            return None
        pieces: list[bytes] = []
        begins: list[int] = []
        gained: list[int] = []
        end = size = 0
        for match in _ESCAPE.finditer(self.data):
            pieces += (self.data[end : match.start()], meant := _meant(match))
            end = match.end()
            size += len(pieces[-2]) + len(meant)
            begins.append(size)
            gained.append(end - size)
        if not begins:
            return None
        pieces.append(self.data[end:])
        return Layer(b"".join(pieces), self, (begins, gained))

    def span(self, begin: int, end: int) -> tuple[int, int]:
        """Where in the text itself `data[begin:end]` stands, with the escapes that it is written in."""
        if self._outer is None:
            return begin, end
        return self._outer.span(self._before(begin), self._before(end))

    def _before(self, at: int) -> int:
        """Where what stands before `at` ends, one layer further out."""
        known = bisect_right(self._from, at)
        return at + (self._gained[known - 1] if known else 0)


def unescaped(text: bytes) -> bytes:
    """`text` less one layer of escapes."""
    inner = Layer(text).inner()
    return text if inner is None else inner.data


def _meant(match: re.Match[bytes]) -> bytes:
    kind = match.lastgroup
    if kind is None:
        return match[0][-1:]
    if kind == "name":
        return _NAMED[match["name"].lower()]
    code = int(match[kind], 10 if kind == "decimal" else 16)
    return bytes([code]) if code < 256 else match[0]


def plain_forms(secret: bytes) -> set[bytes]:
    """What to look for in each layer: the secret, its hex, and what undoing escapes makes of one that looks
    like some."""
    forms = {secret, secret.replace(b" ", b"+")}
    if len(secret) >= SHORTEST:
        forms.add(secret.hex().encode())
    for _ in range(LAYERS):
        secret = unescaped(secret)
        forms.add(secret)
    return forms


def base64_forms(secret: bytes) -> set[bytes]:
    """What of the base64 of any text that holds `secret` (`Bearer SECRET`, `user:SECRET`) depends on nothing
    else: one for each of the three places in which it may begin, in both alphabets (RFC 4648, 4 and 5)."""
    forms = set()
    for before in range(3) if len(secret) >= SHORTEST else ():
        whole = (len(secret) + before) // 3 * 4
        core = base64.b64encode(b"\0" * before + secret)[-(-before * 8 // 6) : whole]
        forms |= {core, core.translate(bytes.maketrans(b"+/", b"-_"))}
    return forms
