"""GuideLLM's `benchmarks.json`: several benchmarks, requests with start, first and last token (wall clock).

Its `inter_token_latency_ms` is TPOT weighted by tokens, never ITL: it keeps no times of single chunks.
"""

from __future__ import annotations

from typing import Any

from loadgen.records import Request
from sessions.interchange.documents import Document, nanoseconds, number, rows, table, text, whole
from sessions.interchange.imported_run import NO_CHUNK_TIMES, ImportedRun, failure, is_simulated, settle
from sessions.plan.config import LoadConfig
from sessions.store.imported import ToolFigure

TOOL = "GuideLLM"
_MS = {
    "time_to_first_token_ms": ("ttft_from_sent_ms", "near", 1.0),
    "inter_token_latency_ms": ("tpot_ms", "near", 1.0),
    "time_per_output_token_ms": ("", "", 1.0),
    "time_to_first_output_token_ms": ("", "", 1.0),
    "request_latency": ("e2e_ms", "near", 1e3),
    "request_scheduled_latency": ("e2e_ms", "near", 1e3),
    "request_dispatch_delay": ("send_lag_ms", "near", 1e3),
}
"""Its metrics of successes: ours, how near, and by what they are to be multiplied for ms."""
_RATES = {
    "requests_per_second": ("throughput.request_rps", "near"),
    "output_tokens_per_second": ("throughput.output_tps", "near"),
    "tokens_per_second": ("throughput.total_tps", "near"),
    "prompt_tokens_per_second": ("throughput.input_tps", "near"),
    "request_concurrency": ("", ""),
}
"""Time-weighted means of local rates, of all requests."""
_COUNTS = {"prompt_token_count": "tokens", "output_token_count": "tokens", "total_token_count": "tokens"}
_STATS = {"mean": "mean", "median": "p50", "min": "min", "max": "max"}
_PERCENTILES = {"p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99"}


def matches(document: Document) -> bool:
    one = document.first
    benchmarks = rows(one.get("benchmarks"))
    return (
        bool(benchmarks) and "scheduler_metrics" in table(benchmarks[0]) and "metrics" in table(benchmarks[0])
    )


def read(document: Document) -> list[ImportedRun]:
    """A run for each benchmark."""
    metadata = table(document.first.get("metadata"))
    version = text(metadata.get("guidellm_version"), 30)
    simulated = is_simulated(metadata.get("platform"))
    benchmarks = [table(one) for one in rows(document.first.get("benchmarks"))]
    return [
        _run(one, document.path.name, version, place if len(benchmarks) > 1 else None, simulated)
        for place, one in enumerate(benchmarks)
    ]


def _run(one: dict[str, Any], file: str, version: str, place: int | None, simulated: bool) -> ImportedRun:
    config, clock = table(one.get("config")), table(one.get("scheduler_metrics"))
    backend, strategy = table(config.get("backend")), table(config.get("strategy"))
    made = table(clock.get("requests_made"))
    how = text(strategy.get("type_"), 30)
    run = ImportedRun(
        tool=TOOL,
        file=file,
        version=version,
        label="" if place is None else f"benchmark {place} {how}",
        simulated=simulated,
        model=text(backend.get("model")),
        target=text(backend.get("target"), 300),
        endpoint="chat" if "chat" in text(backend.get("request_format"), 80) else "completions",
        load=_load(strategy, how),
        succeeded=whole(made.get("successful")),
        failed=whole(made.get("errored")),
        figures=_figures(table(one.get("metrics"))),
    )
    start_ns = _wall_ns(number(clock.get("measure_start_time")))
    end_ns = _wall_ns(number(clock.get("measure_end_time")))
    if start_ns is not None and end_ns is not None:
        run.span_ns = max(end_ns - start_ns, 0)
        run.figures.append(ToolFigure("measured", run.span_ns / 1e9, "s", "duration_s", "near"))
    run.notes.append(
        "GuideLLM's 'inter token latency' is TPOT weighted by tokens; it keeps no times of chunks"
    )
    run.notes.append(
        "its percentiles are values that occurred (inverse CDF): they may differ from these by a value"
    )
    requests = table(one.get("requests"))
    for state in ("successful", "errored", "incomplete"):
        for item in rows(requests.get(state)):
            if (request := _request(table(item), state)) is not None:
                run.requests.append(request)
    wanted = whole(made.get("total")) or 0
    if len(run.requests) < wanted:
        kept = len(run.requests)
        run.requests = []
        run.notes.append(f"only {kept} of {wanted} requests are in the file (sample_size): nothing to replay")
    if not run.requests:
        return run
    if start_ns is not None and end_ns is not None:
        inside = [one for one in run.requests if one.end_ns >= start_ns and _begun_ns(one) <= end_ns]
        if outside := len(run.requests) - len(inside):
            run.notes.append(
                f"{outside} requests outside the time it measured (warm-up, cool-down) are left out"
            )
        run.requests = inside or run.requests
    first_ns = min(request.due_ns for request in run.requests)
    begin_ns = first_ns if start_ns is None else min(start_ns, first_ns)
    run.started_unix_ns = begin_ns
    cancelled = sum(one.error is not None and one.error.kind == "unfinished" for one in run.requests)
    if cancelled:
        run.notes.append(f"{cancelled} of its requests were cancelled when it ended: cut off, not failed")
    return settle(run, begin_ns, end_ns)


