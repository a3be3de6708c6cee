"""A whole response of a server, and what it says in words."""

from __future__ import annotations

import re
import zlib
from typing import Any

import msgspec

from loadgen.endpoints.event import error_of, loads

MAX_BODY_BYTES = 16 << 20
_TITLE = re.compile(rb"<title>([^<]{1,200})</title>", re.IGNORECASE)


class Answer(msgspec.Struct, frozen=True):
    """A whole response."""

    status: int
    content_type: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def html(self) -> bool:
        return "html" in self.content_type or self.body[:256].lstrip().lower().startswith(
            (b"<!doctype", b"<html")
        )

    def json(self) -> Any:
        """The decoded body, None when it is no JSON."""
        return loads(self.body)


def says_error(answer: Answer) -> bool:
    decoded = answer.json()
    return isinstance(decoded, dict) and error_of(decoded) is not None


def words(answer: Answer) -> str:
    """What an answer that is no success says, not yet made safe: the message inside JSON, the title of a web
    page, else its body."""
    decoded = answer.json()
    if isinstance(decoded, dict):
        error = error_of(decoded)
        if error is not None:
            return error.message
        if isinstance(decoded.get("message"), str):
            return str(decoded["message"])
    if answer.html:
        title = _TITLE.search(answer.body[:4096])
        return f"a web page: {title[1].decode('utf-8', 'replace').strip()}" if title else "a web page"
    return answer.body[:400].decode("utf-8", "replace").strip()


def unpacked(data: bytes, given: dict[str, str]) -> bytes:
    """An answer that was packed unasked, as gzip or deflate; left as it is where it cannot be unpacked."""
    if given.get("content-encoding", "").lower() not in ("gzip", "x-gzip", "deflate"):
        return data
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(data, MAX_BODY_BYTES)
    except zlib.error:
        return data
