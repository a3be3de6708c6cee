"""From the samples of one /metrics text to records: one row per kind of server or exporter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from telemetry.prometheus import dcgm
from telemetry.prometheus.exposition import SIMULATED, MetricSample, Scrape
from telemetry.prometheus.histograms import histogram, lines
from telemetry.records import ServerSample, TelemetryRecord

Read = Callable[[list[MetricSample], Scrape], list[TelemetryRecord]]


class Adapter(NamedTuple):
    """What one kind of server says. `read` is pure, looks at `names` only, gives [] when none is there."""

    title: str
    names: tuple[str, ...]
    read: Read


class ServerNames(NamedTuple):
    """Sample names behind the fields of `ServerSample`; empty where a server has none."""

    running: str
    waiting: str
    prompt_tokens: str
    output_tokens: str
    kv_ratio: tuple[str, ...] = ()
    """0 to 1; the first name that is there counts."""
    preemptions: str = ""
    cached_tokens: str = ""
    prefix_queried_tokens: str = ""
    prefix_hit_tokens: str = ""
    prefix_hit_ratio: str = ""
    """0 to 1, where the server tells the share itself."""
    finished: str = ""
    aborted: str = ""
    """Counted among `finished`, where that has no label for it."""
    ttft: tuple[str, ...] = ()
    """Histograms of seconds; the first name that is there counts."""
    itl: tuple[str, ...] = ()
    e2e: tuple[str, ...] = ()
    queue: tuple[str, ...] = ()
    prefill: tuple[str, ...] = ()

    def all(self) -> tuple[str, ...]:
        """Every sample name."""
        single = (name for name in self if isinstance(name, str) and name)
        bases = (*self.ttft, *self.itl, *self.e2e, *self.queue, *self.prefill)
        return (*single, *self.kv_ratio, *(name for base in bases for name in lines(base)))


VLLM = ServerNames(
    running="vllm:num_requests_running",
    waiting="vllm:num_requests_waiting",
    prompt_tokens="vllm:prompt_tokens_total",
    output_tokens="vllm:generation_tokens_total",
    # The second name is that of older versions.
    kv_ratio=("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
    preemptions="vllm:num_preemptions_total",
    cached_tokens="vllm:prompt_tokens_cached_total",
    prefix_queried_tokens="vllm:prefix_cache_queries_total",
    prefix_hit_tokens="vllm:prefix_cache_hits_total",
    finished="vllm:request_success_total",
    ttft=("vllm:time_to_first_token_seconds",),
    itl=("vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"),
    e2e=("vllm:e2e_request_latency_seconds",),
    queue=("vllm:request_queue_time_seconds",),
    prefill=("vllm:request_prefill_time_seconds",),
)
SGLANG = ServerNames(
    running="sglang:num_running_reqs",
    waiting="sglang:num_queue_reqs",
    prompt_tokens="sglang:prompt_tokens_total",
    output_tokens="sglang:generation_tokens_total",
    kv_ratio=("sglang:token_usage",),
    # What vLLM calls preempted, SGLang calls retracted.
    preemptions="sglang:num_retracted_requests_total",
    cached_tokens="sglang:cached_tokens_total",
    prefix_hit_ratio="sglang:cache_hit_rate",
    finished="sglang:num_requests_total",
    aborted="sglang:num_aborted_requests_total",
    ttft=("sglang:time_to_first_token_seconds",),
    itl=("sglang:inter_token_latency_seconds",),
    e2e=("sglang:e2e_request_latency_seconds",),
    queue=("sglang:queue_time_seconds",),
)
TGI = ServerNames(
    running="tgi_batch_current_size",
    waiting="tgi_queue_size",
    # Sums of histograms: they grow when a request has finished.
    prompt_tokens="tgi_request_input_length_sum",
    output_tokens="tgi_request_generated_tokens_sum",
    finished="tgi_request_success",
    # It has no time to first token, and its mean time per token is of whole requests.
    e2e=("tgi_request_duration",),
    queue=("tgi_request_queue_duration",),
)
LLAMACPP = ServerNames(
    running="llamacpp:requests_processing",
    waiting="llamacpp:requests_deferred",
    # Leaves out tokens that came from its prompt cache.
    prompt_tokens="llamacpp:prompt_tokens_total",
    output_tokens="llamacpp:tokens_predicted_total",
    # Newer versions show none.
    kv_ratio=("llamacpp:kv_cache_usage_ratio",),
    cached_tokens="llamacpp:prompt_tokens_cached_total",
)


def server(names: ServerNames, samples: list[MetricSample], scrape: Scrape) -> list[TelemetryRecord]:
    """One `ServerSample`: sums over engines and models, and the KV cache of the fullest engine."""
    # A little above 1 is rounding.
    kv_ratio = next((values for name in names.kv_ratio if (values := _values(samples, name, 1.01))), None)
    record = ServerSample(
        scrape.t_ns,
        scrape.took_ns,
        scrape.source,
        running=_sum(samples, names.running),
        waiting=_sum(samples, names.waiting),
        kv_pct=min(100.0, max(kv_ratio) * 100) if kv_ratio else None,
        preemptions=_sum(samples, names.preemptions),
        prompt_tokens=_sum(samples, names.prompt_tokens),
        output_tokens=_sum(samples, names.output_tokens),
        prefix_hit_pct=_mean_pct(samples, names.prefix_hit_ratio),
        prefix_queried_tokens=_sum(samples, names.prefix_queried_tokens),
        prefix_hit_tokens=_sum(samples, names.prefix_hit_tokens),
        cached_tokens=_sum(samples, names.cached_tokens),
        finished=_finished(samples, names),
        ttft=histogram(samples, names.ttft),
        itl=histogram(samples, names.itl),
        e2e=histogram(samples, names.e2e),
        queue=histogram(samples, names.queue),
        prefill=histogram(samples, names.prefill),
    )
    empty = ServerSample(scrape.t_ns, scrape.took_ns, scrape.source)
    return [] if record == empty else [record]


MOST = 1e15
"""Tokens, requests, seconds: no server counts so far."""


def _values(samples: Iterable[MetricSample], name: str, most: float = MOST) -> list[float]:
    """All values of a name; [] when one of them cannot be: the rest would be a wrong sum that looks right."""
    values = [sample.value for sample in samples if sample.name == name]
    return values if all(0 <= value <= most for value in values) else []


def _sum(samples: Iterable[MetricSample], name: str) -> float | None:
    values = _values(samples, name)
    return sum(values) if values and sum(values) <= MOST else None


def _mean_pct(samples: Iterable[MetricSample], name: str) -> float | None:
    ratios = _values(samples, name, 1)
    return round(100 * sum(ratios) / len(ratios), 1) if ratios else None


_NOT_WELL = frozenset({"abort", "error"})
"""vLLM counts these under `request_success`, too."""


def _finished(samples: list[MetricSample], names: ServerNames) -> float | None:
    ended = _sum((s for s in samples if s.labels.get("finished_reason") not in _NOT_WELL), names.finished)
    return None if ended is None else max(0.0, ended - (_sum(samples, names.aborted) or 0.0))


_COPIES = frozenset({"tp_rank", "pp_rank", "moe_ep_rank", "pid"})
"""Labels of ranks that work as one engine: when all of them export, each repeats the same numbers."""


def sglang(samples: list[MetricSample], scrape: Scrape) -> list[TelemetryRecord]:
    """`server` over one sample per name and data-parallel engine: the largest of its ranks."""
    largest: dict[tuple[str, frozenset[tuple[str, str]]], MetricSample] = {}
    for sample in samples:
        # Rows with a priority break down the row without.
        if sample.labels.get("priority"):
            continue
        labels = frozenset(item for item in sample.labels.items() if item[0] not in _COPIES)
        best = largest.get((sample.name, labels))
        if best is None or sample.value > best.value:
            largest[sample.name, labels] = sample
    return server(SGLANG, list(largest.values()), scrape)


ADAPTERS: dict[str, Adapter] = {
    "vllm": Adapter("vLLM", VLLM.all(), partial(server, VLLM)),
    "sglang": Adapter("SGLang", SGLANG.all(), sglang),
    "tgi": Adapter("TGI", TGI.all(), partial(server, TGI)),
    "llamacpp": Adapter("llama.cpp", LLAMACPP.all(), partial(server, LLAMACPP)),
    "dcgm": Adapter("DCGM", dcgm.NAMES, dcgm.read),
}

NAMES = frozenset({SIMULATED}.union(*(adapter.names for adapter in ADAPTERS.values())))
"""All sample names that any adapter looks at: nothing else of a text is parsed."""
