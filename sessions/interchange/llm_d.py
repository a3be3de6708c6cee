"""llm-d's Benchmark Report 0.2.1 as JSON: aggregates of a run, whichever tool made it. No single requests.

Source: as of `llm_d_out`. Its own files are YAML, for which there is no reader here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sessions.interchange.documents import Document, number, rows, table, text, whole
from sessions.interchange.imported_run import ImportedRun, is_simulated
from sessions.interchange.wall_clock import unix_ns
from sessions.plan.config import LoadConfig
from sessions.store.imported import ToolFigure

TOOL = "llm-d benchmark report"
_LATENCIES = {
    "time_to_first_token": "ttft_from_sent_ms",
    "time_per_output_token": "tpot_ms",
    "inter_token_latency": "chunk_gap_ms",
    "request_latency": "e2e_ms",
}
_RATES = {
    "request_rate": "throughput.request_rps",
    "input_token_rate": "throughput.input_tps",
    "output_token_rate": "throughput.output_tps",
    "total_token_rate": "throughput.total_tps",
}
_OURS = ("mean", "p50", "p90", "p95", "p99", "min", "max")
_TO_MS = {"s": 1e3, "s/token": 1e3, "ms": 1.0, "ms/token": 1.0}


def matches(document: Document) -> bool:
    one = document.first
    performance = table(table(one.get("results")).get("request_performance"))
    return (
        isinstance(one.get("version"), str) and "uid" in table(one.get("run")) and "aggregate" in performance
    )


def read(document: Document) -> list[ImportedRun]:
    """The one run of a report."""
    one = document.first
    about, scenario = table(one.get("run")), table(table(one.get("scenario")).get("load"))
    load, native = table(scenario.get("standardized")), table(table(scenario.get("native")).get("config"))
    found = table(table(table(one.get("results")).get("request_performance")).get("aggregate"))
    requests = table(found.get("requests"))
    total, failed = whole(requests.get("total")), whole(requests.get("failures"))
    cut_off = whole(requests.get("incomplete")) or 0
    begun, ended = (unix_ns(table(about.get("time")).get(name)) for name in ("start", "end"))
    run = ImportedRun(
        tool=TOOL,
        file=document.path.name,
        version=text(one.get("version"), 30),
        label=text(about.get("description"), 60),
        simulated=any(is_simulated(word) for word in rows(about.get("keywords"))),
        model=text(native.get("model")),
        load=_asked(load),
        started_unix_ns=begun,
        span_ns=max(ended - begun, 0) if begun is not None and ended is not None else 0,
        succeeded=None if total is None else max(total - (failed or 0) - cut_off, 0),
        failed=failed,
        figures=list(_figures(found)),
    )
    for name in ("input", "output"):
        mean = number(table(requests.get(f"{name}_length")).get("mean"))
        if mean is not None and run.succeeded is not None:
            setattr(run, f"{name}_tokens", round(mean * run.succeeded))
    made_by = f"{text(load.get('tool'), 40)} {text(load.get('tool_version'), 30)}".strip()
    run.notes.append(f"measured by {made_by or 'a tool that it does not name'}, by that tool's definitions")
    run.notes.append("a report has no single requests: nothing to replay")
    return [run]


def _asked(load: dict[str, Any]) -> LoadConfig:
    rate, slots = number(load.get("rate_qps")), whole(load.get("concurrency"))
    if rate is not None and rate > 0:
        return LoadConfig(rate_rps=rate)
    return LoadConfig(concurrency=max(slots or 1, 1))


def _figures(found: dict[str, Any]) -> Iterator[ToolFigure]:
    for part in ("requests", "latency", "throughput"):
        for name, value in table(found.get(part)).items():
            named = text(name, 60)
            if (count := number(value)) is not None:
                yield ToolFigure(named, count, "requests", *_of_requests(name))
            unit = text(table(value).get("units"), 20)
            for stat, raw in table(value).items():
                if (known := number(raw)) is None:
                    continue
                ours = f"{_LATENCIES[name]}.{stat}" if name in _LATENCIES and stat in _OURS else ""
                ours = _RATES.get(name, ours) if stat == "mean" else ours
                in_ms = part == "latency" and unit in _TO_MS
                known *= _TO_MS[unit] if in_ms else 1.0
                shown = "ms" if in_ms else unit
                yield ToolFigure(f"{named}.{text(stat, 10)}", known, shown, ours, "near" if ours else "")


def _of_requests(name: str) -> tuple[str, str]:
    ours = {"total": "requests.sent", "failures": "requests.failed"}.get(name, "")
    return ours, "near" if ours else ""
