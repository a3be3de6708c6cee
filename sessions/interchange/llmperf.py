"""llmperf's `NAME_summary.json`. What it calls inter-token latency is E2E over tokens."""

from __future__ import annotations

import re
from typing import Any

from sessions.interchange.documents import Document, number, text, whole
from sessions.interchange.imported_run import ImportedRun
from sessions.plan.config import LoadConfig
from sessions.store.imported import ToolFigure

TOOL = "llmperf"
_LATENCIES = {"ttft_s": ("ttft_from_sent_ms", "near"), "end_to_end_latency_s": ("e2e_ms", "near")}
_STAT = re.compile(
    r"results_(ttft_s|end_to_end_latency_s|inter_token_latency_s)_(?:quantiles_)?(p\d+|mean|min|max|stddev)"
)
_OURS = ("mean", "p50", "p90", "p95", "p99", "min", "max")


def matches(document: Document) -> bool:
    return "results_ttft_s_mean" in document.first


def read(document: Document) -> list[ImportedRun]:
    """The summary; what single requests took holds no time at which they were."""
    one = document.first
    succeeded = whole(one.get("results_num_completed_requests"))
    rate = number(one.get("results_num_completed_requests_per_min"))
    run = ImportedRun(
        tool=TOOL,
        file=document.path.name,
        version=text(one.get("version"), 30),
        model=text(one.get("model")),
        endpoint="chat",
        load=LoadConfig(concurrency=max(whole(one.get("num_concurrent_requests")) or 1, 1)),
        succeeded=succeeded,
        failed=whole(one.get("results_number_errors")),
        figures=_figures(one),
    )
    if rate and succeeded and 0 < succeeded / rate < 1e5:
        run.span_ns = round(succeeded / rate * 60e9)
    run.notes += [
        "its inter-token latency is E2E over tokens, TTFT inside: it has no counterpart",
        "a request that fails takes its client with it and is not counted: failures are more than it says",
        "no times of requests are written: nothing to replay",
    ]
    return [run]


def _figures(one: dict[str, Any]) -> list[ToolFigure]:
    made = []
    for name, value in one.items():
        known, stat = number(value), _STAT.fullmatch(name)
        if known is None:
            continue
        if stat is not None:
            metric, how = _LATENCIES.get(stat[1], ("", ""))
            ours = f"{metric}.{stat[2]}" if metric and stat[2] in _OURS else ""
            made.append(ToolFigure(name, known * 1e3, "ms", ours, how if ours else ""))
        elif name == "results_mean_output_throughput_token_per_s":
            made.append(ToolFigure(name, known, "tokens/s", "throughput.output_tps", "near"))
        elif name == "results_num_completed_requests_per_min":
            made.append(ToolFigure(name, known / 60, "requests/s", "throughput.request_rps", "near"))
    return made
