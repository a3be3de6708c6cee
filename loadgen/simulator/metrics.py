"""What the simulator says of itself on /metrics, in vLLM's names and in those of the DCGM exporter.

`EngineStats` is counted up by the engine; `exposition` turns it into Prometheus text. Latencies are those
of the model: from a request's arrival to the planned end of the step that made the token.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    UntypedMetricFamily,
)
from prometheus_client.registry import Collector

from loadgen.simulator import batch
from loadgen.simulator.gpu import GpuReading
from loadgen.simulator.profile import Profile

MIB = 1 << 20

# vLLM 0.32's buckets, as seen on its /metrics.
TTFT_BOUNDS_S = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0),
    *(80.0, 160.0, 640.0, 2560.0),
)
ITL_BOUNDS_S = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0),
    80.0,
)
E2E_BOUNDS_S = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0),
    *(960.0, 1920.0, 7680.0),
)


class Histogram:
    """Counts by upper bound (inclusive, as Prometheus has it), in seconds."""

    def __init__(self, bounds_s: Sequence[float]) -> None:
        self.bounds_s = bounds_s
        self.counts = [0] * (len(bounds_s) + 1)
        self.sum_s = 0.0

    def observe(self, value_s: float) -> None:
        self.counts[bisect_left(self.bounds_s, value_s)] += 1
        self.sum_s += value_s

    def cumulative(self) -> list[tuple[str, float]]:
        """`(upper bound, count so far)`, ending with `+Inf`."""
        buckets, total = [], 0
        for bound, count in zip((*map(str, self.bounds_s), "+Inf"), self.counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        return buckets


class EngineStats:
    """Counters since the simulator's start."""

    def __init__(self) -> None:
        self.prompt_tokens = 0
        self.generation_tokens = 0
        self.finished = {"stop": 0, "length": 0, "abort": 0}
        self.ttft = Histogram(TTFT_BOUNDS_S)
        self.itl = Histogram(ITL_BOUNDS_S)
        self.e2e = Histogram(E2E_BOUNDS_S)
        # vLLM has the same buckets for these.
        self.queue = Histogram(E2E_BOUNDS_S)
        self.prefill = Histogram(E2E_BOUNDS_S)
        self.steps = 0
        self.late_steps = 0

    def token(self, sequence: batch.Sequence, previous_ns: int, now_ns: int) -> None:
        """A sequence gained a token; `previous_ns` is its token before, or its arrival."""
        self.generation_tokens += 1
        gap_s = (now_ns - previous_ns) / 1e9
        if sequence.generated == 1:
            self.prompt_tokens += sequence.prompt_tokens
            self.ttft.observe(gap_s)
        else:
            self.itl.observe(gap_s)

    def ended(self, sequence: batch.Sequence, now_ns: int, finish_reason: str) -> None:
        self.finished[finish_reason] += 1
        self.e2e.observe((now_ns - sequence.arrived_ns) / 1e9)
        # As in vLLM: told when a request has ended, of its first time in the batch; a preemption is no queue.
        if sequence.scheduled_ns is not None and sequence.first_token_ns is not None:
            self.queue.observe((sequence.scheduled_ns - sequence.arrived_ns) / 1e9)
            self.prefill.observe((sequence.first_token_ns - sequence.scheduled_ns) / 1e9)


class Core(Protocol):
    """One engine, as it is read at a scrape."""

    batch: batch.Batch
    stats: EngineStats


class Observed(Protocol):
    """What is read at a scrape: the server."""

    profile: Profile

    @property
    def cores(self) -> Sequence[Core]: ...

    def gpu_readings(self) -> list[GpuReading]: ...


