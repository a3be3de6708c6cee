"""What a load worker is told: one `WorkerConfig` when it starts, then commands. Values only."""

from __future__ import annotations

from typing import Literal

import msgspec

Shape = Literal["constant", "linear", "exp"]


class Segment(msgspec.Struct, frozen=True, omit_defaults=True):
    """One piece of a rate curve. `end_ns` None means for ever, and needs shape `constant`."""

    start_ns: int
    end_ns: int | None
    from_rps: float
    to_rps: float
    shape: Shape = "constant"


class Address(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where to connect. `server_name` is what TLS verifies and what `Host` says."""

    host: str
    port: int
    tls: bool = False
    server_name: str = ""
    unix_path: str | None = None
    ca_file: str | None = None
    insecure: bool = False
    tunnel: str | None = None
    """`host:port` to which the HTTP proxy at `host` is first asked for a tunnel (CONNECT)."""


class RequestTemplate(msgspec.Struct, frozen=True, omit_defaults=True):
    """All of a request that is the same each time. `headers` may hold a key: never logged, never stored."""

    path: str
    headers: list[tuple[str, str]]
    endpoint: Literal["completions", "chat"]
    fields: dict[str, object]
    """Body fields that are the same each time: model, stream, stream_options, ignore_eos, ..."""
    max_tokens_field: str = "max_tokens"

    def __repr__(self) -> str:
        return f"RequestTemplate({self.path!r})"


class PromptPlan(msgspec.Struct, frozen=True, omit_defaults=True):
    """How to make a random prompt of exact length without a tokenizer (see `loadgen.workload.synthetic`)."""

    form: Literal["ids", "text"]
    tokens: int
    vocab_low: int = 1000
    vocab_high: int = 20000
    """For `ids`: token ids are drawn from `[vocab_low, vocab_high)`."""
    words: list[str] = msgspec.field(default_factory=list)
    """For `text`: words that were each seen to add exactly one token."""
    overhead_tokens: int = 0
    """For `text`: tokens the template adds around the words."""


class OpenLoad(msgspec.Struct, frozen=True, tag="open", omit_defaults=True):
    """Arrivals that do not wait for the server."""

    arrivals: Literal["constant", "poisson"]
    curve: list[Segment]


class ClosedLoad(msgspec.Struct, frozen=True, tag="closed", omit_defaults=True):
    """A number of slots, each sending its next request when the last one ended."""

    concurrency: int


class Deadlines(msgspec.Struct, frozen=True, omit_defaults=True):
    """Seconds a request may take; each a kind of failure of its own."""

    connect_s: float = 10.0
    headers_s: float = 120.0
    first_token_s: float = 120.0
    gap_s: float = 60.0
    total_s: float = 600.0


class WorkerConfig(msgspec.Struct, frozen=True, tag="plan", tag_field="cmd", omit_defaults=True):
    """Everything one worker needs. It must not matter to it which process or machine it runs on."""

    worker: int
    workers: int
    origin_ns: int
    """`time.monotonic_ns()` of the session's origin; all other times count from it."""
    address: Address
    template: RequestTemplate
    prompt: PromptPlan
    output_tokens: int
    load: OpenLoad | ClosedLoad
    start_ns: int
    """Session time at which load begins."""
    end_ns: int | None = None
    """Session time after which nothing more is due; None for an open end."""
    requests: int | None = None
    """Requests after which nothing more is due, over all workers; None for no limit."""
    max_in_flight: int = 4096
    """Over all workers."""
    seed: int = 0
    deadlines: Deadlines = Deadlines()
    chunk_counts: bool = False
    """The server says how many tokens each chunk bears (`continuous_usage_stats` or `token_ids`)."""
    one_token_chunks: bool = True
    """Probes saw one token a chunk, so a chunk gap may be shown live as ITL until usage says otherwise."""


class SetCurve(msgspec.Struct, frozen=True, tag="curve", tag_field="cmd"):
    """From `at_ns` on the offered rate follows `curve` (open loop)."""

    at_ns: int
    curve: list[Segment]
    drop_backlog: bool = False
    """Stop now: what is due and not sent counts as not sent."""


class SetConcurrency(msgspec.Struct, frozen=True, tag="concurrency", tag_field="cmd"):
    """From `at_ns` on this many slots, over all workers (closed loop). 0 sends nothing more."""

    at_ns: int
    concurrency: int


class Finish(msgspec.Struct, frozen=True, tag="finish", tag_field="cmd"):
    """Nothing more is due; wait up to `drain_s` for what is in flight, then end."""

    drain_s: float


WorkerCommand = SetCurve | SetConcurrency | Finish
