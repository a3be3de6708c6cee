"""What a screen draws at one instant of a session: plain values and arrays, nothing to compute.

`sessions.frame.build.build` makes one from a timeline; widgets only read it. All arrays of a frame have
shape `(slots,)`, float64, oldest first, on one shared time axis: slot `i` covers
`[start_ns + i * slot_ns, start_ns + (i + 1) * slot_ns)`. NaN means nothing was observed: draw a gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sessions.frame.latency_target import LatencyTarget
from sessions.steady.verdict import Window

if TYPE_CHECKING:  # they read sessions, which a command that draws nothing need not
    from sessions.frame.outcome import Outcome
    from sessions.frame.search import SearchProgress
    from sessions.timeline.attained import Attained

Series = NDArray[np.float64]


@dataclass(frozen=True)
class Stat:
    """Quantiles of one metric over one window, ms. None where nothing was observed."""

    count: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    thin: frozenset[str] = frozenset()
    """Names among `p50`, `p95`, `p99` that rest on too few samples: draw them greyed, with `~`."""
    bounds: frozenset[str] = frozenset()
    """Names among them of which only an upper bound is known, which stands in their place: drawn with `<`."""


@dataclass(frozen=True)
class Band:
    """One latency over time, ms."""

    p50: Series
    p95: Series
    p99: Series


@dataclass(frozen=True)
class Gpu:
    """One GPU: the newest values at the playhead, and its history on the shared axis."""

    label: str
    """Short: `0`, or `node2:0` when several hosts are watched."""
    name: str
    util_pct: float | None
    memory_used_bytes: int | None
    memory_reserved_bytes: int | None
    memory_total_bytes: int | None
    power_w: float | None
    power_limit_w: float | None
    temperature_c: float | None
    sm_clock_mhz: float | None
    memory_clock_mhz: float | None
    util: Series
    memory_pct: Series
    power: Series
    temperature: Series
    age_s: float | None
    """Age of the newest sample at the playhead; None when there never was one."""
    stale: bool
    """Older than it should be: draw it greyed."""
    lost: bool = False
    """Off the bus, or in want of a reset."""
    excluded: str = ""
    """Why it is no part of the load, `hidden` or `not serving`: draw it greyed; empty when it may be."""
    serving: bool = False
    """A process of the server under test computes on it."""
    processes: tuple[tuple[str, int, int | None], ...] = ()
    """Name, pid and bytes there (None: not told) of those that compute on it, most memory first."""
    mig: str = ""
    """Profile of a MIG instance, such as `1g.10gb`."""
    unified_memory: bool = False
    memory_temperature_c: float | None = None
    sm_clock_max_mhz: float | None = None
    throttle: tuple[str, ...] = ()
    """Why its clocks are low, some of `telemetry.records.THROTTLE_REASONS`; the harmless ones left out."""
    throttled_pct: float | None = None
    """Share of the time lately in which power, heat or a brake held its clocks down, the most of these."""
    sm_pct: float | None = None
    tensor_pct: float | None = None
    dram_pct: float | None = None
    pcie_bytes_per_s: float | None = None
    nvlink_bytes_per_s: float | None = None
    """Both directions together."""
    host: str = ""
    """Of its machine; of a node the session's name for it."""
    role: str = ""
    """What its machine does for the server, as a person said; empty: nobody did."""
    sm: Series | None = None
    """SM activity over time; None where it was never read."""
    dram: Series | None = None


@dataclass(frozen=True)
class Server:
    """What the server says of itself, or all None."""

    running: float | None = None
    waiting: float | None = None
    kv_pct: float | None = None
    preemptions_per_s: float | None = None
    kv: Series | None = None
    waiting_series: Series | None = None
    prefix_hit_pct: float | None = None
    ttft: Stat | None = None
    """Its own histogram over the last `recent_s`; None where it keeps none."""
    itl: Stat | None = None


@dataclass(frozen=True)
class Host:
    """A machine: what it does beside the load."""

    host: str
    cpu_pct: float | None = None
    cores: int | None = None
    load1: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    net_bytes_per_s: float | None = None
    """Both directions together."""
    steal_pct: float | None = None
    throttled_pct: float | None = None


@dataclass(frozen=True)
class Power:
    """Power and energy of the GPUs that the load runs on, over the last `recent_s`."""

    watts: float | None = None
    j_per_token: float | None = None
    integrated: bool = False
    """From power readings, where a GPU has no energy counter."""
    gpus: int = 0


@dataclass(frozen=True)
class Limit:
    """What binds now; `sessions.bottleneck.rules` has the rules."""

    name: str
    why: str
    since_ns: int
    """Since when it is the same; 0 where that is not known."""


@dataclass(frozen=True)
class Cause:
    """Failures of one kind."""

    kind: str
    count: int
    text: str
    """What was said of most of them; empty where nothing is known. Not safe to print as it stands."""
    text_count: int


@dataclass(frozen=True)
class ChartMark:
    """A vertical line across every chart."""

    t_ns: int
    slot: int | None
    """Where it falls on the axis; None when it lies outside the window (still listed in the events)."""
    kind: str
    """`load`, `mark`, `state`, `note`, `warning`, `error`, `limit`, `end`."""
    label: str


@dataclass(frozen=True)
class PlanProgress:
    """Where a plan stands; its stages count from 1."""

    name: str
    stage: int
    of: int | None
    """None of a search for the limit, which finds its next step by what those before came to."""
    stage_name: str
    state: str
    """`running`, `draining` (nothing more is due, answers are awaited), `over`, `left` (a person has the
    keys), or `ended`: the run is over, or about to be."""
    stage_left_s: float | None
    """Until nothing more of the stage is due; None where its number of requests ends it."""
    left_s: float | None
    """Of the whole plan, without last answers; None where a stage has no time, or the plan does not go on."""
    search: SearchProgress | None = None
    """Of a search for the limit alone."""


