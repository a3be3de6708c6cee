"""A run of another tool as it was found in its files, before it is a session."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal

import msgspec

from loadgen.errors import ERROR_KINDS, http_kind, printable
from loadgen.records import Request, RequestError
from sessions.plan.config import LoadConfig
from sessions.store.imported import ToolFigure

NO_CHUNK_TIMES = "no_chunk_times"
"""Flag of a request of which first and last token are known, and none between."""
_STATUS_OF_REASON = {status.phrase: status.value for status in HTTPStatus}


Arrivals = Literal["constant", "poisson", "gamma"]


@dataclass
class ImportedRun:
    tool: str
    file: str
    """Its name, without the way to it."""
    version: str = ""
    label: str = ""
    """What tells it from others of the same file; empty where it is alone."""
    simulated: bool = False
    """It was a simulated run of ours, exported in the tool's shape."""
    model: str = ""
    target: str = ""
    """URL of the server; empty where the tool does not say."""
    endpoint: str = ""
    load: LoadConfig = field(default_factory=LoadConfig)
    started_unix_ns: int | None = None
    """Of time 0; None where the files hold no wall clock."""
    ended_local: str = ""
    """`YYYYmmdd-HHMMSS` of the tool's machine, whose zone is not told; empty where it is not."""
    span_ns: int = 0
    """How long the tool says it took, from time 0."""
    load_over_ns: int | None = None
    """When nothing more was due; None: at the end of the span."""
    requests: list[Request] = field(default_factory=list)
    """With times since time 0. Empty where the files hold no times: then there is only the tool's summary."""
    telemetry: list[msgspec.Struct] = field(default_factory=list)
    succeeded: int | None = None
    """As the tool counts; of a run that has requests they are counted."""
    failed: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    figures: list[ToolFigure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def is_simulated(label: object) -> bool:
    """Whether a text of the file is the label that our export gave a simulated run."""
    return isinstance(label, str) and "SIMULATED" in label[:200].split()


def settle(run: ImportedRun, start_ns: int, end_ns: int | None = None) -> ImportedRun:
    """Moves all times so that `start_ns` is 0, or the first one that is earlier. The span ends with `end_ns`,
    or the last time that is later."""
    requests = run.requests
    start_ns = min([start_ns, *(min(one.due_ns, one.sent_ns or one.due_ns) for one in requests)])
    last_ns = max([end_ns or start_ns, *(one.end_ns for one in requests)])
    for index, one in enumerate(sorted(requests, key=lambda one: (one.due_ns, one.sent_ns or 0))):
        one.index = index
        for name in ("due_ns", "sent_ns", "headers_ns", "first_token_ns", "last_token_ns", "end_ns"):
            at_ns = getattr(one, name)
            if at_ns is not None:
                setattr(one, name, at_ns - start_ns)
    requests.sort(key=lambda one: one.index)
    run.span_ns = last_ns - start_ns
    if run.load_over_ns is not None:
        run.load_over_ns = min(max(run.load_over_ns - start_ns, 0), run.span_ns)
    return run


def gaps_of(seconds: list[float]) -> list[int]:
    """Microseconds, as a session keeps them."""
    return [max(round(gap * 1e6), 0) for gap in seconds if gap < 1e6]


def failure(said: str, got_tokens: bool, status: int | None = None) -> tuple[RequestError, int | None]:
    """Of what a tool wrote of a failed request: our kind of error, and its HTTP status if it had one."""
    words = " ".join((said.strip().splitlines() or [""])[-1].split())
    kind, _, rest = words.partition(":")
    kind = kind.rpartition(" ")[2]
    if kind == "other" or kind in ERROR_KINDS or re.fullmatch(r"http_[45]\d\d", kind):  # by our export
        status = int(kind[5:]) if kind.startswith("http_") else status
        kind = http_kind(status) if kind.startswith("http_") and status else kind
        return RequestError(kind, printable(rest.strip(), 200)), status
    status = status if status is not None and 400 <= status < 600 else _STATUS_OF_REASON.get(words)
    if status is None:
        digits = [word.strip("',:()") for word in words[:120].split()]
        status = next((int(d) for d in digits if d.isascii() and d.isdigit() and 400 <= int(d) < 600), None)
    low = said.lower()
    if status is not None and status >= 400:
        kind = http_kind(status)
    elif "refused" in low or "cannot connect" in low:
        kind, status = "connect_refused", None
    elif (
        "never received a valid chunk" in low
        or "unusable_backend_response" in low
        or "no responses with" in low
    ):
        kind = "no_tokens"
    elif "returned an error" in low:
        kind = "server_stream_error"
    elif any(word in low for word in ("payload", "incomplete", "disconnect", "peer closed", "reset by peer")):
        kind = "cut_mid_stream" if got_tokens else "bad_response"
    elif "timeout" in low:
        kind = "total_timeout"
    else:
        kind = "other"
    return RequestError(kind, printable(words, 200)), status
