"""AIPerf's artifact directory: a line a request in `profile_export.jsonl`, and a summary beside it."""

from __future__ import annotations

import calendar
import re
from typing import Any

from loadgen.records import Request
from sessions.interchange.aiperf_gpus import gpu_records
from sessions.interchange.documents import (
    Document,
    nanoseconds,
    number,
    numbers,
    read_beside,
    rows,
    table,
    text,
    whole,
)
from sessions.interchange.imported_run import Arrivals, ImportedRun, failure, gaps_of, is_simulated, settle
from sessions.plan.config import LoadConfig
from sessions.store.imported import ToolFigure

TOOL = "AIPerf"
REQUESTS, SUMMARY, GPUS = "profile_export.jsonl", "profile_export_aiperf.json", "gpu_telemetry_export.jsonl"
_LATENCIES = {
    "time_to_first_token": ("ttft_from_sent_ms", "near"),
    "inter_token_latency": ("tpot_ms", "same"),
    "inter_chunk_latency": ("chunk_gap_ms", "same"),
    "request_latency": ("e2e_ms", "near"),
    "credit_to_start_latency": ("send_lag_ms", "near"),
    "effective_latency": ("e2e_ms", "near"),
}
_TOTALS = {
    "request_throughput": ("throughput.request_rps", "near"),
    "output_token_throughput": ("throughput.output_tps", "near"),
    "total_token_throughput": ("throughput.total_tps", "near"),
    "input_token_throughput": ("throughput.input_tps", "near"),
    "request_count": ("requests.succeeded", "same"),
    "error_request_count": ("requests.failed", "same"),
    "total_osl": ("tokens.output", "near"),
    "total_isl": ("tokens.input", "near"),
    "benchmark_duration": ("duration_s", "near"),
}
_OURS = {"avg": "mean", "p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "min": "min", "max": "max"}
_TO_MS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "sec": 1e3, "s": 1e3}
_QUARTER_S = 900
"""Every zone is a whole number of these from UTC."""
_LOCAL = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?")


def matches(document: Document) -> bool:
    one = document.first
    if "aiperf_version" in one and ("input_config" in one or "request_count" in one):
        return True
    return "credit_issued_ns" in table(one.get("metadata")) and isinstance(one.get("metrics"), dict)


def read(document: Document) -> list[ImportedRun]:
    """The run of the directory in which the file lies: its other files belong to it."""
    place = document.path.parent
    summary = document.first if "aiperf_version" in document.first else read_beside(document, SUMMARY).first
    lines = document.values if "metadata" in document.first else read_beside(document, REQUESTS).values
    config = table(summary.get("input_config"))
    endpoint = table(config.get("endpoint"))
    models = rows(table(config.get("models")).get("items"))
    run = ImportedRun(
        tool=TOOL,
        file=document.path.name,
        version=text(summary.get("aiperf_version"), 30),
        label=text(place.name, 60),
        simulated=is_simulated(summary.get("benchmark_id")),
        model=text(table(models[0]).get("name")) if models else "",
        target=text(next(iter(rows(endpoint.get("urls"))), ""), 300),
        endpoint=text(endpoint.get("type"), 20),
        load=_load(config),
        figures=_figures(summary),
        succeeded=whole(table(summary.get("request_count")).get("avg")),
        failed=whole(table(summary.get("error_request_count")).get("avg")),
    )
    run.notes.append("AIPerf counts an answer that ended with an error inside its stream as a success")
    if not summary:
        run.notes.append(
            "there is no summary of the tool's beside the requests: it writes none when all failed"
        )
    warm_up = 0
    for line in lines:
        about = table(table(line).get("metadata"))
        if about.get("benchmark_phase") == "warmup":
            warm_up += 1
        elif (request := _request(table(line), about)) is not None:
            run.requests.append(request)
    if warm_up:
        run.notes.append(f"{warm_up} requests of its warm-up are left out, as they are of the tool's figures")
    if not run.requests:
        run.notes.append("no times of requests: nothing to replay")
        return [run]
    same_reads = sum(one.gaps_us.count(0) for one in run.requests)
    gaps = sum(len(one.gaps_us) for one in run.requests)
    if gaps and same_reads > gaps / 10:
        run.notes.append(
            f"{same_reads} of {gaps} gaps between chunks are 0: AIPerf gives chunks of one read one time"
        )
    first_ns = min(one.due_ns for one in run.requests)
    window = _window_ns(summary, first_ns)
    run.telemetry = gpu_records(read_beside(document, GPUS).values)
    start_ns, end_ns = window or (first_ns, None)
    run.started_unix_ns = min(start_ns, first_ns)
    for record in run.telemetry:
        record.t_ns = max(record.t_ns - run.started_unix_ns, 0)  # type: ignore[attr-defined]
    return [settle(run, start_ns, end_ns)]


