"""How long a request may take: which of its deadlines has passed."""

from __future__ import annotations

from loadgen.records import Request
from loadgen.worker_config import Deadlines


def passed_deadline(record: Request, heard_ns: int, now_ns: int, deadlines: Deadlines) -> str | None:
    """The deadline that has passed, as an error kind; None while all is well.

    `heard_ns`: when the server last sent a line, be it a comment; 0 before that.
    """
    if record.sent_ns is None:
        return None
    waited_s = (now_ns - record.sent_ns) / 1e9
    if waited_s > deadlines.total_s:
        return "total_timeout"
    if record.headers_ns is None:
        return "headers_timeout" if waited_s > deadlines.headers_s else None
    if record.last_token_ns is None:
        return "first_token_timeout" if waited_s > deadlines.first_token_s else None
    silent_ns = now_ns - max(heard_ns, record.last_token_ns)
    return "gap_timeout" if silent_ns / 1e9 > deadlines.gap_s else None


def left_open(over_ns: int, done: bool, now_ns: int, deadlines: Deadlines) -> bool:
    """The stream of an answer that is over since `over_ns` ends no more. `done`: `[DONE]` came."""
    return now_ns - over_ns > (deadlines.after_done_s if done else deadlines.after_finish_s) * 1e9


def told(kind: str, deadlines: Deadlines) -> str:
    """What a person wants to know of a deadline that passed: how long it was, and what makes it longer."""
    seconds, option = {
        "headers_timeout": (deadlines.headers_s, "headers"),
        "first_token_timeout": (deadlines.first_token_s, "first-token"),
        "gap_timeout": (deadlines.gap_s, "gap"),
        "total_timeout": (deadlines.total_s, "total"),
    }[kind]
    return f"{seconds:g} s; --timeout {option}=TIME allows more"