class EngineCollector(Collector):
    """Reads the server when it is scraped. Belongs in a registry of its own."""

    def __init__(self, engine: Observed) -> None:
        self._engine = engine

    def collect(self) -> Iterable[Metric]:
        yield from self._server()
        yield from self._gpus()
        yield GaugeMetricFamily("ttftop_simulated", "1: nothing here was measured on a real GPU.", value=1)
        every = [core.stats for core in self._engine.cores]
        steps, late = sum(stats.steps for stats in every), sum(stats.late_steps for stats in every)
        yield CounterMetricFamily("ttftop_simulator_steps", "Engine steps.", value=steps)
        yield CounterMetricFamily(
            "ttftop_simulator_late_steps",
            "Engine steps that ended more than 5 ms late: the simulator's own CPU was the limit.",
            value=late,
        )

    def _server(self) -> Iterable[Metric]:
        cores, model = self._engine.cores, self._engine.profile.model
        names = ("engine", "model_name")
        for name, help_text, read in _GAUGES:
            gauge = GaugeMetricFamily(f"vllm:{name}", help_text, labels=names)
            for number, core in enumerate(cores):
                gauge.add_metric((str(number), model), read(core))
            yield gauge
        for name, help_text, read in _COUNTERS:
            counter = CounterMetricFamily(f"vllm:{name}", help_text, labels=names)
            for number, core in enumerate(cores):
                counter.add_metric((str(number), model), read(core))
            yield counter
        finished = CounterMetricFamily(
            "vllm:request_success",
            "Count of processed requests.",
            labels=("engine", "finished_reason", "model_name"),
        )
        for number, core in enumerate(cores):
            for reason, count in core.stats.finished.items():
                finished.add_metric((str(number), reason, model), count)
        yield finished
        for name, help_text, histogram_of in _HISTOGRAMS:
            family = HistogramMetricFamily(f"vllm:{name}", help_text, labels=names)
            for number, core in enumerate(cores):
                histogram = histogram_of(core.stats)
                family.add_metric((str(number), model), histogram.cumulative(), histogram.sum_s)
            yield family

    def _gpus(self) -> Iterable[Metric]:
        profile = self._engine.profile
        readings = self._engine.gpu_readings()
        used = [
            profile.weights_bytes + core.batch.kv_tokens * profile.kv_bytes_per_token
            for core in self._engine.cores
            for _ in range(profile.gpus_per_engine)
        ]
        free = [
            gpu.memory_total_bytes - gpu.memory_reserved_bytes - used_bytes
            for gpu, used_bytes in zip(profile.gpus, used, strict=True)
        ]
        for field, help_text, values in (
            ("SM_CLOCK", "SM clock frequency (in MHz).", [r.sm_clock_mhz for r in readings]),
            ("MEM_CLOCK", "Memory clock frequency (in MHz).", [r.memory_clock_mhz for r in readings]),
            ("GPU_TEMP", "GPU temperature (in C).", [round(r.temperature_c) for r in readings]),
            ("POWER_USAGE", "Power draw (in W).", [round(r.power_w, 3) for r in readings]),
            ("POWER_MGMT_LIMIT", "Power limit (in W).", [gpu.power_limit_w for gpu in profile.gpus]),
            ("GPU_UTIL", "GPU utilization (in %).", [round(r.util_pct) for r in readings]),
            ("FB_USED", "Framebuffer memory used (in MiB).", [value // MIB for value in used]),
            ("FB_FREE", "Framebuffer memory free (in MiB).", [value // MIB for value in free]),
            (
                "FB_RESERVED",
                "Framebuffer memory reserved (in MiB).",
                [gpu.memory_reserved_bytes // MIB for gpu in profile.gpus],
            ),
        ):
            gauge = GaugeMetricFamily(f"DCGM_FI_DEV_{field}", help_text, labels=_GPU_LABELS)
            for index, value in enumerate(values):
                gauge.add_metric(gpu_labels(profile, index), value)
            yield gauge
        # The exporter calls it a counter, whose name Prometheus' own library would end in `_total`.
        energy = UntypedMetricFamily(
            "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
            "Total energy consumption since boot (in mJ).",
            labels=_GPU_LABELS,
        )
        for index, reading in enumerate(readings):
            energy.add_metric(gpu_labels(profile, index), round(reading.energy_j * 1000))
        yield energy


_GAUGES: tuple[tuple[str, str, Callable[[Core], float]], ...] = (
    (
        "num_requests_running",
        "Number of requests in model execution batches.",
        lambda core: len(core.batch.running),
    ),
    (
        "num_requests_waiting",
        "Number of requests waiting to be processed.",
        lambda core: len(core.batch.waiting),
    ),
    ("kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", lambda core: core.batch.kv_usage),
)
_COUNTERS: tuple[tuple[str, str, Callable[[Core], float]], ...] = (
    ("num_preemptions", "Cumulative number of preemptions.", lambda core: core.batch.preemptions),
    ("prompt_tokens", "Number of prefill tokens processed.", lambda core: core.stats.prompt_tokens),
    (
        "generation_tokens",
        "Number of generation tokens processed.",
        lambda core: core.stats.generation_tokens,
    ),
    (
        "prefix_cache_queries",
        "Prefix cache queries, in terms of number of queried tokens.",
        lambda core: core.batch.prefix_queried_tokens,
    ),
    (
        "prefix_cache_hits",
        "Prefix cache hits, in terms of number of cached tokens.",
        lambda core: core.batch.prefix_hit_tokens,
    ),
    (
        "prompt_tokens_cached",
        "Number of cached prompt tokens (local + external).",
        lambda core: core.batch.prefix_hit_tokens,
    ),
)
_HISTOGRAMS: tuple[tuple[str, str, Callable[[EngineStats], Histogram]], ...] = (
    ("time_to_first_token_seconds", "Time to first token in seconds.", lambda stats: stats.ttft),
    ("inter_token_latency_seconds", "Inter-token latency in seconds.", lambda stats: stats.itl),
    ("e2e_request_latency_seconds", "End to end request latency in seconds.", lambda stats: stats.e2e),
    ("request_queue_time_seconds", "Time spent in WAITING phase for request.", lambda stats: stats.queue),
    ("request_prefill_time_seconds", "Time spent in PREFILL phase for request.", lambda stats: stats.prefill),
)

_GPU_LABELS = ("gpu", "UUID", "device", "modelName", "Hostname")


def gpu_labels(profile: Profile, index: int) -> tuple[str, str, str, str, str]:
    """The exporter's labels: gpu, UUID, device, modelName, Hostname. The UUID is plainly no real one."""
    uuid = f"GPU-00000000-0000-0000-0000-{index:012d}"
    return str(index), uuid, f"nvidia{index}", profile.gpus[index].name, "simulated"


def exposition(engine: Observed) -> CollectorRegistry:
    """A registry with this engine's metrics only; `text` writes it."""
    registry = CollectorRegistry()
    registry.register(EngineCollector(engine))
    return registry


def text(registry: CollectorRegistry) -> bytes:
    """Prometheus text format 0.0.4."""
    return generate_latest(registry)
