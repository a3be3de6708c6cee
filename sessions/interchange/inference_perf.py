"""inference-perf's reports: `per_request_lifecycle_metrics.json` with times, or a summary a stage."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from loadgen.records import Request, RequestError
from sessions.interchange.documents import (
    Document,
    known_beside,
    nanoseconds,
    number,
    numbers,
    table,
    text,
    whole,
)
from sessions.interchange.imported_run import ImportedRun, failure, gaps_of, settle
from sessions.plan.config import LoadConfig
from sessions.store.imported import ToolFigure

TOOL = "inference-perf"
_LATENCIES = {
    "request_latency": ("e2e_ms", "near"),
    "time_to_first_token": ("ttft_from_sent_ms", "near"),
    "time_per_output_token": ("tpot_ms", "same"),
    "inter_token_latency": ("itl_ms", "near"),
    "normalized_time_per_output_token": ("", ""),
}
_OURS = {
    "mean": "mean",
    "median": "p50",
    "p90": "p90",
    "p95": "p95",
    "p99": "p99",
    "min": "min",
    "max": "max",
}
_RATES = {
    "requests_per_sec": ("throughput.request_rps", "requests/s"),
    "output_tokens_per_sec": ("throughput.output_tps", "tokens/s"),
    "input_tokens_per_sec": ("throughput.input_tps", "tokens/s"),
    "total_tokens_per_sec": ("throughput.total_tps", "tokens/s"),
}
_IN_BAND = "inference-perf counts an answer that ended with an error inside its stream as a success"


def matches(document: Document) -> bool:
    first = document.values[0] if document.values else None
    if isinstance(first, list):
        item = table(first[0]) if first else {}
        return {"start_time", "end_time", "info"} <= set(item)
    one = table(first)
    # A file of the server's own figures (`*_prometheus_metrics.json`) looks alike, and has neither of these.
    return "load_summary" in one and bool({"latency", "throughput"} & set(table(one.get("successes"))))


def read(document: Document) -> list[ImportedRun]:
    """The run of one file: all requests of all stages, or one stage's (or all stages') summary."""
    first = document.values[0] if document.values else None
    if not isinstance(first, list):
        # What can be computed from requests is not imported a second time from a summary of them.
        if document.path.with_name("per_request_lifecycle_metrics.json").is_file():
            return []
        return [_summary(table(first), document.path.name)]
    run = ImportedRun(tool=TOOL, file=document.path.name, notes=[_IN_BAND])
    empty = 0
    for item in map(table, first):
        request = _request(item)
        if request is not None:
            empty += request.error is not None and request.error.kind == "no_tokens"
            run.requests.append(request)
    if empty:
        run.notes.append(
            f"{empty} answers without a token, which the tool counts as successes, are failures here"
        )
    if not run.requests:
        return []
    run.notes.append("a clock without a date; which stage a request was of is not written")
    begin_ns = min(one.due_ns for one in run.requests)
    last_due_ns = max(one.due_ns for one in run.requests)
    if last_due_ns > begin_ns:
        rate = (len(run.requests) - 1) / ((last_due_ns - begin_ns) / 1e9)
        run.load = LoadConfig(rate_rps=rate)
        run.notes.append("the rate is what was sent: the file does not say what was asked for")
    run.figures = _figures(known_beside(document, "summary_lifecycle_metrics.json"))
    return [settle(run, begin_ns)]


def _request(item: dict[str, Any]) -> Request | None:
    sent_ns, end_ns = nanoseconds(number(item.get("start_time"))), nanoseconds(number(item.get("end_time")))
    if sent_ns is None or end_ns is None:
        return None
    info = table(item.get("info"))
    got = table(info.get("response_metrics"))
    usage = table(got.get("server_usage"))
    times = [nanoseconds(t) or 0 for t in sorted(numbers(got.get("output_token_times")))]
    request = Request(index=0, worker=0, due_ns=sent_ns, sent_ns=sent_ns, end_ns=max(end_ns, sent_ns))
    request.input_tokens = whole(usage.get("prompt_tokens")) or whole(info.get("input_tokens"))
    request.output_tokens = whole(got.get("output_tokens"))
    if times and times[0] >= sent_ns:
        request.first_token_ns, request.last_token_ns = times[0], times[-1]
        request.chunks = len(times)
        request.gaps_us = gaps_of([(b - a) / 1e9 for a, b in pairwise(times)])
        request.end_ns = max(request.end_ns, times[-1])
    error = item.get("error")
    if error is not None:
        told = table(error)
        said = f"{text(told.get('error_type'), 60)} {text(told.get('error_msg'))}".strip() or text(error)
        request.error, request.status = failure(said, request.chunks > 0)
    elif not request.chunks and not request.output_tokens:
        request.error = RequestError("no_tokens")
    return request


def _summary(one: dict[str, Any], file: str) -> ImportedRun:
    load, good = table(one.get("load_summary")), table(one.get("successes"))
    rate = number(load.get("requested_rate")) or number(load.get("achieved_rate"))
    seconds = number(one.get("benchmark_time_seconds")) or number(load.get("send_duration"))
    run = ImportedRun(
        tool=TOOL,
        file=file,
        label=file.split("_lifecycle")[0],
        load=LoadConfig(rate_rps=rate) if rate and rate > 0 else LoadConfig(),
        succeeded=whole(good.get("count")),
        failed=whole(table(one.get("failures")).get("count")),
        span_ns=max(nanoseconds(seconds) or 0, 0),
        figures=_figures(one),
        notes=[_IN_BAND, "no times of requests (per_request is off by default): nothing to replay"],
    )
    late = number(table(load.get("schedule_delay")).get("mean"))
    if late is not None and late > 0.1:
        run.notes.append(
            f"the tool itself was late: requests left {late:.1f} s after they were due on average"
        )
    return run


def _figures(one: dict[str, Any]) -> list[ToolFigure]:
    made = []
    good = table(one.get("successes"))
    for name, found in table(good.get("latency")).items():
        metric, how = _LATENCIES.get(name, ("", ""))
        for stat, value in table(found).items():
            known = number(value)
            if known is not None:
                ours = f"{metric}.{_OURS[stat]}" if metric and stat in _OURS else ""
                made.append(
                    ToolFigure(
                        f"{text(name, 60)}.{text(stat, 10)}", known * 1e3, "ms", ours, how if ours else ""
                    )
                )
    for name, (ours, unit) in _RATES.items():
        value = number(table(good.get("throughput")).get(name))
        if value is not None:
            made.append(ToolFigure(name, value, unit, ours, "near"))
    for stat, value in table(table(one.get("load_summary")).get("schedule_delay")).items():
        known = number(value)
        if known is not None:
            made.append(ToolFigure(f"schedule_delay.{text(stat, 10)}", known * 1e3, "ms"))
    return made
