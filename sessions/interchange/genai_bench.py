"""genai-bench: one JSON file a concurrency, `experiment_metadata.json` beside them. No times of requests."""

from __future__ import annotations

from sessions.interchange.documents import (
    Document,
    known_beside,
    nanoseconds,
    number,
    rows,
    table,
    text,
    whole,
)
from sessions.interchange.imported_run import ImportedRun
from sessions.plan.config import LoadConfig
from sessions.store.imported import ToolFigure

TOOL = "genai-bench"
_LATENCIES = {
    "ttft": ("ttft_from_sent_ms", "near"),
    "tpot": ("tpot_ms", "same"),
    "e2e_latency": ("e2e_ms", "near"),
}
_TIMES = (*_LATENCIES, "output_latency")
_OURS = ("mean", "p50", "p90", "p95", "p99", "min", "max")
_TOTALS = {
    "run_duration": ("duration_s", "near", "s"),
    "requests_per_second": ("throughput.request_rps", "near", "requests/s"),
    "mean_output_throughput_tokens_per_s": ("throughput.output_tps", "near", "tokens/s"),
    "mean_input_throughput_tokens_per_s": ("throughput.input_tps", "near", "tokens/s"),
    "mean_total_tokens_throughput_tokens_per_s": ("throughput.total_tps", "near", "tokens/s"),
    "num_completed_requests": ("requests.succeeded", "same", "requests"),
    "num_error_requests": ("requests.failed", "same", "requests"),
}


def matches(document: Document) -> bool:
    one = document.first
    return "num_concurrency" in table(one.get("aggregated_metrics")) and "individual_request_metrics" in one


def read(document: Document) -> list[ImportedRun]:
    """The run of one file."""
    one = document.first
    all_of_it = table(one.get("aggregated_metrics"))
    about = known_beside(document, "experiment_metadata.json")
    to_ms = 1.0 if one.get("_time_unit") == "ms" else 1e3
    stats = table(all_of_it.get("stats"))
    slots = max(whole(all_of_it.get("num_concurrency")) or 1, 1)
    kept = [table(item) for item in rows(one.get("individual_request_metrics"))]
    run = ImportedRun(
        tool=TOOL,
        file=document.path.name,
        version=text(about.get("benchmark_version"), 30),
        label=f"{text(all_of_it.get('scenario'), 40)} {slots}",
        model=text(about.get("model")),
        load=LoadConfig(concurrency=slots),
        succeeded=whole(all_of_it.get("num_completed_requests")),
        failed=whole(all_of_it.get("num_error_requests")),
        input_tokens=sum(whole(item.get("num_input_tokens")) or 0 for item in kept),
        output_tokens=sum(whole(item.get("num_output_tokens")) or 0 for item in kept),
        span_ns=max(nanoseconds(number(all_of_it.get("run_duration"))) or 0, 0),
    )
    for name, (ours, how, unit) in _TOTALS.items():
        value = number(all_of_it.get(name))
        if value is not None:
            run.figures.append(ToolFigure(name, value, unit, ours, how))
    for name, found in stats.items():
        metric, how = _LATENCIES.get(name, ("", ""))
        for stat, value in table(found).items():
            known = number(value)
            if known is not None:
                ours = f"{metric}.{stat}" if metric and stat in _OURS else ""
                known *= to_ms if name in _TIMES else 1.0
                unit = "ms" if name in _TIMES else ""
                run.figures.append(
                    ToolFigure(f"{text(name, 40)}.{text(stat, 10)}", known, unit, ours, how if ours else "")
                )
    run.notes.append("no times of requests are written: nothing to replay")
    if run.failed and not number(all_of_it.get("error_rate")):
        run.notes.append(f"its error_rate says 0 while {run.failed} requests failed")
    counted = whole(table(stats.get("e2e_latency")).get("count"))
    if counted is None and run.succeeded and len(kept) > run.succeeded + (run.failed or 0):
        run.notes.append(
            "requests of its warm-up and cool-down are in its request rate, not in its latencies"
        )
    return [run]
