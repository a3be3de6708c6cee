"""What a run says, as one typed value: `ttftop summary --json` and a manifest's `[result]` are made from it.

Names and their order are a contract (docs/guide/commands.md). Names end in their unit: `_s` seconds, `_ms`
milliseconds, `_rps` requests per second, `_tps` tokens per second, `_pct` 0 to 100, `_share` 0 to 1. None is
what was not measured, and null in JSON; a field that has a default is left out there while it holds it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sessions.bottleneck.client_headroom import ClientHeadroom
from sessions.bottleneck.history import LimitSpan
from sessions.plan.config import LoadConfig, WorkloadConfig
from sessions.summary.plan_schema import Plan, Window
from sessions.summary.telemetry_schema import Cost, EnergyUse, Gpu, Host, Server, TelemetrySource


class End(msgspec.Struct, frozen=True):
    """How the run ended."""

    reason: str | None
    """A key of `sessions.store.manifest.END_REASONS`; None while it goes on."""
    message: str
    """The same as a sentence."""


class Mark(msgspec.Struct, frozen=True):
    """Set by a person."""

    at_s: float
    """Since load began."""
    text: str


class RequestCounts(msgspec.Struct, frozen=True):
    """`due` is `sent` + `not_sent`; of a run that ended, `sent` is `succeeded` + `failed`. Without probes."""

    due: int
    sent: int
    succeeded: int
    failed: int
    not_sent: int


class Rate(msgspec.Struct, frozen=True):
    """Over the time of the load, without the drain."""

    offered_rps: float | None
    """What was due; None in a closed loop, which offers no rate."""
    achieved_rps: float | None
    """What was sent."""


class Throughput(msgspec.Struct, frozen=True):
    """Up to the last answer."""

    request_rps: float | None
    """Requests that succeeded."""
    output_tps: float | None
    total_tps: float | None
    """Input and output tokens; None where nobody said how long the input was."""


class Tokens(msgspec.Struct, frozen=True):
    """Tokens of the requests that succeeded, all together."""

    input: int | None
    cached: int | None
    """Those of `input` that the server had in its cache; None where it does not say."""
    output: int
    source: str | None
    """Where `output` comes from: `usage`, `chunk_counts`, `chunks` (an estimate), or `mixed`."""


class ExactQuantiles(msgspec.Struct, frozen=True):
    """One metric over a run, in ms, of every single value. None throughout where there was none."""

    count: int
    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    min: float | None
    max: float | None
    thin: list[str]
    """Percentiles that rest on fewer samples than `sessions.metrics.THIN_FLOORS` asks for."""
    p90_upper_99: float | None = None
    """What the true p90 is at most, with 99 % confidence; None for those in `thin`, and of tokens, which are
    not independent of each other."""
    p95_upper_99: float | None = None
    p99_upper_99: float | None = None


class ItlQuantiles(ExactQuantiles, frozen=True, kw_only=True):
    """ITL, which not every request has."""

    unknown: int
    """Requests that succeeded of which nobody said how many tokens each chunk bore."""


class Probe(msgspec.Struct, frozen=True):
    """What was asked of the server before the load."""

    requests: int | None


class Stage(msgspec.Struct, frozen=True):
    """A stretch of constant load of a second or more, or a piece of a ramp."""

    from_s: float
    to_s: float
    offered_rps: float | None
    """Mean; 0 while held, None in a closed loop."""
    concurrency: float | None
    """Mean; 0 while held, None in an open loop."""
    achieved_rps: float
    """What was sent."""
    output_tps: float
    count: int
    """Requests due in it that succeeded: what its TTFT rests on."""
    ttft_p50_ms: float | None
    """From due, exact, by when a request was due."""
    ttft_p99_ms: float | None
    chunk_gap_p50_ms: float | None
    """From sketches (1 %), by when a token came, as ITL."""
    chunk_gap_p99_ms: float | None
    itl_p50_ms: float | None
    """None where nobody counted the tokens of a chunk."""
    itl_p99_ms: float | None
    joules: float | None
    mean_w: float | None
    j_per_output_token: float | None
    output_tps_per_w: float | None
    cost_per_million_output_tokens: float | None
    window: Window | None = None
    """None for a piece of a ramp."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run, or one that still goes on as it stands."""

    id: str
    name: str
    target: str
    """URL without credentials."""
    model: str
    endpoint: str
    started_at: str
    """RFC 3339 with zone."""
    simulated: bool
    """The server or its GPUs were made up."""
    valid: bool
    """Its figures may be relied on."""
    reasons: list[str]
    """Why not; empty when it is valid."""
    end: End
    load_s: float
    """How long load was put on."""
    duration_s: float
    """From the beginning of the load to the last answer, or the end of the load if that is later."""
    load: LoadConfig
    """As it was asked for."""
    load_changes: int
    """How often a person changed it after that."""
    workload: WorkloadConfig
    marks: list[Mark]
    requests: RequestCounts
    errors: dict[str, int]
    """By kind (`loadgen.errors.ERROR_KINDS`), most frequent first."""
    rate: Rate
    throughput: Throughput
    tokens: Tokens
    tokens_per_chunk: float | None
    """Over the requests whose tokens the server told."""
    ttft_from_due_ms: ExactQuantiles
    ttft_from_sent_ms: ExactQuantiles
    chunk_gap_ms: ExactQuantiles
    itl_ms: ItlQuantiles
    tpot_ms: ExactQuantiles
    e2e_ms: ExactQuantiles
    send_lag_ms: ExactQuantiles
    ttft_of_failed_ms: ExactQuantiles
    """From due, of requests that failed after their first token; in none of the others."""
    stale_retries: int
    """Requests sent a second time because a kept-alive connection had died unread."""
    probe: Probe
    gpus: list[Gpu]
    energy: EnergyUse
    cost: Cost | None
    """None without a table of prices."""
    server: Server | None
    """None where it said nothing."""
    hosts: list[Host]
    telemetry: list[TelemetrySource]
    limits: list[LimitSpan]
    """What bound when."""
    stages: list[Stage] = msgspec.field(name="steps")
    """The run cut where its load changed."""
    client: ClientHeadroom
    """The load generator itself."""
    notes: list[str]
    """What is to be known of the session's files: lines that were damaged or cut off."""
    plan: Plan | None = None
    """None where there was none."""


def plain(summary: Summary) -> dict[str, Any]:
    """`summary` as dictionaries, lists and plain values, in the order and under the names of JSON.

    Load and workload are spelled out, those fields too that hold their default.
    """
    made: dict[str, Any] = msgspec.to_builtins(summary)
    return {**made, "load": _spelled_out(summary.load), "workload": _spelled_out(summary.workload)}


def _spelled_out(asked: msgspec.Struct) -> dict[str, Any]:
    fields = msgspec.structs.asdict(asked).items()
    return {
        name: _spelled_out(value) if isinstance(value, msgspec.Struct) else value for name, value in fields
    }
