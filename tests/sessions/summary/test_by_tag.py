"""Requests by their tags, worked out by hand; and as text."""

from __future__ import annotations

from loadgen.records import Request, RequestError
from sessions.summary.by_tag import by_tag
from sessions.summary.schema import Tagged
from sessions.timeline.requests import RequestColumns
from tui.report.tags import tags_table

MS = 1_000_000


def request(index: int, tags: tuple[str, ...], ttft_ms: int, **more: object) -> Request:
    due_ns = index * 1000 * MS
    return Request(
        index,
        0,
        due_ns,
        sent_ns=due_ns,
        first_token_ns=due_ns + ttft_ms * MS,
        last_token_ns=due_ns + (ttft_ms + 80) * MS,
        end_ns=due_ns + (ttft_ms + 80) * MS,
        chunks=5,
        gaps_us=[20_000] * 4,
        output_tokens=5,
        tags=tags,
        **more,  # type: ignore[arg-type]
    )


def made() -> list[Tagged]:
    columns = RequestColumns()
    for each in (
        request(0, ("rag", "b"), 100, input_tokens=50, cached_tokens=16),
        request(1, ("chat",), 10, input_tokens=7),
        request(2, ("rag",), 300, input_tokens=60),
        request(3, ("rag",), 900, error=RequestError("timeout")),
        request(4, (), 5),
        request(5, ("rag",), 900, error=RequestError("unfinished")),
    ):
        columns.add(each)
    return by_tag(columns, columns.rows)


def test_each_tag_has_a_row_with_the_requests_that_bear_it() -> None:
    found = {row.tag: row for row in made()}
    assert list(found) == ["b", "chat", "rag"]
    rag = found["rag"]
    assert (rag.requests, rag.succeeded, rag.failed, rag.cut_off) == (4, 2, 1, 1)
    assert (rag.input_tokens, rag.cached_tokens, rag.output_tokens) == (110, 16, 10)
    assert (rag.ttft_from_due_ms.p50, rag.ttft_from_due_ms.max) == (200.0, 300.0)
    assert (rag.tpot_ms.mean, rag.e2e_ms.max) == (20.0, 380.0)
    assert (found["b"].requests, found["b"].ttft_from_due_ms.p50) == (1, 100.0)
    assert found["chat"].cached_tokens is None


def test_without_tags_there_is_no_table() -> None:
    columns = RequestColumns()
    columns.add(request(0, (), 5))
    assert by_tag(columns, columns.rows) == []
    assert tags_table([]) == ""


def test_the_table_fits_80_columns_and_marks_what_rests_on_little() -> None:
    lines = tags_table(made()).splitlines()
    assert [line.split()[0] for line in lines] == ["by", "b", "chat", "rag"]
    assert lines[3].split()[1:6] == ["4", "1", "110", "10", "~200"]
    assert max(map(len, lines)) <= 80


def test_a_tag_of_a_stranger_cannot_move_the_cursor() -> None:
    columns = RequestColumns()
    columns.add(request(0, ("\x1b[2J",), 5))
    assert "\x1b" not in tags_table(by_tag(columns, columns.rows))
