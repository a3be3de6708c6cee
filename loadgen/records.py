"""The three records a load worker emits: a tick every 250 ms, one per request that ended, a rare note.

Times (`*_ns`) are integer nanoseconds on the monotonic clock since the session's origin. A sketch is
a flat list `[bucket, count, bucket, count, ...]` in the buckets of `loadgen.sketch`.
"""

from __future__ import annotations

import msgspec

TICK_NS = 250_000_000
"""Length of a tick. Ticks close at whole multiples of it since the session's origin, in every worker."""

Sketch = list[int]


class FailureCause(msgspec.Struct, omit_defaults=True):
    """Failures of one kind of which the same was said."""

    kind: str
    """One of `loadgen.errors.ERROR_KINDS`."""
    count: int
    text: str = ""
    """What was said of them, as `loadgen.errors.gist` gives it; empty where nothing was, or too much."""


class TargetTick(msgspec.Struct, omit_defaults=True):
    """What one of several targets had of a tick: these are in the tick's own figures, too."""

    target: int
    """Its number, from 0."""
    due: int = 0
    sent: int = 0
    succeeded: int = 0
    failed: int = 0
    not_sent: int = 0
    cut_off: int = 0
    output_tokens: int = 0
    in_flight: int = 0
    errors: dict[str, int] = msgspec.field(default_factory=dict)
    ttft_from_due: Sketch = msgspec.field(default_factory=list)
    itl: Sketch = msgspec.field(default_factory=list)
    chunk_gap: Sketch = msgspec.field(default_factory=list)
    """Only where `itl` is empty."""
    e2e: Sketch = msgspec.field(default_factory=list)


class Tick(msgspec.Struct, tag="tick", tag_field="kind", omit_defaults=True):
    """What one worker gained since its last tick (counts and sketches) and where it stands (gauges)."""

    t_ns: int
    """End of the tick: a multiple of `TICK_NS`, except for a worker's last, partial one."""
    dt_ns: int
    worker: int
    due: int = 0
    sent: int = 0
    succeeded: int = 0
    failed: int = 0
    not_sent: int = 0
    """Given up before any byte was sent: backlog left at the end or dropped by `stop`, or due while the
    client backs off from a server that cannot be reached."""
    cut_off: int = 0
    """Sent, and given up by us because the run ended: in none of `succeeded` and `failed`."""
    stale_retries: int = 0
    """Requests sent a second time because a kept-alive connection had died with no response byte."""
    connects: int = 0
    chunks: int = 0
    """Token-bearing events received."""
    output_tokens: int = 0
    """Tokens received, as known live: per-chunk counts where the server gives them, else chunks."""
    input_tokens: int = 0
    """Of the prompts of requests that succeeded, as the server counted them."""
    errors: dict[str, int] = msgspec.field(default_factory=dict)
    causes: list[FailureCause] = msgspec.field(default_factory=list)
    """The same failures, by kind and by what was said of them; empty in sessions from before it was kept."""
    in_flight: int = 0
    backlog: int = 0
    """Due but not sent yet, because of the cap on requests in flight."""
    rate_rps: float | None = None
    """Offered by the arrival curve at `t_ns`, all workers together; None in a closed loop."""
    concurrency: int | None = None
    """Slots of a closed loop, all workers together; None in an open loop."""
    ttft_from_due: Sketch = msgspec.field(default_factory=list)
    ttft_from_sent: Sketch = msgspec.field(default_factory=list)
    itl: Sketch = msgspec.field(default_factory=list)
    """Per token. Empty where the server puts several tokens in a chunk and does not say how many."""
    itl_unknown: int = 0
    """How many of `succeeded` ended without anybody knowing how many tokens each of their chunks bore."""
    chunk_gap: Sketch = msgspec.field(default_factory=list)
    e2e: Sketch = msgspec.field(default_factory=list)
    send_lag: Sketch = msgspec.field(default_factory=list)
    """First byte written minus due, of requests that did not wait for the cap."""
    loop_lag_max_ns: int = 0
    """The latest that a timer of the worker's loop fired in this tick."""
    cpu_ns: int = 0
    """CPU time the worker's process used in this tick."""
    reads: int = 0
    """Socket reads that carried at least one token."""
    coalesced_reads: int = 0
    """How many of `reads` had several token-bearing events: all but the last have lost their own time."""
    kernel_reads: int = 0
    """How many of `reads` were stamped by the kernel (`SO_TIMESTAMPNS`) rather than by us."""
    targets: list[TargetTick] = msgspec.field(default_factory=list)
    """What each of several targets had of it, all of them, by number; empty where there is one."""


