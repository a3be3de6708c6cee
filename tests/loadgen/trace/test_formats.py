"""Traces as they are published, read from real lines of each; what is none is one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadgen.trace.compile import compiled
from loadgen.trace.compiled import CompiledTrace
from loadgen.trace.figures import TraceFigures
from loadgen.trace.formats import read_trace
from loadgen.trace.rows import TraceError, TraceRow

AZURE_2023 = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,4808,10
2023-11-16 18:17:04.0319600,3180,8
2023-11-16 18:18:00.0000000,110,27
"""
AZURE_2024 = """TIMESTAMP,ContextTokens,GeneratedTokens
2024-05-10 00:00:00.009930+00:00,2162,5
2024-05-10 00:00:00.017335+00:00,2399,6
2024-05-10 02:00:01+02:00,76,15
"""
BURSTGPT = """Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
5,ChatGPT,472,18,490,Conversation log
45,ChatGPT,1087,0,1087,Conversation log
118.5,GPT-4,417,276,693,API log
"""
MOONCAKE = """{"timestamp": 0, "input_length": 1100, "output_length": 500, "hash_ids": [0, 1, 2]}
{"timestamp": 27, "input_length": 1536, "output_length": 490, "hash_ids": [0, 1, 9000000000000000000]}

{"timestamp": 3000.5, "input_length": 4, "output_length": 1}
"""


def rows(tmp_path: Path, text: str | bytes) -> tuple[str, list[TraceRow]]:
    file = tmp_path / "trace"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    read = read_trace(file)
    return read.form, list(read.rows)


def refused(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(TraceError) as error:
        compiled(rows(tmp_path, text)[1])
    assert "\n" not in str(error.value)
    return str(error.value)


def as_run(tmp_path: Path, text: str) -> tuple[CompiledTrace, TraceFigures]:
    file, figures = compiled(rows(tmp_path, text)[1])
    place = tmp_path / "compiled"
    place.write_bytes(file.read() if file.seek(0) == 0 else b"")
    return CompiledTrace(str(place)), figures


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        (AZURE_2023, "azure", [(0, 4808, 10), (52_000_000, 3180, 8), (56_020_040_000, 110, 27)]),
        (AZURE_2024, "azure", [(0, 2162, 5), (7_405_000, 2399, 6), (990_070_000, 76, 15)]),
        (BURSTGPT, "burstgpt", [(0, 472, 18), (113_500_000_000, 417, 276)]),
        (MOONCAKE, "mooncake", [(0, 1100, 500), (27_000_000, 1536, 490), (3_000_500_000, 4, 1)]),
    ],
)
def test_each_form_is_known_by_its_content_and_times_count_from_its_first_request(
    tmp_path: Path, text: str, form: str, expected: list[tuple[int, int, int]]
) -> None:
    assert rows(tmp_path, text)[0] == form
    trace, figures = as_run(tmp_path, text)
    assert [trace.row(n)[:3] for n in range(len(trace))] == expected
    assert [trace.due_ns(n) for n in range(len(trace))] == [row[0] for row in expected]
    assert figures.requests == len(expected)
    assert figures.span_s == expected[-1][0] / 1e9


def test_hash_ids_and_tags_are_kept_and_what_had_no_answer_is_left_out(tmp_path: Path) -> None:
    trace, figures = as_run(tmp_path, MOONCAKE)
    assert [trace.row(n).hash_ids for n in range(3)] == [(0, 1, 2), (0, 1, 9_000_000_000_000_000_000), ()]
    assert figures.hashed
    trace, figures = as_run(tmp_path, BURSTGPT)
    assert [trace.row(n).tags for n in range(2)] == [("ChatGPT", "Conversation log"), ("GPT-4", "API log")]
    assert (figures.left_out, figures.hashed) == (1, False)
    assert (figures.input_mean, figures.output_mean, figures.input_most) == ((472 + 417) / 2, 147, 472)


def test_the_busiest_second_is_counted(tmp_path: Path) -> None:
    lines = [
        json.dumps({"timestamp": t, "input_length": 1, "output_length": 1})
        for t in (0, 1100, 1200, 1999, 2000, 9000)
    ]
    _, figures = as_run(tmp_path, "\n".join(lines))
    assert (figures.busiest_rps, figures.rate_rps) == (3.0, 5 / 9)


