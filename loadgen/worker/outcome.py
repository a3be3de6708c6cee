"""What became of a request whose response is complete.

Success is strict: HTTP 2xx, an event stream, at least one token, no error object, an accepted finish
reason, and an end that HTTP agrees with. Everything else is a failure with a kind of its own.
"""

from __future__ import annotations

from loadgen.endpoints import OK_FINISH
from loadgen.errors import http_kind, printable
from loadgen.records import Request, RequestError
from loadgen.worker.token_times import flag


def outcome_of(
    record: Request, event_stream: bool, body: bytes, done: bool, bears_tokens: bool = True
) -> RequestError | None:
    """Why this complete response is a failure; None for a success. Oddities are flagged.

    `body` is the beginning of what was no event stream; `done`: `[DONE]` came, or what stands for it;
    `bears_tokens`: of an answer that is tokens.
    """
    if not event_stream:
        kind = "not_sse" if record.status == 200 else http_kind(record.status or 0)
        return RequestError(kind, printable(body.decode("utf-8", "replace")))
    if not bears_tokens:
        return None if done else RequestError("truncated", "the answer is not whole")
    reason = record.finish_reason
    if record.chunks == 0:
        return RequestError("no_tokens")
    if reason is not None and reason not in OK_FINISH:
        flag(record, "unknown_finish_reason")
    if reason is None and not done:
        return RequestError("truncated", "no finish reason and no [DONE]")
    if not done:
        flag(record, "no_done")
    if reason is None:
        flag(record, "no_finish_reason")
    return None


def count_tokens(record: Request) -> None:
    """Decides how many output tokens there were, and notes who said so."""
    if record.output_tokens is not None:
        record.token_source = "usage"
    elif record.chunk_tokens:
        record.token_source, record.output_tokens = "chunk_counts", sum(record.chunk_tokens)
    else:
        record.token_source = "chunks"
        record.output_tokens = record.chunks or None
    if record.chunk_tokens and all(count == 1 for count in record.chunk_tokens):
        record.chunk_tokens = []
        if record.output_tokens != record.chunks:
            flag(record, "usage_mismatch")
    if record.first_answer_token_ns == record.first_token_ns:
        record.first_answer_token_ns = None


def knows_itl(record: Request) -> bool:
    """How many tokens each chunk bore is known, of a record whose tokens were counted; of no chunks, too."""
    if record.chunk_tokens or not record.chunks:
        return True
    return record.token_source != "chunks" and record.output_tokens == record.chunks
