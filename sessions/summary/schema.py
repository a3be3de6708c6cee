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
from sessions.store.imported import ImportedInfo
from sessions.summary.plan_schema import Plan, Window
from sessions.summary.prompt_schema import AskedAndGot, PrefixCache
from sessions.summary.quantile_schema import ExactQuantiles, ItlQuantiles, Streamed
from sessions.summary.slo_schema import Slo
from sessions.summary.target_schema import OfTarget
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
    """`due` is `sent` + `not_sent`; of an ended run, `sent` is `succeeded` + `failed` + `cut_off`."""

    due: int
    sent: int
    succeeded: int
    failed: int
    not_sent: int
    cut_off: int = 0
    """Given up because the run ended first, or in flight when it was killed: no failure of the server's."""


class Cause(msgspec.Struct, frozen=True):
    """Why requests failed: one kind of error."""

    kind: str
    count: int
    share: float
    """Of all that failed."""
    text: str
    """What was said of most of them, in the server's words where it said it; empty where nothing was."""
    text_count: int
    """Of how many."""
    words: str
    """Both in a sentence."""


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
    """None where answers have no tokens (embeddings)."""
    total_tps: float | None
    """Input and output tokens; None unless it is known of every request how long its input was."""
    input_tps: float | None = None
    """None unless it is known of every request how long its input was."""


class Tokens(msgspec.Struct, frozen=True):
    """Tokens of the requests that succeeded, all together."""

    input: int | None
    cached: int | None
    """Those of `input` that the server had in its cache; None where it does not say."""
    output: int
    source: str | None
    """Where `output` comes from: `usage`, `chunk_counts`, `chunks` (an estimate), or `mixed`."""
    hidden: int = 0
    """Those of `output` that the server counted and did not show (reasoning, end tokens), as far as known."""
    hidden_unknown: int = 0
    """Requests with more tokens than what was shown can bear, and nobody said how many: they have no TPOT."""
    input_unknown: int = 0
    """Requests whose input nobody counted: `input` is that of the others, and there is no rate of it."""
    estimated: int = 0
    """Those of `output` that were counted by chunks, each taken for one token."""


class Tagged(msgspec.Struct, frozen=True):
    """The requests of one tag. Tokens and latencies are of those that succeeded; None where nobody said."""

    tag: str
    requests: int
    """That ended, well or not."""
    succeeded: int
    failed: int
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    ttft_from_due_ms: ExactQuantiles
    tpot_ms: ExactQuantiles
    e2e_ms: ExactQuantiles
    cut_off: int = 0
    """By the end of the run: neither succeeded nor failed."""


class Probe(msgspec.Struct, frozen=True):
    """What was asked of the server before the load, and where that made the load go."""

    requests: int | None
    addresses: list[str] = []
    """The IP addresses, of the server or its proxy, to which requests went in turn; none where that was not
    kept."""
    addresses_left_out: list[str] = []
    """Those of its name that did not answer."""


class Turn(msgspec.Struct, frozen=True):
    """One turn of all conversations: requests that succeeded."""

    turn: int
    """From 1."""
    count: int
    input_tokens_mean: float | None
    """With the history; None where the server does not count."""
    cached_tokens_mean: float | None
    ttft_p50_ms: float | None
    """From due, exact."""
    ttft_p95_ms: float | None
    ttft_p99_ms: float | None


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
    output_tps: float | None
    """None where answers have no tokens (embeddings)."""
    count: int
    """Requests due in it that succeeded: what its TTFT rests on."""
    ttft_p50_ms: float | None
    """From due, exact, by when a request was due."""
    ttft_p95_ms: float | None
    ttft_p99_ms: float | None
    chunk_gap_p50_ms: float | None
    """From sketches (1 %), by when a token came, as ITL."""
    chunk_gap_p95_ms: float | None
    chunk_gap_p99_ms: float | None
    itl_p50_ms: float | None
    """None where nobody counted the tokens of a chunk."""
    itl_p95_ms: float | None
    itl_p99_ms: float | None
    joules: float | None
    mean_w: float | None
    j_per_output_token: float | None
    output_tps_per_w: float | None
    cost_per_million_output_tokens: float | None
    window: Window | None = None
    """None for a piece of a ramp."""


class LoadNode(msgspec.Struct, frozen=True):
    """A machine from which load workers sent."""

    name: str
    host: str
    """Its own name of itself."""
    workers: int
    clock_within_ms: float | None
    """Its clock was known within so much, at worst."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run, or one that still goes on as it stands."""

    id: str
    name: str
    note: str = ""
    """What a person wrote of it afterwards."""
    target: str
    """URL without credentials."""
    model: str
    endpoint: str
    tls_verified: bool | None = None
    """False where a person asked for no look at the server's certificate; None without TLS."""
    started_at: str
    """RFC 3339 with zone."""
    simulated: bool
    """The server or its GPUs were made up."""
    imported: ImportedInfo | None = None
    """Another tool measured it; None where ttftop did."""
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
    """With a word in place of a length that no request had (`sessions.summary.asked`)."""
    marks: list[Mark]
    requests: RequestCounts
    errors: dict[str, int]
    """By kind (`loadgen.errors.ERROR_KINDS`), most frequent first."""
    causes: list[Cause] = []
    """Why requests failed, the most frequent kind first."""
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
    ttft_of_cut_off_ms: ExactQuantiles | None = None
    """Likewise of those that the end of the run cut off; None where that was not told apart."""
    streamed: Streamed | None = None
    """The same as screens show it, which know of no request's end beforehand."""
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
    turns: list[Turn] = []
    """Of conversations; none where each request stood alone."""
    client: ClientHeadroom
    """The load generator itself."""
    notes: list[str]
    """What is to be known of the session's files: lines that were damaged or cut off."""
    plan: Plan | None = None
    """None where there was none."""
    lengths: AskedAndGot | None = None
    """In tokens."""
    by_tag: list[Tagged] = []
    """A row for each tag, by name; none where no request has one."""
    by_target: list[OfTarget] = []
    """A row for each of several servers, by number; none where there was one."""
    prefix_cache: PrefixCache | None = None
    """None where no two prompts were made to begin alike."""
    slo: Slo | None = None
    """None where no target was given."""
    nodes: list[LoadNode] = []
    """Where the load came from; none where all of it came from the machine that has the session."""

    @property
    def holds(self) -> bool:
        """Valid, and no target was missed: what exit code 0 says. An undecided target is no miss."""
        return self.valid and (self.slo is None or self.slo.verdict != "fail")

    @property
    def has_tokens(self) -> bool:
        """Answers are tokens, one after the other: without, there is no TTFT, no ITL and no TPOT."""
        return self.endpoint != "embeddings"

    @property
    def badges(self) -> list[str]:
        """What stands beside its figures wherever they go: nobody here measured them on a real server."""
        return ["SIMULATED"] * self.simulated + ["IMPORTED"] * (self.imported is not None)


def plain(summary: Summary) -> dict[str, Any]:
    """`summary` as dictionaries, lists and plain values, in the order and under the names of JSON.

    Load and workload are spelled out, those fields too that hold their default.
    """
    made: dict[str, Any] = msgspec.to_builtins(summary)
    return {**made, "load": _spelled_out(summary.load), "workload": _spelled_out(summary.workload)}


def _spelled_out(asked: msgspec.Struct) -> dict[str, Any]:
    fields = msgspec.structs.asdict(asked).items()
    return {
        name: _spelled_out(value) if isinstance(value, msgspec.Struct) else msgspec.to_builtins(value)
        for name, value in fields
    }