def test_a_part_is_taken_by_number_and_by_time(tmp_path: Path) -> None:
    _, all_rows = rows(tmp_path, AZURE_2023)
    assert compiled(all_rows, requests=2)[1].requests == 2
    assert compiled(all_rows, until_s=0.052)[1].requests == 2
    assert compiled(all_rows, until_s=0.051)[1].requests == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("\n\n", "it is empty"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n", "it has no request"),
        (
            "TIMESTAMP,ContextTokens\n2023-11-16 18:17:03.9,1\n",
            "line 1: there is no column 'generatedtokens'; need",
        ),
        ("Timestamp,Model,Request tokens\n", "line 1: there is no column 'response tokens'; need"),
        ("a,b,c\n1,2,3\n", "line 1: got 'a,b,c', need JSON lines of timestamp"),
        (AZURE_2023 + "2023-11-31 18:17:59.9,1,1\n", "that month has no such day"),
        (AZURE_2023 + "2023-11-16 18:17:59.9,1,1\n", "line 5: time goes back by 0.1 s"),
        (AZURE_2023 + "2023-11-16 18:19:00,-5,1\n", "line 5: contexttokens: need a whole number of tokens"),
        (AZURE_2023 + "2023-11-16 18:19:00,,1\n", "line 5: contexttokens: need a whole number of tokens"),
        (AZURE_2023 + "2023-11-16 18:19:00,10000001,1\n", "from 0 to 10,000,000"),
        (AZURE_2023 + "2023-11-16 18:19:00,1\n", "line 5: 2 columns, the first line names 3"),
        (AZURE_2023 + "yesterday,1,1\n", "line 5: timestamp: got 'yesterday', need a time such as"),
        (AZURE_2023 + "2023-13-16 18:19:00,1,1\n", "line 5: timestamp: got '2023-13-16 18:19:00', 13 is out"),
        (AZURE_2023 + "2043-11-16 18:19:00,1,1\n", "line 5: more than ten years after the first"),
        (BURSTGPT + "nan,GPT-4,1,1,2,API log\n", "line 5: timestamp: got 'nan', need seconds such as 45.0"),
        (
            BURSTGPT.replace("18,490", "0,472").replace("276,", "0,"),
            "it has no request that was answered",
        ),
        ('{"timestamp": 0, "input_length": 5}\n', "line 1: Object missing required field output_length"),
        ('{"timestamp": -1, "input_length": 5, "output_length": 1}', "line 1: timestamp: need milliseconds"),
        ('{"timestamp": 1e400, "input_length": 5, "output_length": 1}', "line 1: "),
        ('{"timestamp": 1, "input_length": 1.5, "output_length": 1}', "line 1: Expected int, got float"),
        (MOONCAKE + "{}", "line 5: Object missing required field timestamp"),
        (MOONCAKE + "never", "line 5: JSON is malformed"),
        (
            '{"timestamp": 0, "input_length": 513, "output_length": 1, "hash_ids": [1, 2, 3]}',
            "line 1: got 3 hash ids for 513 tokens, need at most 2",
        ),
        (
            '{"timestamp": 0, "input_length": 5, "output_length": 1, "hash_ids": [9223372036854775808]}',
            "line 1: a hash id has more than 63 bits",
        ),
        (AZURE_2023.encode() + b"\xff\xfe\n", "line 5: not UTF-8"),
        (b"{" + b"x" * (5 << 20), "line 1: longer than 4 MiB"),
    ],
)
def test_what_is_no_trace_is_one_line_with_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert said in refused(tmp_path, text)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    for path, said in (
        (tmp_path / "none", "cannot read it: No such file or directory"),
        (tmp_path / "pipe", "it is no regular file"),
        (Path("/dev/zero"), "it is no regular file"),
    ):
        with pytest.raises(TraceError, match=said):
            read_trace(path)


@pytest.mark.parametrize("text", [AZURE_2023, MOONCAKE])
def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path, text: str) -> None:
    assert rows(tmp_path, b"\xef\xbb\xbf" + text.encode()) == rows(tmp_path, text)
