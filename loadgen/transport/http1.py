"""HTTP/1.1 responses, one after the other, as sans-IO: bytes of a connection in, bytes of bodies out.

httptools does it, except for the one thing that costs: a read that holds exactly one whole chunk, as
nearly every token of a stream comes, is known by its length and taken as it is.
"""

from __future__ import annotations

from collections.abc import Callable

import httptools

from loadgen.errors import printable

HEADER_BYTES_MAX = 131_072
WHOLE_MOST = 4096
"""A read that is looked at as one whole chunk is shorter."""

CHUNK_END = b"\r\n"

Headers = list[tuple[bytes, bytes]]
"""Names in lower case, in the order in which they came; one may come several times."""


def value_of(headers: Headers, name: bytes) -> bytes:
    """The value of a header; those of a repeated one joined as RFC 9110 (5.3) has it; empty without one."""
    return b", ".join([value for key, value in headers if key == name])


class WholeChunk:
    """Reads that are one whole chunk each, known by length and first bytes, for which no parser is needed."""

    def __init__(self, begins: bytes = b"") -> None:
        """For chunks whose data begin with `begins`."""
        self.heads: list[tuple[bytes, ...]] = [()] * WHOLE_MOST
        """For each length of a read: how it begins if it is one."""
        self.starts = [0] * WHOLE_MOST
        """For each length: where the data begin."""
        for size in range(max(1, len(begins)), WHOLE_MOST):
            line = b"%x\r\n" % size
            if (length := len(line) + size + len(CHUNK_END)) < WHOLE_MOST:
                self.heads[length] = tuple({line + begins, b"%X\r\n" % size + begins})
                self.starts[length] = len(line)


_ANY = WholeChunk()
_HEADS, _STARTS = _ANY.heads, _ANY.starts


class BadResponse(Exception):
    """What came is not HTTP/1.1 as it must be. The text says why."""


class ResponseParser:
    """`feed` it what a connection gives. `begin` says that a request was sent: its response comes next."""

    __slots__ = (
        "_body",
        "_broken",
        "_chunked",
        "_header_bytes",
        "_informational",
        "_on_headers",
        "_parser",
        "ended",
        "headers",
        "keep_alive",
        "on_body",
        "until_close",
        "whole_next",
    )

    def __init__(self, on_headers: Callable[[int, Headers], None]) -> None:
        self._on_headers = on_headers
        self._body: list[bytes] = []
        # httptools asks for it once, so a chunk costs no call of Python.
        self.on_body = self._body.append
        self._parser = httptools.HttpResponseParser(self)
        self.keep_alive = False
        """The server will take another request on this connection; known after the headers."""
        self.begin()

    def begin(self) -> None:
        self.headers: Headers = []
        self.ended = self.until_close = False
        self._header_bytes = 0
        self._broken: str | None = None
        self._informational = self._chunked = False
        self.whole_next = False
        """Between two chunks, where what comes next may be a whole one."""

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body in `data`. Sets `ended` at the end of the response.

        Raises:
            BadResponse: the connection is of no further use.
        """
        if self.whole_next:
            size = len(data)
            if size < WHOLE_MOST and data.startswith(_HEADS[size]) and data.endswith(b"\r\n"):
                return data[_STARTS[size] : -2]
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.ended:
                raise BadResponse(self._broken or f"not HTTP: {error}") from None
            # What follows a whole response is nobody's, and cannot spoil it.
            self.keep_alive = False
        pieces = self._body
        if not pieces:
            self.whole_next = False
            return b""
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        # No framing holds two line feeds in a row: if the data before the last CR LF end so, the body does,
        # too, and that CR LF is the end of a chunk.
        self.whole_next = (
            self._chunked and not self.ended and data.endswith(b"\n\n\r\n") and body.endswith(b"\n\n")
        )
        return body

    @property
    def keep_alive_s(self) -> float | None:
        """Seconds for which the server says it keeps an idle connection; None if it does not say."""
        for part in value_of(self.headers, b"keep-alive").split(b","):
            name, _, value = part.strip().partition(b"=")
            if name.lower() == b"timeout" and value.strip().isdigit():
                return float(value)
        return None

    # what httptools calls, inside feed_data

    def on_message_begin(self) -> None:
        if self.ended:
            raise ValueError("a response that was not asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > HEADER_BYTES_MAX:
            self._broken = f"response headers larger than {HEADER_BYTES_MAX} bytes"
            raise ValueError(self._broken)
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._informational = 100 <= status < 200
        if self._informational:
            self.headers = []
            return
        self.keep_alive = self._parser.should_keep_alive()
        coding = value_of(self.headers, b"transfer-encoding").lower()
        codings = [name.strip() for name in coding.split(b",") if name.strip()]
        self._chunked = codings[-1:] == [b"chunked"]
        if set(codings) - {b"chunked", b"identity"} or b"chunked" in codings[:-1]:
            self._broken = f"transfer-encoding is {printable(coding.decode('latin-1'), 40)}, not asked for"
            raise ValueError(self._broken)
        self.until_close = not self._chunked and not value_of(self.headers, b"content-length")
        self._on_headers(status, self.headers)

    def on_message_complete(self) -> None:
        if not self._informational:
            self.ended = True