def _window_ns(summary: dict[str, Any], first_ns: int) -> tuple[int, int] | None:
    """`start_time` to `end_time`, over which it divides: local times, whose zone the first request tells."""
    start_ns, end_ns = _local_ns(summary.get("start_time")), _local_ns(summary.get("end_time"))
    if start_ns is None or end_ns is None or end_ns <= start_ns:
        return None
    zone_ns = round((first_ns - start_ns) / 1e9 / _QUARTER_S) * _QUARTER_S * 10**9
    return start_ns + zone_ns, end_ns + zone_ns


def _local_ns(value: Any) -> int | None:
    found = _LOCAL.match(value) if isinstance(value, str) else None
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[i]) for i in range(1, 7))
    if not 1970 <= year <= 2200 or not 1 <= month <= 12 or hour > 23 or minute > 59 or second > 60:
        return None
    if not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    return calendar.timegm((year, month, day, hour, minute, second)) * 10**9 + int(
        (found[7] or "0").ljust(9, "0")
    )


def _load(config: dict[str, Any]) -> LoadConfig:
    phases = [table(phase) for phase in rows(config.get("phases"))]
    phase = next((one for one in phases if one.get("kind") == "profiling"), phases[0] if phases else {})
    rate = number(phase.get("rate")) or number(phase.get("request_rate"))
    cap = whole(phase.get("concurrency"))
    if rate is not None and rate > 0:
        arrivals: Arrivals = "constant" if phase.get("type") == "constant" else "poisson"
        return LoadConfig(rate_rps=rate, arrivals=arrivals, max_in_flight=cap or 4096)
    return LoadConfig(concurrency=max(cap or 1, 1))


def _request(line: dict[str, Any], about: dict[str, Any]) -> Request | None:
    metrics = table(line.get("metrics"))
    sent_ns, due_ns = _wall_ns(about.get("request_start_ns")), _wall_ns(about.get("credit_issued_ns"))
    if sent_ns is None:
        return None

    def milliseconds(name: str) -> float | None:
        one = table(metrics.get(name))
        factor, value = _TO_MS.get(text(one.get("unit"), 10)), number(one.get("value"))
        return value * factor if factor is not None and value is not None else None

    due_ns = sent_ns if due_ns is None else min(due_ns, sent_ns)
    end_ns = max(_wall_ns(about.get("request_end_ns")) or sent_ns, sent_ns)
    request = Request(index=0, worker=0, due_ns=due_ns, sent_ns=sent_ns, end_ns=end_ns)
    request.headers_ns = _wall_ns(about.get("request_ack_ns"))
    request.input_tokens = whole(table(metrics.get("input_sequence_length")).get("value"))
    request.output_tokens = whole(table(metrics.get("output_sequence_length")).get("value"))
    request.turn = whole(about.get("turn_index")) or None
    ttft = milliseconds("time_to_first_token")
    latency = milliseconds("request_latency")
    chunks = table(metrics.get("inter_chunk_latency"))
    factor = _TO_MS.get(text(chunks.get("unit"), 10), 1.0)
    gaps = [gap * factor / 1e3 for gap in numbers(chunks.get("value"))]
    if ttft is not None:
        request.first_token_ns = sent_ns + (nanoseconds(ttft / 1e3) or 0)
        request.last_token_ns = request.first_token_ns
        request.chunks, request.gaps_us = len(gaps) + 1, gaps_of(gaps)
    if latency is not None:
        last_ns = sent_ns + (nanoseconds(latency / 1e3) or 0)
        request.end_ns = max(request.end_ns, last_ns)
        if request.first_token_ns is not None:
            request.last_token_ns = max(last_ns, request.first_token_ns)
    error = line.get("error")
    if error is not None or not metrics:
        told = table(error)
        said = f"{text(told.get('type'), 60)} {text(told.get('message'), 500)}".strip() or text(error)
        request.error, request.status = failure(said, request.chunks > 0, whole(told.get("code")))
    return request


def _wall_ns(value: Any) -> int | None:
    """Unix time in ns, of this century; kept whole, since a float of it has steps of 256 ns."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**62 else None


def _figures(summary: dict[str, Any]) -> list[ToolFigure]:
    made = []
    for name, one in summary.items():
        if not isinstance(one, dict) or not isinstance(one.get("unit"), str):
            continue
        unit = text(one["unit"], 20)
        for stat, value in one.items():
            known = number(value)
            if known is None or stat == "unit":
                continue
            ours, how = "", ""
            if name in _LATENCIES and stat in _OURS and unit == "ms":
                metric, how = _LATENCIES[name]
                ours = f"{metric}.{_OURS[stat]}"
            elif name in _TOTALS and stat == "avg":
                ours, how = _TOTALS[name]
            made.append(ToolFigure(f"{text(name, 60)}.{text(stat, 10)}", known, unit, ours, how))
    return made
