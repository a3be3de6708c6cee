"""What GPUs, server and machines did over a run: the telemetry part of a summary (`sessions.summary.schema`).

Spans reach from the beginning of the load to the last answer. Names end in their unit; None is what was not
measured; a field that has a default is left out in JSON while it holds it.
"""

from __future__ import annotations

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """Over the samples of a span; both None where there was none."""

    mean: float | None
    max: float | None


class Gpu(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One GPU, or one MIG instance of it, from the beginning of the load to the last answer."""

    index: int
    name: str
    host: str
    source: str
    """Who told: `nvml`, or the address of an exporter."""
    mig: str | None = None
    """Profile of a MIG instance; None for a whole GPU."""
    visible: bool | None = None
    """CUDA_VISIBLE_DEVICES shows it; None where that is not known."""
    serves_target: bool | None = None
    """A process of the server under test runs on it; None where that is not known."""
    samples: int
    util_pct: Spread
    memory_used_bytes: Spread
    power_w: Spread
    temperature_c: Spread
    sm_clock_mhz: Spread
    sm_active_pct: Spread | None = None
    tensor_active_pct: Spread | None = None
    dram_active_pct: Spread | None = None
    memory_temperature_c: Spread | None = None
    power_throttled_pct: Spread | None = None
    """Share of the time in which the power cap held clocks down; `thermal_`: heat, `brake_`: a brake."""
    thermal_throttled_pct: Spread | None = None
    brake_throttled_pct: Spread | None = None
    memory_reserved_bytes: Spread | None = None
    power_average_w: Spread | None = None
    memory_clock_mhz: Spread | None = None
    pcie_rx_bytes_per_s: Spread | None = None
    pcie_tx_bytes_per_s: Spread | None = None
    nvlink_rx_bytes_per_s: Spread | None = None
    nvlink_tx_bytes_per_s: Spread | None = None
    age_s: Spread | None = None
    """How old an exporter's values were."""
    lost_pct: float | None = None
    """Share of the samples in which it gave no values at all; None for none."""
    events: dict[str, int] = {}
    """By kind (`xid`, `ecc_corrected`, ...): how many there were."""
    memory_total_bytes: int | None
    energy_j: float | None
    """Over exactly the run."""
    energy_source: str | None
    """`counter`, or `integrated` from power."""
    energy_gap_s: float
    """How much of the run is not in `energy_j`."""


class EnergyValidity(msgspec.Struct, frozen=True):
    """Whether the joules of a run may be relied on (`sessions.summary.energy_validity`)."""

    valid: bool
    reasons: list[str]
    """Why not; empty when they may be."""
    window: str
    """What the joules are over, in words."""
    window_s: float
    longest_gap_s: float | None
    """Within the window without a new reading, of any GPU; None where none was read."""
    unsampled_share: float
    """Of the window, in gaps that were long enough to matter; of several GPUs, the most."""
    counter_off_share: float | None
    """By how much the counter says more than power integrated (0.1: 10 % more), of the GPU on which they are
    furthest apart; None where no GPU has both."""
    gpus_without_reading: int
    counter_off_allowed_share: float | None = None
    """By how much they may be apart there: 5 %, and what readings so far apart can be off by in so short a
    time."""


class EnergyUse(msgspec.Struct, frozen=True):
    """What the GPUs that the load runs on used, over exactly the run (docs/figures/energy.md)."""

    gpus: int
    joules: float | None
    source: str | None
    """`counter`, or `integrated` where some of it rests on power readings."""
    gap_s: float
    """How much of the run is not known; of several GPUs, the longest."""
    mean_w: float | None
    """As what follows, None where more than 1 % of the run is not known."""
    j_per_output_token: float | None
    output_tps_per_w: float | None
    validity: EnergyValidity | None = None
    """None where nobody spoke of a GPU that the load runs on."""


class Cost(msgspec.Struct, frozen=True):
    """What the GPUs cost while the load ran, in the table's currency."""

    currency: str
    dated: str
    """The day for which the prices hold, as the table says it."""
    table: str
    """Where it was read."""
    per_hour: float | None
    """Price of all GPUs together; None, as all that follows from it, when one has no price."""
    gpus: int
    gpus_without_price: list[str]
    total: float | None
    per_million_output_tokens: float | None
    per_million_tokens: float | None


class ServerLatency(msgspec.Struct, frozen=True, omit_defaults=True):
    """Quantiles in ms of one of the server's own histograms; None where its bucket is too wide to tell."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None
    between: dict[str, list[float | None]] = {}
    """Quantile that is None to the bounds in ms between which it lies; the upper is None beyond the last."""


class Server(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the server said of itself."""

    source: str
    running: Spread | None = None
    """Requests in its batch."""
    waiting: Spread | None = None
    """Requests in its queue."""
    kv_pct: Spread | None = None
    prefix_hit_pct: Spread | None = None
    preemptions: float | None
    ttft_ms: ServerLatency | None = None
    itl_ms: ServerLatency | None = None
    queue_ms: ServerLatency | None = None


class Host(msgspec.Struct, frozen=True, omit_defaults=True):
    """One machine; what it did not tell is left out."""

    host: str
    cpu_pct: Spread | None = None
    """Share of all its cores together."""
    cores: Spread | None = None
    load1: Spread | None = None
    memory_used_bytes: Spread | None = None
    memory_total_bytes: Spread | None = None
    net_rx_bytes_per_s: Spread | None = None
    net_tx_bytes_per_s: Spread | None = None
    steal_pct: Spread | None = None
    throttled_pct: Spread | None = None
    """Share of the time in which its control group was held back."""


class Said(msgspec.Struct, frozen=True):
    """One sentence of a source of telemetry."""

    at_s: float
    """Since load began; negative before it."""
    ok: bool
    message: str


class TelemetrySource(msgspec.Struct, frozen=True, omit_defaults=True):
    """One source of telemetry, and its last word."""

    source: str
    ok: bool
    message: str
    said: list[Said]
    """Its words, the first first."""
    unsaid: int | None = None
    """How many later ones are left out of `said`; None for none."""
