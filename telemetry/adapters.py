"""From the samples of one /metrics text to records: one row per kind of server or exporter."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from telemetry import dcgm
from telemetry.records import ServerSample, TelemetryRecord
from telemetry.samples import SIMULATED, Sample, Scrape

Read = Callable[[list[Sample], Scrape], list[TelemetryRecord]]


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

    def all(self) -> tuple[str, ...]:
        single = (self.running, self.waiting, self.prompt_tokens, self.output_tokens, self.preemptions)
        return (*(name for name in single if name), *self.kv_ratio)


VLLM = ServerNames(
    running="vllm:num_requests_running",
    waiting="vllm:num_requests_waiting",
    prompt_tokens="vllm:prompt_tokens_total",
    output_tokens="vllm:generation_tokens_total",
    # The second name is that of older versions.
    kv_ratio=("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
    preemptions="vllm:num_preemptions_total",
)
SGLANG = ServerNames(
    running="sglang:num_running_reqs",
    waiting="sglang:num_queue_reqs",
    prompt_tokens="sglang:prompt_tokens_total",
    output_tokens="sglang:generation_tokens_total",
    kv_ratio=("sglang:token_usage",),
    # What vLLM calls preempted, SGLang calls retracted.
    preemptions="sglang:num_retracted_requests_total",
)
TGI = ServerNames(
    running="tgi_batch_current_size",
    waiting="tgi_queue_size",
    # Sums of histograms: they grow when a request has finished.
    prompt_tokens="tgi_request_input_length_sum",
    output_tokens="tgi_request_generated_tokens_sum",
)
LLAMACPP = ServerNames(
    running="llamacpp:requests_processing",
    waiting="llamacpp:requests_deferred",
    # Leaves out tokens that came from its prompt cache.
    prompt_tokens="llamacpp:prompt_tokens_total",
    output_tokens="llamacpp:tokens_predicted_total",
    # Newer versions show none.
    kv_ratio=("llamacpp:kv_cache_usage_ratio",),
)


def server(names: ServerNames, samples: list[Sample], scrape: Scrape) -> list[TelemetryRecord]:
    """One `ServerSample`: sums over engines and models, and the KV cache of the fullest engine."""
    kv_ratio = next((values for name in names.kv_ratio if (values := _values(samples, name))), None)
    record = ServerSample(
        scrape.t_ns,
        scrape.took_ns,
        scrape.source,
        running=_sum(samples, names.running),
        waiting=_sum(samples, names.waiting),
        kv_pct=max(kv_ratio) * 100 if kv_ratio else None,
        preemptions=_sum(samples, names.preemptions),
        prompt_tokens=_sum(samples, names.prompt_tokens),
        output_tokens=_sum(samples, names.output_tokens),
    )
    empty = ServerSample(scrape.t_ns, scrape.took_ns, scrape.source)
    return [] if record == empty else [record]


def _values(samples: Iterable[Sample], name: str) -> list[float]:
    return [s.value for s in samples if s.name == name and math.isfinite(s.value) and s.value >= 0]


def _sum(samples: Iterable[Sample], name: str) -> float | None:
    values = _values(samples, name)
    return sum(values) if values else None


_COPIES = frozenset({"tp_rank", "pp_rank", "moe_ep_rank", "pid"})
"""Labels of ranks that work as one engine: when all of them export, each repeats the same numbers."""


def sglang(samples: list[Sample], scrape: Scrape) -> list[TelemetryRecord]:
    """`server` over one sample per name and data-parallel engine: the largest of its ranks."""
    largest: dict[tuple[str, frozenset[tuple[str, str]]], Sample] = {}
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
