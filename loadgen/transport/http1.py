"""HTTP/1.1 responses, one after the other, as sans-IO: bytes of a connection in, bytes of bodies out.

httptools does it, except for the one thing that costs: a read that holds exactly one whole chunk, as
nearly every token of a stream comes, is known by its length and taken as it is.

As lenient as curl and httpx where a body can end in one place only: line feeds alone between headers, folded
headers, spaces behind a chunk's size, a length beside `chunked` (which wins, RFC 9112, 6.3), the same length
said twice. What can be read in two ways is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn

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


_LENIENT = {
    "lenient_headers": True,
    "lenient_chunked_length": True,
    "lenient_optional_cr_before_lf": True,
    "lenient_spaces_after_chunk_size": True,
}
_FRAMING = (b"content-length", b"transfer-encoding")
_ONLY_CHUNKED = [(b"transfer-encoding", b"chunked")]
"""What nearly every stream says of `_FRAMING`."""
_HEAD_END = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*([0-9]+)(?:[ \t]*,[ \t]*\1)*[ \t]*\r?(?=\n)", re.IGNORECASE)
_INFORMATIONAL = re.compile(rb"\s*HTTP/1\.[01] 1[0-9][0-9][ \r\n]")
_IDENTITY = re.compile(rb"\ntransfer-encoding:[ \t]*identity[ \t]*\r?(?=\n)", re.IGNORECASE)


def _may_be_plainer(error: Exception) -> bool:
    """What llhttp says of a length that comes twice, or we of one beside `identity`."""
    return isinstance(error, httptools.HttpParserCallbackError) or "Content-Length" in str(error)


def _plainer(head: bytes) -> bytes:
    """A response's head as llhttp takes it: a length that is said several times is said once, `identity`,
    which says nothing, not at all. What contradicts itself stays as it is."""
    lengths = _LENGTH.findall(head)
    if len(set(lengths)) == 1:
        head = _LENGTH.sub(b"", head)
        line_end = head.find(b"\n")
        head = head[:line_end] + b"\ncontent-length: " + lengths[0] + b"\r" + head[line_end:]
    return _IDENTITY.sub(b"", head)


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
        "_head",
        "_header_bytes",
        "_informational",
        "_on_headers",
        "_parser",
        "_plainly",
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
        self._parser = self._new_parser()
        self.keep_alive = False
        """The server will take another request on this connection; known after the headers."""
        self.begin()

    def _new_parser(self) -> httptools.HttpResponseParser:
        parser = httptools.HttpResponseParser(self)
        parser.set_dangerous_leniencies(**_LENIENT)
        return parser

    def begin(self) -> None:
        self._head: bytes | None = b""
        """What has come of the headers; None once they are complete."""
        self._plainly = ""
        """Why they were refused: they are to be read once more, when all of them are there."""
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
        if self._head is not None:
            self._head += data
            if self._plainly:
                return self._read_plainly(self._head)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self.ended:
                # What follows a whole response is nobody's, and cannot spoil it.
                self.keep_alive = False
            elif self._head and self._broken is None and _may_be_plainer(error):
                return self._read_plainly(self._head, str(error))
            else:
                upgrade = isinstance(error, httptools.HttpParserUpgrade)
                why = "it switches to another protocol" if upgrade else error
                raise BadResponse(self._broken or f"not HTTP: {why}") from None
        if self._head is not None and len(self._head) > 2 * HEADER_BYTES_MAX:
            raise BadResponse(f"response headers larger than {HEADER_BYTES_MAX} bytes")
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

    def _read_plainly(self, head: bytes, refusal: str = "") -> bytes:
        """The bytes of the body behind a head that was refused for `refusal`, once it is whole and written
        more plainly; none until then.

        Raises:
            BadResponse: it is not to be read so either.
        """
        self._plainly = self._plainly or refusal
        if len(head) > 2 * HEADER_BYTES_MAX:
            raise BadResponse(f"response headers larger than {HEADER_BYTES_MAX} bytes")
        begin = 0
        while (end := _HEAD_END.search(head, begin)) is not None and _INFORMATIONAL.match(head, begin):
            begin = end.end()
        if end is None:
            return b""
        plainer = _plainer(head[begin : end.end()])
        if plainer == head[begin : end.end()]:
            raise BadResponse(f"not HTTP: {self._plainly}")
        self._head, self._plainly = None, ""
        self.headers, self._header_bytes = [], 0
        self._parser = self._new_parser()
        return self.feed(plainer + head[end.end() :])

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
            self._refuse(f"response headers larger than {HEADER_BYTES_MAX} bytes")
        name = name.lower()
        if name[-1:] in b" \t" and (name := name.rstrip()) in _FRAMING:
            self._refuse(f"a space before the colon of {name.decode()}")
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._informational = 100 <= status < 200
        if self._informational:
            self.headers = []
            return
        self.keep_alive = self._parser.should_keep_alive()
        framing = [header for header in self.headers if header[0] in _FRAMING]
        if framing == _ONLY_CHUNKED:
            self._chunked = True
        else:
            self._set_framing(framing)
        self._head = None
        self._on_headers(status, self.headers)

    def _set_framing(self, framing: Headers) -> None:
        """Decides by these headers where the body ends; what can be read in two ways is refused."""
        coding = value_of(framing, b"transfer-encoding").lower()
        codings = [name.strip() for name in coding.split(b",") if name.strip()]
        length = value_of(framing, b"content-length")
        self._chunked = codings[-1:] == [b"chunked"]
        if set(codings) - {b"chunked", b"identity"} or b"chunked" in codings[:-1]:
            self._refuse(f"transfer-encoding is {printable(coding.decode('latin-1'), 40)}, not asked for")
        if length and codings:
            if not self._chunked:
                # Not by `_refuse`: the head is read once more, without that coding.
                raise ValueError("a length beside a transfer coding that says nothing")
            self.keep_alive = False  # as RFC 9112 (6.3) has it: who wrote this may not know where it ends
        self.until_close = not self._chunked and not length

    def _refuse(self, why: str) -> NoReturn:
        self._broken = why
        raise ValueError(why)

    def on_message_complete(self) -> None:
        if not self._informational:
            self.ended = True
