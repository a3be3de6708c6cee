"""Responses out of bytes: whole chunks by their length as the parser reads them, and headers that repeat."""

from __future__ import annotations

import itertools
import random

import httptools
import pytest

from loadgen.transport.http1 import BadResponse, Headers, ResponseParser, value_of

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Oracle:
    """httptools alone, as lenient as we are, with nothing taken by its length."""

    def __init__(self) -> None:
        self.body = b""
        self.ended = False
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_chunked_length=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.ended = True

    def feed(self, data: bytes) -> bool:
        """False when it is no HTTP."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            return False
        return True


def framed() -> tuple[ResponseParser, list[tuple[int, Headers]]]:
    told: list[tuple[int, Headers]] = []
    parser = ResponseParser(lambda status, headers: told.append((status, headers)))
    parser.begin()
    return parser, told


def chunk(data: bytes, rng: random.Random) -> bytes:
    size = rng.choice(["%x", "%X", "%04x", "%x;a=b", "%x  ", "%x\t"]) if rng.random() < 0.3 else "%x"
    return (size % len(data)).encode() + b"\r\n" + data + b"\r\n"


PAYLOADS = [
    b"data: {}\n\n",
    b"data: " + b"a" * 200 + b"\n\n",
    b"data: {}\r\n\r\n",
    b"\n\n",
    b"\r\n",
    b"\n\n\r\n",
    b"x\r\n3\r\nabc\r\n",
    b"x\n\n\r\n3\r\nabc\r\n3\r\nabcde",
    b"0\r\n\r\n",
    b"data: " + b"b" * 5000 + b"\n\n",
    b"a",
]


def test_reads_cut_anywhere_give_the_body_that_the_parser_alone_gives() -> None:
    rng = random.Random(3)
    for _ in range(3000):
        wire = CHUNKED + b"".join(chunk(rng.choice(PAYLOADS), rng) for _ in range(rng.randrange(1, 12)))
        if rng.random() < 0.1:
            wire += rng.choice([b"zz\r\n", b"5\r\nabc\r\n\r\n", b"\r\n", b"5\r\nabcdeX\n"])
        wire += b"0\r\n\r\n"
        # Where a line ends, something may seem to begin: of a chunk, or of data that look like one.
        line_ends = [at + 1 for at, byte in enumerate(wire) if byte == 0x0A]
        cuts = {at for at in line_ends if rng.random() < 0.4}
        cuts |= {rng.randrange(len(wire)) for _ in range(rng.choice([0, 0, 1, 3]))}
        parser, _ = framed()
        oracle, body = Oracle(), b""
        for start, end in itertools.pairwise(sorted({0, *cuts, len(wire)})):
            sound = oracle.feed(wire[start:end])
            try:
                body += parser.feed(wire[start:end])
            except BadResponse:
                assert not sound
                break
            assert sound
            assert (body, parser.ended) == (oracle.body, oracle.ended)


@pytest.mark.parametrize(
    "headers",
    [
        b"content-length: 3\r\ncontent-length: 4\r\n",
        b"content-length: 3, 4\r\n",
        b"content-length: +3\r\n",
        b"content-length: 1\r\n 3\r\n",
        b"content-length : 3\r\n",
        b"transfer-encoding : chunked\r\n",
        b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked, gzip\r\n",
        b"transfer-encoding: xchunked\r\n",
    ],
)
def test_a_length_that_can_be_read_in_two_ways_is_no_response(headers: bytes) -> None:
    parser, told = framed()
    with pytest.raises(BadResponse):
        parser.feed(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n3\r\nabc\r\n0\r\n\r\n")
    assert told == []


ONE_END = {
    "a length beside chunked": b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "chunked beside a length": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "a chunk size with spaces behind it": CHUNKED + b"3   \r\nabc\r\n0\t\r\n\r\n",
    "line feeds alone between headers": b"HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n3\r\nabc\r\n0\r\n\r\n",
    "one line feed alone": b"HTTP/1.1 200 OK\r\nx: y\ncontent-length: 3\r\n\r\nabc",
    "a folded header": b"HTTP/1.1 200 OK\r\nx: y\r\n z\r\ncontent-length: 3\r\n\r\nabc",
    "a header folded by a tab": b"HTTP/1.1 200 OK\r\nx:\r\n\ty\r\n\tz\r\ncontent-length: 3\r\n\r\nabc",
    "a folded coding": b"HTTP/1.1 200 OK\r\ntransfer-encoding:\r\n chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "a control character in a value": b"HTTP/1.1 200 OK\r\nx: y\x01\r\ncontent-length: 3\r\n\r\nabc",
    "the same length twice": b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nx: y\r\ncontent-length: 3\r\n\r\nabc",
    "the same length in a list": b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc",
    "an encoding that is none": b"HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\ncontent-length: 3\r\n\r\nabc",
    "the same length twice after 100": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc",
    "no reason": b"HTTP/1.1 200\r\ncontent-length: 3\r\n\r\nabc",
}


@pytest.mark.parametrize("name", ONE_END)
def test_what_can_end_in_one_place_only_is_read_however_it_is_cut(name: str) -> None:
    wire = ONE_END[name]
    for at in range(len(wire)):
        parser, told = framed()
        body = parser.feed(wire[:at]) if at else b""
        assert (body + parser.feed(wire[at:]), parser.ended) == (b"abc", True)
        assert [status for status, _ in told] == [200]


def test_a_folded_value_is_one_line() -> None:
    parser, told = framed()
    parser.feed(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;\r\n charset=utf-8\r\ncontent-length: 0\r\n\r\n"
    )
    assert value_of(told[0][1], b"content-type") == b"text/event-stream; charset=utf-8"


def test_a_connection_whose_server_named_two_lengths_is_not_used_again() -> None:
    parser, _ = framed()
    parser.feed(ONE_END["a length beside chunked"])
    assert not parser.keep_alive


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 3\r\n"]
)
def test_a_head_without_an_end_is_given_up(head: bytes) -> None:
    parser, _ = framed()
    parser.feed(head + b"x: ")
    for _ in range(3):
        parser.feed(b"a" * 65536)
    with pytest.raises(BadResponse, match="larger than"):
        parser.feed(b"a" * 65536)


def test_repeated_headers_are_all_kept_and_read_as_one_list() -> None:
    parser, told = framed()
    parser.feed(
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nKeep-Alive: max=5\r\nkeep-alive: timeout=7\r\n"
        b"content-length: 0\r\n\r\n"
    )
    [(status, headers)] = told
    assert status == 200
    assert [value for name, value in headers if name == b"set-cookie"] == [b"a=1", b"b=2"]
    assert value_of(headers, b"keep-alive") == b"max=5, timeout=7"
    assert parser.keep_alive_s == 7.0
    assert value_of(headers, b"x-none") == b""
    assert parser.ended


@pytest.mark.parametrize("more", [b"HTTP/1.1 500 Oops\r\ncontent-length: 2\r\n\r\nno", b"\0garbage"])
def test_what_follows_a_whole_response_in_the_same_read_is_nobodys(more: bytes) -> None:
    parser, told = framed()
    assert parser.feed(CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + more) == b"abc"
    assert parser.ended
    assert not parser.keep_alive
    assert [status for status, _ in told] == [200]


def test_a_response_without_a_length_lasts_until_the_connection_closes() -> None:
    parser, _ = framed()
    assert parser.feed(b"HTTP/1.1 200 OK\r\n\r\nabc") == b"abc"
    assert parser.until_close
    assert not parser.ended
    parser.begin()
    assert not parser.until_close


def test_a_response_that_switches_to_another_protocol_is_refused_in_words() -> None:
    parser, _ = framed()
    with pytest.raises(BadResponse, match=r"^not HTTP: it switches to another protocol$"):
        parser.feed(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n")
