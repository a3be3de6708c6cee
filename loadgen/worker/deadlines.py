"""How long a request may take: which of its deadlines has passed."""

from __future__ import annotations

from loadgen.records import Request
from loadgen.worker_config import Deadlines

COMMENTS_FOR_GAPS = 10
"""A stream that brings comments alone, which prove that somebody lives, is given up after so many gaps."""


def passed_deadline(
    record: Request, heard_ns: int, now_ns: int, deadlines: Deadlines
) -> tuple[str, str] | None:
    """The deadline that has passed: its error kind, and its length in words with the option that makes it
    longer. None while all is well.

    `heard_ns`: when the server last sent a line, be it a comment; 0 before that.
    """
    if record.sent_ns is None:
        return None
    waited_s = (now_ns - record.sent_ns) / 1e9
    if deadlines.total_s is not None and waited_s > deadlines.total_s:
        return _passed("total", deadlines.total_s)
    if record.headers_ns is None:
        return _passed("headers", deadlines.headers_s) if waited_s > deadlines.headers_s else None
    if record.last_token_ns is None:
        late = waited_s > deadlines.first_token_s
        return _passed("first-token", deadlines.first_token_s) if late else None
    if (now_ns - max(heard_ns, record.last_token_ns)) / 1e9 > deadlines.gap_s:
        return _passed("gap", deadlines.gap_s)
    most_s = COMMENTS_FOR_GAPS * deadlines.gap_s
    if (now_ns - record.last_token_ns) / 1e9 > most_s:
        return _passed(
            "gap", deadlines.gap_s, f"no token for {most_s:g} s, only comments: {COMMENTS_FOR_GAPS} times "
        )
    return None


def _passed(name: str, seconds: float, before: str = "") -> tuple[str, str]:
    kind = name.replace("-", "_") + "_timeout"
    return kind, f"{before}{seconds:g} s; --timeout {name}=TIME allows more"


def left_open(over_ns: int, done: bool, now_ns: int, deadlines: Deadlines) -> bool:
    """The stream of an answer that is over since `over_ns` ends no more. `done`: `[DONE]` came."""
    return now_ns - over_ns > (deadlines.after_done_s if done else deadlines.after_finish_s) * 1e9