@dataclass(frozen=True)
class Frame:
    """Everything on the screen at one instant."""

    # where we are
    session: str
    """Name of the session."""
    target: str
    """URL without credentials."""
    model: str
    simulated: bool
    state: str
    """`starting`, `probing`, `running`, `holding`, `stopped`, `draining`, `ended`, `killed`."""
    state_message: str
    unreachable_since_ns: int | None
    """Since when the server refuses connections; None while it does not."""
    at_ns: int
    """The playhead, session time."""
    first_ns: int
    """Session time at which load began (0 when it has not)."""
    last_ns: int
    """The newest session time that can be shown."""
    live: bool
    """The run is still going on (the playhead may nevertheless be in the past)."""

    # the shared axis
    start_ns: int
    slot_ns: int
    slots: int

    # the load
    closed_loop: bool
    rate_rps: float | None
    """Offered now; None in a closed loop."""
    concurrency: int | None
    due_rps: float | None
    """Due per second over the last `rates_s`, as the two below: what `achieved_rps` is to be held against."""
    achieved_rps: float | None
    completed_rps: float | None
    in_flight: int
    backlog: int
    due: int
    sent: int
    succeeded: int
    failed: int
    not_sent: int
    stale_retries: int
    errors: dict[str, int]
    output_tps: float | None
    """Output tokens per second over the last `recent_s`."""
    only_input: bool
    """Answers have no tokens (embeddings): what goes through is the tokens of prompts."""
    input_tps: float | None
    """Tokens of the prompts of requests that succeeded, per second over the last `recent_s`."""
    tokens_per_chunk: float | None
    itl_is_chunk_gap: bool
    """The server puts several tokens in a chunk without saying how many: label the chart CHUNK GAP."""
    recent_s: float
    """The window of the `recent` figures, seconds; of a run that is over they are of all of it."""

    # latencies
    ttft_recent: Stat
    ttft_run: Stat
    itl_recent: Stat
    itl_run: Stat
    send_lag_recent: Stat
    ttft: Band
    """From due."""
    itl: Band

    # history of the load
    offered: Series
    achieved: Series
    output_tokens: Series
    """Tokens per second."""
    input_tokens: Series
    """Tokens per second of the prompts of requests that succeeded."""
    in_flight_series: Series
    failed_series: Series
    """Failures per second."""

    # the machines
    gpus: tuple[Gpu, ...] = ()
    gpu_note: str = ""
    """Why there is no GPU to show, in one sentence."""
    server: Server = field(default_factory=Server)
    hosts: tuple[Host, ...] = ()
    power: Power = field(default_factory=Power)
    poll_ms: float | None = None
    """What the last look at all GPUs took."""
    limit: Limit = field(default_factory=lambda: Limit("no load", "", 0))
    limits_pending: bool = False
    """Seconds before `at_ns` are still to be judged, so that marks of kind `limit` are missing, and perhaps
    since when `limit` holds: a frame of the same instant asked for again knows more."""

    plan: PlanProgress | None = None
    """None where there is no plan, or before its first stage."""

    window: Window | None = None
    """What is measured of the load that is on, and whether it is a steady state; None for a ramp or no
    load."""

    imported: bool = False
    """Another tool measured it."""

    # what happened
    marks: tuple[ChartMark, ...] = ()
    """Up to the playhead, oldest first."""
    client_saturated: bool = False
    cut_off: int = 0
    """Requests given up because the run ended; in none of the other counts of how they ended."""
    drains_until_ns: int | None = None
    """Session time after which what is in flight is not waited for any more; None unless `draining`."""
    e2e_recent: Stat | None = None
    """None where answers have tokens, whose own times say more; so too the two below."""
    e2e_run: Stat | None = None
    e2e: Band | None = None
    client_note: str = ""
    """One line when the client itself is in doubt (lag, CPU, coalesced reads), else empty."""
    client_saturated_s: int | None = None
    """Seconds of the run up to the playhead in which the client was the limit, as a summary counts them; None
    while the seconds of a long session are still being gone through."""
    client_judged_s: int | None = None
    """Of so many."""
    causes: tuple[Cause, ...] = ()
    """Why requests failed, up to the playhead, the most frequent kind first."""
    failing: bool = False
    """Nearly all that ended lately failed; once a run is over, nearly all of it. Said across the screen."""
    attained: Attained | None = None
    """Lately, of the target which fewest held; None without targets."""
    insecure: bool = False
    """TLS, and the server's certificate is not verified."""
    targets: Mapping[str, tuple[LatencyTarget, ...]] = field(default_factory=dict)
    """By metric (`ttft`, `itl`, `e2e`, ...), the hardest to hold first; empty where the run has none."""
    lost_targets: tuple[str, ...] = ()
    """Names of those of several targets that cannot be reached; empty where all are lost, or none."""
    heading: float | None = None
    """Rate (in a closed loop, concurrency) that a ramp or the next stage leads to; None where none does."""
    workload: str = ""
    """The preset that requests ask for, where a person has chosen one; empty: as the run was asked."""
    last_rate_rps: float | None = None
    """Of a run that is over: the rate that it had last; None in a closed loop and before the end."""
    last_concurrency: float | None = None
    """Likewise of a closed loop."""
    rates_s: float | None = None
    """Since the load last changed, `recent_s` at the most; None before any load."""
    outcome: Outcome | None = None
    """Of a run that is over; None before, and of one that has no summary."""