class RequestError(msgspec.Struct, omit_defaults=True):
    """Why a request failed. `message` is safe to print: control characters are gone, at most 200 long."""

    kind: str
    """One of `loadgen.errors.ERROR_KINDS`."""
    message: str = ""


class Request(msgspec.Struct, tag="request", tag_field="kind", omit_defaults=True):
    """One request that ended, well or not. Exact figures are computed from these."""

    index: int
    """Its number in the arrival process, counted over all workers."""
    worker: int
    due_ns: int
    sent_ns: int | None = None
    """First byte handed to the socket; None when no connection could be made."""
    headers_ns: int | None = None
    first_event_ns: int | None = None
    """First SSE event of any kind (a role-only chunk, say)."""
    first_token_ns: int | None = None
    first_answer_token_ns: int | None = None
    """First token that is not reasoning; None where equal to `first_token_ns`."""
    last_token_ns: int | None = None
    end_ns: int = 0
    connect_ns: int | None = None
    """How long opening the connection took; None when one was reused."""
    stale_retries: int = 0
    status: int | None = None
    finish_reason: str | None = None
    error: RequestError | None = None
    input_tokens: int | None = None
    """The server's `usage.prompt_tokens`; None when it gave none."""
    cached_tokens: int | None = None
    output_tokens: int | None = None
    hidden_tokens: int | None = 0
    """Those of `output_tokens` that were counted and not shown (`loadgen.worker.token_count`): reasoning, an
    end token. None: some were, and nobody said how many."""
    token_source: str = "usage"
    """Where `output_tokens` came from: `usage`, `chunk_counts` or `chunks` (an estimate)."""
    chunks: int = 0
    """Token-bearing events."""
    gaps_us: list[int] = msgspec.field(default_factory=list)
    """Between successive token-bearing events, microseconds; length `chunks - 1`."""
    gaps: str = ""
    """The same, packed: on disk only, in place of `gaps_us` (docs/format/session.md)."""
    chunk_tokens: list[int] = msgspec.field(default_factory=list)
    """Tokens in each token-bearing event; empty when each bore one, or when the server does not say."""
    asked_input_tokens: int | None = None
    """Tokens that its prompt should count; None where its text came from a file, which nobody counted, and in
    a session recorded before this was kept."""
    asked_output_tokens: int | None = None
    """Tokens that it asked for at the most; None in a session recorded before this was kept."""
    conversation: int | None = None
    """Number of the conversation that it belongs to; None: it stands alone."""
    turn: int | None = None
    """Its place in the conversation, from 0; None where there is no conversation."""
    tags: tuple[str, ...] = ()
    """Words by which its workload tells requests apart."""
    prefix_group: int | None = None
    """Number of the group whose prefix its prompt began with; None: it began like no other."""
    prefix_tokens: int | None = None
    """So many tokens were that prefix."""
    prompt_number: int | None = None
    """Number of its prompt among those that come again, as in a file; None: it comes once."""
    target: int | None = None
    """Number of the target it went to, from 0; None where there is one."""
    flags: list[str] = msgspec.field(default_factory=list)
    """Oddities that are no failure: `bad_utf8`, `bad_json`, `no_done`, `usage_mismatch`, ..."""


class WorkerNote(msgspec.Struct, tag="worker_note", tag_field="kind", omit_defaults=True):
    """Something rare a worker wants known: that it backs off, that its supervisor is gone, its end."""

    t_ns: int
    worker: int
    event: str
    """`started`, `backing_off`, `reachable_again`, `address_lost`, `address_back`, `no_reuse`, `left_open`,
    `ended`, `host_lost`, `clock`, `clock_stepped`."""
    message: str = ""
    target: int | None = None
    """Number of the target that it is about; None where there is one, or it is about none."""
    clock_error_ns: int | None = None
    """With `clock`: how far off a time may be that was translated from the kernel's clock."""
