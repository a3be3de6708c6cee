"""A session's requests as CSV, a row each, or as JSON lines with all their gaps."""

from __future__ import annotations

import csv
import io

import msgspec

from loadgen.records import Request
from sessions.interchange.stored_run import StoredRun, milliseconds

COLUMNS = (
    *("index", "worker", "due_s", "sent_s", "end_s", "send_lag_ms", "ttft_from_due_ms", "ttft_from_sent_ms"),
    *("tpot_ms", "e2e_ms", "input_tokens", "output_tokens", "chunks", "status", "error", "message"),
    *("tags", "badges"),
)


def csv_rows(run: StoredRun) -> dict[str, bytes]:
    """One file; an empty cell is what was not measured."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    badges = " ".join(run.summary.badges)
    table.writerows([*_row(one), badges] for one in run.requests)
    return {"": text.getvalue().encode()}


def _row(one: Request) -> list[object]:
    after = (one.output_tokens or 0) - (one.hidden_tokens or 0) - 1
    span = milliseconds(one.last_token_ns, one.first_token_ns)
    tpot = span / after if span is not None and after > 0 and one.chunks > 1 else None
    return [
        *(one.index, one.worker, one.due_ns / 1e9, (one.sent_ns or 0) / 1e9, one.end_ns / 1e9),
        milliseconds(one.sent_ns, one.due_ns),
        milliseconds(one.first_token_ns, one.due_ns),
        milliseconds(one.first_token_ns, one.sent_ns),
        tpot if one.hidden_tokens is not None else None,
        milliseconds(one.last_token_ns if one.last_token_ns is not None else one.end_ns, one.due_ns),
        *(one.input_tokens, one.output_tokens, one.chunks, one.status),
        *(("", "") if one.error is None else (one.error.kind, plain_cell(one.error.message))),
        plain_cell(" ".join(one.tags)),
    ]


def plain_cell(text: str) -> str:
    """`text` so that no spreadsheet takes a server's words for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def json_lines(run: StoredRun) -> dict[str, bytes]:
    """One file: a request a line, as docs/format/session.md has them, gaps as numbers of microseconds."""
    return {"": b"".join(msgspec.json.encode(one) + b"\n" for one in run.requests)}
