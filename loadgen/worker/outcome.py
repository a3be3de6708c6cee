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
        if record.output_tokens:
            return RequestError("tokens_hidden", f"{record.output_tokens} tokens counted, none shown")
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
