"""How answers that are no server-sent events are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.endpoint_names import ENDPOINT_NAMES
from loadgen.endpoints import ENDPOINTS
from loadgen.endpoints.framing import LINES, SSE, WHOLE, LinesParser, WholeParser
from loadgen.endpoints.sse import Event, SseLimitError
from loadgen.target.url import SUFFIXES

LINE = st.binary(max_size=20).filter(lambda line: b"\n" not in line)


@given(st.lists(LINE), st.lists(st.integers(0, 200)))
def test_lines_are_the_same_however_they_are_cut(lines: list[bytes], cuts: list[int]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    bounds = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parser = LinesParser()
    events = [e for a, b in pairwise(bounds) for e in parser.feed(data[a:b])]
    assert events == [Event(line.strip()) for line in lines if line.strip()]
    assert parser.close() == []


def test_a_last_line_without_its_end_is_given_where_it_is_whole() -> None:
    parser = LinesParser()
    assert parser.feed(b'{"a":1}\r\n{"b":2}') == [Event(b'{"a":1}')]
    assert parser.close() == [Event(b'{"b":2}', unterminated=True)]
    assert parser.feed(b'{"b":') == parser.close() == []


def test_what_never_ends_is_refused() -> None:
    for parser in (LinesParser(8), WholeParser(8)):
        assert parser.feed(b"12345678") == []
        with pytest.raises(SseLimitError, match="longer than 8 bytes"):
            parser.feed(b"9")
    with pytest.raises(SseLimitError):
        LinesParser(8).feed(b"123456789\n")


def test_a_body_is_one_event_at_its_end() -> None:
    parser = WholeParser()
    assert parser.feed(b'{"a":') == parser.feed(b"\n\n1}") == []
    assert parser.close() == [Event(b'{"a":\n\n1}')]
    assert parser.close() == []


def test_an_answer_is_known_by_its_content_type() -> None:
    assert SSE.is_named_by(b"text/event-stream; charset=utf-8")
    assert LINES.is_named_by(b"application/x-ndjson")
    assert WHOLE.is_named_by(b"Application/JSON")
    assert not LINES.is_named_by(b"application/json")
    assert not SSE.is_named_by(b"application/json")
    assert not WHOLE.is_named_by(b"text/html")


def test_a_url_may_end_in_the_path_of_every_endpoint() -> None:
    assert set(SUFFIXES) == set(ENDPOINT_NAMES)
    assert all(ENDPOINTS[name].path in (f"/v1{suffix}", suffix) for name, suffix in SUFFIXES.items())
