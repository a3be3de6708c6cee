"""What a run was asked to do. The command builds it, the supervisor obeys it, the manifest keeps it.

Values only; a wrong one raises `ConfigError` in `checked`, with one line a person can act on.
"""

from __future__ import annotations

import math
import os
from typing import Literal, NamedTuple

import msgspec

from loadgen.arrivals.load import ArrivalsName
from loadgen.workload.lengths import LengthError, parse_lengths
from loadgen.workload.prefixes import PrefixError
from sessions.plan.mix import MOST_PARTS, MixError, MixPart, check_part
from sessions.plan.node_words import NodeWordError, check_nodes
from sessions.plan.plan_table import Provider, Published
from sessions.plan.ramp import Ramp
from sessions.plan.stages import Stage, StageBefore
from sessions.plan.target_config import TargetConfig, TargetsError, check_targets
from sessions.plan.think_time import parse_think, parse_turns
from sessions.plan.trace_config import TraceConfig
from sessions.plan.workload_config import WorkloadConfig as WorkloadConfig
from sessions.plan.workload_config import stage_workload as stage_workload

WORKERS_PER_CORE = 4
"""More processes than this only take the cores from each other, and start for minutes."""


MOST_BYTES = 64 << 10
"""Of a whole configuration: a manifest of more than 256 KiB is never read again."""
TIMEOUTS = ("connect", "headers", "first-token", "gap", "total")
"""Deadlines of a request that a person may set: until it is connected, until headers, until the first token,
between two lines, altogether."""


DRAIN_S = 3600.0
"""How long answers are waited for at the end of a run. What sends nothing meets a deadline of its own long
before, so this bounds answers that go on and on."""


LEAST_BURSTINESS, MOST_BURSTINESS = 0.01, 1000.0
BURSTINESS_RANGE = f"a number from {LEAST_BURSTINESS:g} to {MOST_BURSTINESS:g}"


OnNodeLost = Literal["end", "go-on"]


class ConfigError(Exception):
    """Wrong usage or configuration: one line saying what was wrong, what was got, what is allowed."""


class LoadConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """`concurrency` set means a closed loop; else open loop at `rate_rps`, or along `ramp`."""

    rate_rps: float = 1.0
    arrivals: ArrivalsName = "poisson"
    ramp: Ramp | None = None
    concurrency: int | None = None
    max_in_flight: int = 4096
    max_rate_rps: float = 1000.0
    """Rates above are refused, from flags and keys alike: a typo should not become a flood."""
    duration_s: float | None = None
    requests: int | None = None
    seed: int = 0
    workers: int | Literal["auto"] = "auto"
    """Processes that send; `auto`: as many as the load and the cores need."""
    give_up: int = 100
    """A run whose first so many requests all fail ends, on a screen it stops sending; 0: never."""
    burstiness: float = 1.0
    """Of gamma arrivals, as vLLM's benchmark means it: 1 is Poisson, below it they come in bursts."""
    trace: TraceConfig | None = None
    """What the requests are taken from; `rate_rps` is then what it comes to on average."""

    @property
    def most_requests(self) -> int | None:
        """After which nothing more is due; None where only time or a person says so."""
        if self.trace is not None and self.trace.figures is not None:
            return self.trace.figures.requests
        return self.requests

    @property
    def highest_rps(self) -> float:
        """When the load is at its highest, as far as it was asked for; of an open loop."""
        if self.trace is not None and self.trace.figures is not None:
            return max(self.rate_rps, self.trace.figures.busiest_rps * self.trace.times_as_fast)
        return self.rate_rps if self.ramp is None else max(self.ramp.from_rps, self.ramp.to_rps)


class PlanConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """Stages that follow each other by themselves; `LoadConfig` says what they share."""

    name: str
    stages: list[Stage]
    title: str = ""
    source: str = ""
    """Where the published benchmark stands that it repeats; empty for one of a person's own."""
    scale: float = 1.0
    """Times and numbers of requests were multiplied by it."""
    first_stage: int = 0
    """The one that the run begins with, from 0."""
    resumes: str = ""
    """Id of the session that left it there; empty where it begins anew."""
    before: list[StageBefore] = msgspec.field(default_factory=list)
    """What stages before the first one came to there, of those that later ones look back at."""
    columns: list[str] = msgspec.field(default_factory=list)
    """Of the table of its stages; empty: the usual ones."""
    targets: list[str] = msgspec.field(default_factory=list)
    """What the figures of a stage are held against, such as `ttft.p99 < 2s`."""
    charts: list[str] = msgspec.field(default_factory=list)
    """`Y over X`, drawn of the stages' figures."""
    fits: list[str] = msgspec.field(default_factory=list)
    """`Y over X`: a line through those figures of the stages."""
    published: list[Published] = msgspec.field(default_factory=list)
    """Tables of others, to stand beside ours."""
    providers: list[Provider] = msgspec.field(default_factory=list)
    """What GPUs cost elsewhere: money per million tokens at what was measured."""
    currency: str = "$"
    presets: list[MixPart] = msgspec.field(default_factory=list)
    """What requests may ask for at the press of a key, beside `sessions.plan.mix.PRESETS`."""


class LimitConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """A search for the highest load that holds `RunConfig.slo`; its plan has no stages beforehand."""

    closed: bool = False
    """Of a concurrency, else of a rate."""
    first: float | None = None
    """Where it begins; None: as single requests say."""
    most: float | None = None
    """No step goes above it; None: `LoadConfig.max_rate_rps` or `max_in_flight`."""
    arrivals: ArrivalsName = "poisson"
    burstiness: float = 1.0
    """Of gamma arrivals."""
    before: list[str] = msgspec.field(default_factory=list)
    """What the steps of the session came to that it goes on with, as a `StageChange.result` each."""


class NodesConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """Load workers on other machines."""

    words: list[str] = msgspec.field(default_factory=list)
    """`ssh://[user@]host[:port]` or `local://[name]` each (`sessions.plan.node_words`); with `ray` nodes of
    the cluster by name, address or id, none: all of them."""
    on_lost: OnNodeLost = "end"
    """What becomes of the run when one is gone: it ends, or goes on with those that are left."""
    ray: str = ""
    """`auto` or `IP:PORT` of the Ray cluster whose nodes these are; empty: of none."""


class RunConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    target: TargetConfig
    load: LoadConfig = LoadConfig()
    workload: WorkloadConfig = WorkloadConfig()
    telemetry: list[str] = msgspec.field(default_factory=lambda: ["auto"])
    name: str = ""
    tags: list[str] = msgspec.field(default_factory=list)
    """`name=value` each: what a person knows of the run, to compare by."""
    plan: PlanConfig | None = None
    """None: one load, changed by keys alone."""
    slo: list[str] = msgspec.field(default_factory=list)
    """What its figures are held against, such as `ttft.p95<500ms`; in place of a plan's own."""
    limit: LimitConfig | None = None
    """None: no search."""
    interactive: bool = False
    """A screen was opened on it: an open end is allowed, and an orphan stops itself."""
    orphan_timeout_s: float = 60.0
    drain_s: float = DRAIN_S
    """How long requests in flight are waited for at the most when the run comes to its end."""
    roles: list[str] = msgspec.field(default_factory=list)
    """`HOST=ROLE` each: what the GPUs of a machine do for the server (`prefill`, `decode`)."""
    nodes: NodesConfig | None = None
    """None: all load workers are on this machine."""
    timeouts: dict[str, float] = msgspec.field(default_factory=dict)
    """Seconds by the names in `TIMEOUTS`, as far as a person gave any."""

    @property
    def has_end(self) -> bool:
        load = self.load
        ends = (self.plan, load.duration_s, load.requests, load.trace)
        return any(end is not None for end in ends)


def _positive(where: str, value: float, most: float = math.inf) -> None:
    if not math.isfinite(value) or value <= 0 or value > most:
        limit = "" if math.isinf(most) else f" and at most {most:g}"
        raise ConfigError(f"{where}: got {value:g}, need a number above 0{limit}")


class Beyond(NamedTuple):
    """A stage's load that is above what a run allows: the key that says it, and in words."""

    key: str
    words: str


def beyond_limits(stage: Stage, max_rate_rps: float, max_in_flight: int) -> Beyond | None:
    """None where the run may have that load."""
    ramp = stage.ramp
    most_rps = max(ramp.from_rps, ramp.to_rps) if ramp is not None else stage.rate_rps or 0.0
    if most_rps > max_rate_rps:
        key = "ramp" if ramp is not None else "rate" if stage.trace is None else "trace"
        return Beyond(key, f"{most_rps:g} rps is above --max-rate {max_rate_rps:g}")
    if (stage.concurrency or 0) > max_in_flight:
        return Beyond("concurrency", f"{stage.concurrency} is above --max-in-flight {max_in_flight}")
    return None


def _check_conversations(work: WorkloadConfig) -> None:
    for where, text, read in (("--turns", work.turns, parse_turns), ("--think", work.think, parse_think)):
        try:
            if text is not None:
                read(text)  # type: ignore[arg-type]  # each reads its own
        except LengthError as error:
            raise ConfigError(f"{where}: {error}") from None
    for where, given in (
        ("--think", work.think),
        ("--system-tokens", work.system_tokens),
        ("--conversation-header", work.conversation_header),
    ):
        if given and work.turns is None:
            raise ConfigError(
                f"{where}: got {str(given)[:60]}, which is of conversations; give --turns N as well"
            )


