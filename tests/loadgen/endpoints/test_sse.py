"""Vectors from the WHATWG standard, the web platform tests and what servers were seen to send."""

from __future__ import annotations

import itertools
import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.endpoints.sse import Event, HeldBytes, SseLimitError, SseParser

# name -> (bytes, data of the events that a stream of these bytes gives, the end included)
VECTORS: dict[str, tuple[bytes, list[bytes]]] = {
    "line ends LF": (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
    "line ends CRLF": (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    "CRLF between data lines": (b"data: a\r\ndata: b\r\n\r\n", [b"a\nb"]),
    "line ends CR": (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    "line ends mixed": (b"data: a\r\n\rdata: b\n\r\ndata: c\r\r\ndata: d\n\n", [b"a", b"b", b"c", b"d"]),
    "byte order mark": (b"\xef\xbb\xbfdata: 1\n\ndata: 2\n\n", [b"1", b"2"]),
    "double byte order mark (WPT)": (b"\xef\xbb\xbf\xef\xbb\xbfdata:1\n\ndata:2\n\ndata:3\n\n", [b"2", b"3"]),
    "byte order mark in mid stream": (b"data: 1\n\n\xef\xbb\xbfdata: 2\n\ndata: 3\n\n", [b"1", b"3"]),
    "U+2028 within": ('data: {"t":"a\u2028b"}\n\n'.encode(), ['{"t":"a\u2028b"}'.encode()]),
    "U+0085 within": ('data: {"t":"a\u0085b"}\n\n'.encode(), ['{"t":"a\u0085b"}'.encode()]),
    "other line breaks of Python": (b"data: a\x0bb\x0cc\x1cd\n\n", [b"a\x0bb\x0cc\x1cd"]),
    "comments (WPT)": (
        b"data:1\r:\0\n:\r\ndata:2\n:"
        + b"x" * 2048
        + b"\rdata:3\n:data:fail\r:"
        + b"x" * 2048
        + b"\ndata:4\n\n",
        [b"1\n2\n3\n4"],
    ),
    "NUL": (b"data:\0\n\n", [b"\0"]),
    "named event without data": (b"event: ping\n\ndata: a\n\n", [b"a"]),
    "keep-alive comments": (b": ping\n\n:\n\ndata: a\n\n:\n", [b"a"]),
    "several data lines": (b"data: a\ndata:b\ndata:  c\n\n", [b"a\nb\n c"]),
    "one space only is taken": (b"data:  a\n\ndata:b\n\n", [b" a", b"b"]),
    "a data field without a colon": (b"data\ndata\n\n", [b"\n"]),
    "empty data": (b"data:\n\ndata\n\ndata: \n\ndata: a\n\n", [b"a"]),
    "other fields": (b"id: 7\nretry: 10\nnonsense\nDATA: x\n data: y\ndata: a\n\n", [b"a"]),
    "id with NUL": (b"id: a\0b\ndata: a\n\n", [b"a"]),
    "many blank lines": (b"\n\n\ndata: a\n\n\n\ndata: b\n\n\n", [b"a", b"b"]),
    "DONE without blank line": (b"data: a\n\ndata: [DONE]\n", [b"a", b"[DONE]"]),
    "DONE without any line end": (b"data: a\n\ndata: [DONE]", [b"a", b"[DONE]"]),
    "JSON without blank line": (b'data: {"a": 1}\n', [b'{"a": 1}']),
    "JSON without any line end": (b'data: {"a": 1}', [b'{"a": 1}']),
    "JSON cut short": (b'data: a\n\ndata: {"a": ', [b"a"]),
    "JSON cut short behind a line end": (b'data: a\n\ndata: {"a":\n', [b"a"]),
    "three-byte character": (b"data: \xe2\x82\xac\n\n", [b"\xe2\x82\xac"]),
    "invalid UTF-8 is kept": (b"data: \xff\xfe\n\n", [b"\xff\xfe"]),
    "a space that belongs to the content": (b'data: {"content":" hi"}\n\n', [b'{"content":" hi"}']),
    "error line of llama.cpp": (b'error: {"message":"full"}\n\ndata: a\n\n', [b'{"message":"full"}', b"a"]),
    "error line at the end": (b'data: a\n\nerror: {"message":"full"}', [b"a", b'{"message":"full"}']),
    "nothing": (b"", []),
    "HTML": (b"<html>\n<body>data: a</body>\n\n</html>\n\n", []),
}


def parsed(pieces: list[bytes]) -> list[Event]:
    parser = SseParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.close()


def feed_all(parser: SseParser, pieces: list[bytes]) -> None:
    for piece in pieces:
        parser.feed(piece)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_gives_its_events(name: str) -> None:
    data, want = VECTORS[name]
    assert [event.data for event in parsed([data])] == want


@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_fed_byte_by_byte_gives_its_events(name: str) -> None:
    data, want = VECTORS[name]
    assert [event.data for event in parsed([data[i : i + 1] for i in range(len(data))])] == want


def test_every_split_in_two_and_thousands_of_random_splits_give_the_same_events() -> None:
    rng = random.Random(7)
    tried = 0
    for name, (data, _) in VECTORS.items():
        whole = parsed([data])
        short = len(data) < 500
        for place in range(len(data)) if short else range(0, len(data), 17):
            assert parsed(cut(data, [place])) == whole, (name, place)
            tried += 1
        for _ in range(600 if short else 60):
            places = [rng.randrange(len(data) + 1) for _ in range(rng.randrange(1, 9))]
            assert parsed(cut(data, places)) == whole, (name, places)
            tried += 1
    assert tried >= 20_000


_FRAGMENTS = [
    b"data: ",
    b"data:",
    b"data",
    b"event: e",
    b"error: x",
    b":",
    b" ",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
]
_FRAGMENTS += [b'{"a":1}', b"[DONE]", b"\xef\xbb\xbf", b"\xe2\x82\xac", b"\0", b"x"]


@given(st.lists(st.sampled_from(_FRAGMENTS), max_size=25).map(b"".join), st.data())
def test_any_stream_split_anywhere_gives_the_same_events(stream: bytes, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    assert (
        parsed(cut(stream, places))
        == parsed([stream])
        == parsed([stream[i : i + 1] for i in range(len(stream))])
    )


def test_events_carry_the_name_the_server_gave_and_only_once() -> None:
    stream = b"event: error\ndata: a\n\ndata: b\n\nevent: x\nevent:\ndata: c\n\n"
    stream += b"event: gone\n\ndata: d\n\nerror: e\n\n"
    assert [(event.name, event.data) for event in parsed([stream])] == [
        (b"error", b"a"),
        (None, b"b"),
        (None, b"c"),
        (None, b"d"),
        (b"error", b"e"),
    ]


def test_an_event_whose_blank_line_is_missing_is_whole_however_odd_its_text() -> None:
    for data in (b'{"a":"\\ud83d"}', b'{"a":"\xff"}', b'{"a":"\x0b"}', b'{"a":NaN}'):
        parser = SseParser()
        assert parser.feed(b"data: " + data) == []
        assert parser.close() == [Event(data, unterminated=True)]


def test_only_an_event_that_the_end_completed_is_marked_unterminated() -> None:
    parser = SseParser()
    assert parser.feed(b"data: a\n\ndata: [DONE]\n") == [Event(b"a")]
    assert parser.close() == [Event(b"[DONE]", unterminated=True)]
    assert parser.close() == []


def test_an_event_is_given_by_the_read_that_completed_it() -> None:
    parser = SseParser()
    assert parser.feed(b"data: a\r\n\r") == [Event(b"a")]
    assert parser.feed(b"\ndata: b\r\n") == []
    assert parser.feed(b"\r") == [Event(b"b")]


def test_a_line_without_end_stops_at_the_limit_however_it_arrives() -> None:
    for piece in (10 << 20, 65_536, 1000):
        parser = SseParser(max_event_bytes=1 << 20)
        with pytest.raises(SseLimitError, match="longer than 1048576 bytes"):
            feed_all(parser, [b"x" * piece] * ((10 << 20) // piece))


@pytest.mark.parametrize(
    "stream", [b"data: " + b"x" * 2000 + b"\n\n", b"data: xxxx\n" * 300 + b"\n", b"data\n" * 2000]
)
def test_an_event_beyond_the_limit_is_refused_whole_or_in_pieces(stream: bytes) -> None:
    for pieces in ([stream], [stream[i : i + 7] for i in range(0, len(stream), 7)]):
        parser = SseParser(max_event_bytes=1024)
        with pytest.raises(SseLimitError):
            feed_all(parser, pieces)


def test_a_long_event_in_small_reads_is_put_together_once() -> None:
    parser = SseParser()
    body = b"y" * 1_000_000
    for start in range(0, len(body), 100):
        assert parser.feed((b"data: " if start == 0 else b"") + body[start : start + 100]) == []
    assert parser.feed(b"\n\n") == [Event(body)]


def test_a_million_comments_give_nothing_and_keep_nothing() -> None:
    parser = SseParser(max_event_bytes=1024)
    for _ in range(1000):
        assert parser.feed(b":\n" * 1000) == []
    assert parser.feed(b"data: a\n\n") == [Event(b"a")]


def test_bytes_that_are_no_event_stream_give_no_events() -> None:
    rng = random.Random(3)
    for _ in range(300):
        noise = rng.randbytes(rng.randrange(400)).replace(b"data", b"").replace(b"error", b"")
        assert parsed([noise]) == []


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n"])
def test_each_line_of_data_is_an_event_of_servers_without_blank_lines(end: bytes) -> None:
    lines = [b'data: {"a":1}', b"data:2", b"data:", b": ping", b"event: error", b"data: x", b"data: [DONE]"]
    stream = end.join(lines) + end
    for place in range(len(stream)):
        parser = SseParser(line_events=True)
        events = [event for piece in (stream[:place], stream[place:]) for event in parser.feed(piece)]
        events += parser.close()
        assert [event.data for event in events] == [b'{"a":1}', b"2", b"x", b"[DONE]"]
        assert not any(event.unterminated for event in events)


def test_a_line_is_an_event_as_soon_as_it_ends_where_each_line_is_one() -> None:
    parser = SseParser(line_events=True)
    assert parser.feed(b"data: 1\n") == [Event(b"1")]
    assert parser.feed(b"data: 2") == []
    assert parser.feed(b"\n") == [Event(b"2")]


def test_what_all_streams_have_begun_is_bounded_and_those_with_little_go_on() -> None:
    held = HeldBytes(most=1 << 20)
    streams = [SseParser(held=held) for _ in range(10)]
    for parser in streams:
        parser.feed(b"data: " + b"x" * 100_000)
    with pytest.raises(SseLimitError, match="all streams together hold more than 1 MiB"):
        feed_all(streams[0], [b"x" * 100_000])
    little = SseParser(held=held)
    assert little.feed(b"data: a") == []
    assert little.feed(b"\n\n") == [Event(b"a")]
    streams[0].release()
    assert streams[1].feed(b"\n\n") == [Event(b"x" * 100_000)]


@pytest.mark.parametrize(
    "piece", [b"xy", b"data: xy\n", b"data:\n", b"event: " + b"n" * 90_000 + b"\n", b"data: " + b"y" * 500]
)
def test_nothing_that_is_kept_escapes_the_count(piece: bytes) -> None:
    held = HeldBytes()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        parsers = [SseParser(held=held) for _ in range(2)]
        for _ in range(6000):
            for parser in parsers:
                parser.feed(piece)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1.3 * held.held + 20_000


@given(
    st.lists(
        st.sampled_from([b"data: a" * 1000, b"\n", b"\r", b"data: b\n\n", b"event: x\n", b": c\n", b"\n\n"])
    )
)
def test_what_ends_is_counted_no_more(pieces: list[bytes]) -> None:
    held = HeldBytes()
    parser, other = SseParser(held=held), SseParser(held=held)
    other.feed(b"data: waits" * 500)
    waits = held.held
    assert waits == len(b"data: waits" * 500)
    for piece in pieces:
        parser.feed(piece)
        assert held.held >= waits
    parser.feed(b"\n\n")
    assert held.held == waits
    parser.feed(b"data: cut")
    parser.close()
    assert held.held == waits
    other.release()
    assert held.held == 0
