"""evalscope's `benchmark_data.db` (SQLite): each request with start, end and the gaps between its chunks.

`response_messages` in it is a pickle: it is never read.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loadgen.errors import printable
from loadgen.records import Request, RequestError
from sessions.interchange.documents import (
    MOST_BYTES,
    NEED,
    Document,
    ImportFailed,
    known_beside,
    name_of,
    nanoseconds,
    number,
    numbers,
    text,
    whole,
)
from sessions.interchange.imported_run import ImportedRun, gaps_of, settle
from sessions.plan.config import LoadConfig
from sessions.store.imported import ToolFigure

TOOL = "evalscope perf"
_MOST_ROWS = 1_000_000
_MOST_TEXT = 16 << 20
"""Bytes of one value: the gaps of a million tokens."""
_COLUMNS = (
    "start_time, completed_time, success, latency, first_chunk_latency, inter_token_latencies, "
    "prompt_tokens, completion_tokens"
)
_FIGURES = {
    "Avg TTFT (ms)": ("ttft_from_sent_ms.mean", "near", "ms", 1.0),
    "Avg TPOT (ms)": ("tpot_ms.mean", "near", "ms", 1.0),
    "Avg ITL (ms)": ("chunk_gap_ms.mean", "same", "ms", 1.0),
    "Avg Latency (s)": ("e2e_ms.mean", "near", "ms", 1e3),
    "Req Throughput (req/s)": ("throughput.request_rps", "near", "requests/s", 1.0),
    "Output Throughput (tok/s)": ("throughput.output_tps", "near", "tokens/s", 1.0),
    "Total Throughput (tok/s)": ("throughput.total_tps", "near", "tokens/s", 1.0),
    "Test Duration (s)": ("duration_s", "near", "s", 1.0),
    "Success Requests": ("requests.succeeded", "near", "requests", 1.0),
    "Failed Requests": ("requests.failed", "near", "requests", 1.0),
}


def matches(document: Document) -> bool:
    return document.is_sqlite


def read(document: Document) -> list[ImportedRun]:
    """The run of one database.

    Raises:
        ImportFailed: it is another one, or damaged.
    """
    path = document.path
    asked, said = (
        known_beside(document, "benchmark_args.json"),
        known_beside(document, "benchmark_summary.json"),
    )
    run = ImportedRun(
        tool=TOOL, file=path.name, label=text(path.parent.name, 60), model=text(asked.get("model"))
    )
    run.target = text(asked.get("url"), 300)
    rate = number(asked.get("rate")) or number(said.get("Request Rate (req/s)"))
    slots = whole(said.get("Concurrency")) or 1
    run.load = (
        LoadConfig(rate_rps=rate) if rate is not None and rate > 0 else LoadConfig(concurrency=max(slots, 1))
    )
    empty = 0
    for row in _rows(path):
        request = _request(row)
        if request is not None:
            empty += request.error is not None and request.error.kind == "no_tokens"
            run.requests.append(request)
    if not run.requests:
        raise ImportFailed(f"{name_of(path)}: there is no request in it; {NEED}")
    for name, (ours, how, unit, factor) in _FIGURES.items():
        value = number(said.get(name))
        if value is not None:
            run.figures.append(ToolFigure(name, value * factor, unit, ours, how))
    if empty:
        run.notes.append(
            f"{empty} answers without a token, which the tool counts as successes of 0 ms, are failures "
            "here: its means are too low"
        )
    run.notes.append(
        "its percentiles are values that occurred (nearest rank), rounded; a clock without a date"
    )
    return [settle(run, min(one.due_ns for one in run.requests))]


def _rows(path: Path) -> Iterator[tuple[Any, ...]]:
    """Read only, and nothing but numbers and short texts; what a database may hold beside is not run.

    Raises:
        ImportFailed: it is another one, or damaged, or gives more than its file holds.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    given = 0
    try:
        database = sqlite3.connect(uri, uri=True)
        try:
            if sys.version_info >= (3, 11):  # before, it is SQLite's own gigabyte
                database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_TEXT)
            kind = database.execute("SELECT type FROM sqlite_master WHERE name = 'result'").fetchone()
            columns = database.execute("PRAGMA table_xinfo(result)").fetchall()
            # A view, or a column that is computed (`hidden`), could compute for ever.
            if kind != ("table",) or any(column[6] for column in columns):
                raise ImportFailed(f"{name_of(path)}: no database of {TOOL} (no plain table result); {NEED}")
            for row in database.execute(f"SELECT {_COLUMNS} FROM result LIMIT {_MOST_ROWS}"):
                # Rows of a forged file can share their pages, and be more together than it is long.
                given += sum(len(value) for value in row if isinstance(value, str | bytes))
                if given > MOST_BYTES:
                    raise ImportFailed(f"{name_of(path)}: more than {MOST_BYTES >> 20} MiB of text; {NEED}")
                yield row
        finally:
            database.close()
    except (sqlite3.Error, UnicodeDecodeError, MemoryError) as error:
        # The second: SQLite said words of the file. The third is how it refuses a length that no memory has.
        said = printable(str(error), 200) or "it is damaged"
        raise ImportFailed(f"{name_of(path)}: no database of {TOOL}: {said}; {NEED}") from None


def _request(row: tuple[Any, ...]) -> Request | None:
    start, end, success, latency, ttft, gaps_text, given, output = row
    sent_ns = nanoseconds(number(start))
    if sent_ns is None:
        return None
    end_ns = nanoseconds(number(end))
    request = Request(
        index=0, worker=0, due_ns=sent_ns, sent_ns=sent_ns, end_ns=max(end_ns or sent_ns, sent_ns)
    )
    request.input_tokens, request.output_tokens = whole(given), whole(output)
    try:
        gaps = numbers(json.loads(gaps_text)) if isinstance(gaps_text, str) else []
    except (ValueError, RecursionError):
        gaps = []
    first_ns, took_ns = nanoseconds(number(ttft)), nanoseconds(number(latency))
    if first_ns is not None and first_ns > 0:
        request.first_token_ns = sent_ns + first_ns
        request.chunks, request.gaps_us = len(gaps) + 1, gaps_of(gaps)
        request.last_token_ns = sent_ns + max(took_ns or first_ns, first_ns)
        request.end_ns = max(request.end_ns, request.last_token_ns)
    if not success:
        request.error = RequestError("other", "evalscope does not keep why")
    elif not request.chunks and not request.output_tokens:
        request.error = RequestError("no_tokens")
    return request