def _begun_ns(request: Request) -> int:
    """When it was sent; of one that never was, when it was given up."""
    return request.end_ns if request.sent_ns is None else request.sent_ns


def _wall_ns(unix_s: float | None) -> int | None:
    """In steps of a microsecond: a float of unix seconds holds no more."""
    t_ns = nanoseconds(unix_s)
    return None if t_ns is None else round(t_ns / 1000) * 1000


def _load(strategy: dict[str, Any], how: str) -> LoadConfig:
    rate = number(strategy.get("rate"))
    if how in ("constant", "poisson") and rate is not None and rate > 0:
        return LoadConfig(rate_rps=rate, arrivals="constant" if how == "constant" else "poisson")
    slots = whole(strategy.get("streams")) or whole(strategy.get("max_concurrency")) or 1
    return LoadConfig(concurrency=slots)


def _request(item: dict[str, Any], state: str) -> Request | None:
    info = table(item.get("info"))
    times = {name: _wall_ns(number(value)) for name, value in table(info.get("timings")).items()}
    sent_ns, due_ns = times.get("request_start"), times.get("targeted_start")
    begun_ns = sent_ns if sent_ns is not None else times.get("resolve_start") or due_ns or times.get("queued")
    if begun_ns is None:
        return None
    due_ns = begun_ns if due_ns is None else min(due_ns, begun_ns)
    end_ns = (
        times.get("request_end") or times.get("resolve_end") or _wall_ns(number(item.get("request_end_time")))
    )
    request = Request(
        index=0, worker=0, due_ns=due_ns, sent_ns=sent_ns, end_ns=max(end_ns or begun_ns, begun_ns)
    )
    request.headers_ns = times.get("first_request_iteration")
    request.input_tokens = whole(item.get("prompt_tokens"))
    request.output_tokens = whole(item.get("output_tokens"))
    request.turn = whole(info.get("turn_index")) or None
    first_ns, last_ns = times.get("first_token_iteration"), times.get("last_token_iteration")
    if first_ns is not None and sent_ns is not None and first_ns >= sent_ns:
        request.first_token_ns = first_ns
        request.last_token_ns = max(last_ns or first_ns, first_ns)
        request.chunks = max(whole(table(info.get("timings")).get("token_iterations")) or 1, 1)
        request.flags = [NO_CHUNK_TIMES]
    if state == "errored":
        request.error, request.status = failure(
            text(item.get("error") or info.get("error")), request.chunks > 0
        )
    elif state == "incomplete":
        request.error, _ = failure("", False)
        request.error.kind = "unfinished"
    return request


def _figures(metrics: dict[str, Any]) -> list[ToolFigure]:
    made = []
    for name, (metric, how, factor) in _MS.items():
        found = table(table(metrics.get(name)).get("successful"))
        if not number(found.get("count")):
            continue  # no data reads 0.0 there
        made += _stats(f"{name}.successful", found, "ms", metric, how, factor)
    for name, (ours, how) in _RATES.items():
        value = number(table(table(metrics.get(name)).get("total")).get("mean"))
        if value is not None:
            made.append(ToolFigure(f"{name}.total.mean", value, "/s", ours, how if ours else ""))
    for name, unit in _COUNTS.items():
        made += _stats(
            f"{name}.successful", table(table(metrics.get(name)).get("successful")), unit, "", "", 1.0
        )
    return made


def _stats(
    name: str, found: dict[str, Any], unit: str, metric: str, how: str, factor: float
) -> list[ToolFigure]:
    values = [(stat, number(found.get(stat)), ours) for stat, ours in _STATS.items()]
    percentiles = table(found.get("percentiles"))
    values += [
        (stat, number(percentiles.get(stat)), ours) for stat, ours in _PERCENTILES.items() if stat != "p50"
    ]
    return [
        ToolFigure(f"{name}.{stat}", value * factor, unit, f"{metric}.{ours}" if metric else "", how)
        for stat, value, ours in values
        if value is not None
    ]
