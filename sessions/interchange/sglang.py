"""SGLang's `bench_serving`: an object a run, appended. It does not write when a request was sent."""

from __future__ import annotations

import math
from typing import Any

from sessions.interchange.documents import Document, nanoseconds, number, rows, text, whole
from sessions.interchange.flat_figures import flat_figures
from sessions.interchange.imported_run import ImportedRun, is_simulated
from sessions.plan.config import LoadConfig

TOOL = "SGLang bench_serving"
_LATENCIES = {
    "ttft": ("ttft_from_sent_ms", "near"),
    "tpot": ("tpot_ms", "near"),
    "itl": ("chunk_gap_ms", "same"),
    "e2e_latency": ("e2e_ms", "near"),
}
_OURS = {"mean": "mean", "median": "p50", "p90": "p90", "p95": "p95", "p99": "p99"}
_TOTALS = {
    "completed": ("requests.succeeded", "near", "requests"),
    "duration": ("duration_s", "same", "s"),
    "total_input_tokens": ("tokens.input", "near", "tokens"),
    "total_output_tokens": ("tokens.output", "near", "tokens"),
    "request_throughput": ("throughput.request_rps", "same", "requests/s"),
    "input_throughput": ("throughput.input_tps", "same", "tokens/s"),
    "output_throughput": ("throughput.output_tps", "same", "tokens/s"),
    "total_throughput": ("throughput.total_tps", "same", "tokens/s"),
    "concurrency": ("", "", ""),
    "accept_length": ("", "", "tokens"),
    "max_output_tokens_per_s": ("", "", "tokens/s"),
    "max_concurrent_requests": ("", "", "requests"),
    "request_goodput": ("", "", "requests/s"),
    "slo_attainment": ("", "", "share"),
}


def matches(document: Document) -> bool:
    one = document.first
    return "backend" in one and "dataset_name" in one and "median_e2e_latency_ms" in one  # since 2024


def read(document: Document) -> list[ImportedRun]:
    """A run a line."""
    several = len(document.values) > 1
    return [
        _run(one, document.path.name, f"line {place}" if several else "")
        for place, one in enumerate(document.values, 1)
        if isinstance(one, dict) and matches(Document(document.path, [one]))
    ]


def _run(one: dict[str, Any], file: str, label: str) -> ImportedRun:
    errors = [error for error in rows(one.get("errors")) if isinstance(error, str)]
    completed = whole(one.get("completed"))
    run = ImportedRun(
        tool=TOOL,
        file=file,
        label=label or text(one.get("tag"), 60),
        simulated=is_simulated(one.get("tag")),
        model=text(one.get("model_id")),
        endpoint="chat" if "chat" in text(one.get("backend"), 40) else "completions",
        load=_load(one),
        succeeded=completed,
        failed=None if not errors or completed is None else max(len(errors) - completed, 0),
        input_tokens=whole(one.get("total_input_tokens")),
        output_tokens=whole(one.get("total_output_tokens")),
        span_ns=max(nanoseconds(number(one.get("duration"))) or 0, 0),
        figures=flat_figures(one, _TOTALS, _LATENCIES, _OURS),
    )
    run.notes.append("no times of requests are written: nothing to replay")
    if not errors:
        run.notes.append(
            "it does not count failures; without --output-details nobody knows how many there were"
        )
    ttfts, itls = rows(one.get("ttfts")), rows(one.get("itls"))
    pairs = zip(ttfts, itls, errors, strict=False)
    empty = sum(first == 0 and not gaps and not error for first, gaps, error in pairs)
    if empty and any(ttfts):
        run.notes.append(
            f"{empty} answers without a token count as successes with TTFT 0: its means of TTFT and TPOT "
            "and its throughput are wrong"
        )
    told, counted = run.output_tokens, whole(one.get("total_output_tokens_retokenized"))
    if told is not None and counted is not None and told != counted:
        run.notes.append(
            f"its output tokens ({told}) are what was asked for where the server told none; its "
            f"tokenizer counts {counted} in the answers"
        )
    return run


def _load(one: dict[str, Any]) -> LoadConfig:
    rate = one.get("request_rate")
    known = number(rate)
    cap = whole(one.get("max_concurrency"))
    if known is not None and known > 0:
        return LoadConfig(rate_rps=known, max_in_flight=cap or 4096)
    endless = isinstance(rate, float) and math.isinf(rate)  # all at once
    return LoadConfig(concurrency=cap or (whole(one.get("completed")) if endless else None) or 1)