def checked(config: RunConfig) -> RunConfig:
    """Returns `config` unchanged.

    Raises:
        ConfigError: a value is out of range; the message names the flag.
    """
    load, work = config.load, config.workload
    try:
        check_targets(config.target)
    except TargetsError as error:
        raise ConfigError(str(error)) from None
    if load.trace is not None and load.rate_rps > load.max_rate_rps:
        came = f"at {load.trace.times_as_fast:.3g}x it comes to {load.rate_rps:.4g} rps on average"
        raise ConfigError(f"--trace: {came}, need at most {load.max_rate_rps:g} (--max-rate)")
    _positive("--rate", load.rate_rps, load.max_rate_rps)
    if not LEAST_BURSTINESS <= load.burstiness <= MOST_BURSTINESS:
        raise ConfigError(f"--burstiness: got {load.burstiness:g}, need {BURSTINESS_RANGE}")
    if load.ramp is not None:
        _positive("--ramp", load.ramp.from_rps, load.max_rate_rps)
        _positive("--ramp", load.ramp.to_rps, load.max_rate_rps)
        _positive("--ramp seconds", load.ramp.over_s)
        if load.concurrency is not None:
            beside = f"it cannot stand beside --concurrency {load.concurrency}"
            raise ConfigError(f"--ramp: is of a rate, {beside}; give one of them")
    if load.duration_s is not None:
        _positive("--duration", load.duration_s)
    _positive("--orphan-timeout", config.orphan_timeout_s)
    _positive("--drain", config.drain_s)
    for name, seconds in config.timeouts.items():
        if name not in TIMEOUTS:
            raise ConfigError(f"--timeout: got {name!r}, need one of {', '.join(TIMEOUTS)}")
        _positive(f"--timeout {name}", seconds)
    for where, count in (
        ("--concurrency", load.concurrency),
        ("--requests", load.requests),
        ("--max-in-flight", load.max_in_flight),
        ("--workers", None if load.workers == "auto" else load.workers),
    ):
        if count is not None and count < 1:
            raise ConfigError(f"{where}: got {count}, need a whole number of at least 1")
    for where, length in (("--input-tokens", work.input_tokens), ("--output-tokens", work.output_tokens)):
        try:
            parse_lengths(length)
        except LengthError as error:
            raise ConfigError(f"{where}: {error}") from None
    for number, stage in enumerate(config.plan.stages if config.plan is not None else (), 1):
        if beyond := beyond_limits(stage, load.max_rate_rps, load.max_in_flight):
            raise ConfigError(f"stage {number}: {beyond.key} {beyond.words}")
    _check_conversations(work)
    try:
        _ = work.prefixes
    except PrefixError as error:
        raise ConfigError(f"--prefix: {error}") from None
    if len(work.mix) > MOST_PARTS:
        raise ConfigError(f"--mix: got {len(work.mix)} parts, need at most {MOST_PARTS}")
    for part in work.mix:
        try:
            check_part(part)
        except MixError as error:
            raise ConfigError(f"--mix: {part.name[:40]}: {error.key}: {error}") from None
    if load.concurrency is not None and load.concurrency > load.max_in_flight:
        raise ConfigError(
            f"--concurrency: got {load.concurrency}, need at most {load.max_in_flight} (--max-in-flight)"
        )
    if len(msgspec.json.encode(config)) > MOST_BYTES:
        raise ConfigError(
            f"what was asked for is longer than {MOST_BYTES >> 10} KiB, and the session has to keep it: need "
            f"{'fewer stages, or ' if config.plan else ''}less of --body, --telemetry or --plain-header"
        )
    if load.give_up < 0:
        raise ConfigError(f"--give-up: got {load.give_up}, need a whole number of at least 0")
    most = WORKERS_PER_CORE * (os.cpu_count() or 1)
    if config.nodes is not None and config.target.sources:
        ours = f"--source-address: got {config.target.sources[0]}, which is of this machine"
        raise ConfigError(f"{ours}, and the load comes from --nodes; leave one of them out")
    if config.nodes is not None:
        try:
            check_nodes(config.nodes.words, config.nodes.ray)
        except NodeWordError as error:
            raise ConfigError(str(error)) from None
    elif load.workers != "auto" and load.workers > most:
        raise ConfigError(
            f"--workers: got {load.workers}, need at most {most} ({WORKERS_PER_CORE} for each core)"
        )
    return config
