"""vLLM's `bench serve --save-result`: one JSON object, or one a line; `run=N.json` of a sweep.

With `--save-detailed` each request has its start (on a clock without a date), TTFT and gaps between chunks.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from loadgen.records import Request
from sessions.interchange.documents import Document, nanoseconds, number, numbers, rows, text, whole
from sessions.interchange.flat_figures import flat_figures
from sessions.interchange.imported_run import Arrivals, ImportedRun, failure, gaps_of, is_simulated, settle
from sessions.plan.config import LoadConfig
from sessions.plan.ramp import Ramp

TOOL = "vLLM bench serve"
_LATENCIES = {
    "ttft": ("ttft_from_sent_ms", "near"),
    "tpot": ("tpot_ms", "same"),
    "itl": ("chunk_gap_ms", "same"),
    "e2el": ("e2e_ms", "near"),
    "client_queue_time": ("send_lag_ms", "near"),
    "e2el_including_client_queue": ("e2e_ms", "near"),
}
_TOTALS = {
    "completed": ("requests.succeeded", "same", "requests"),
    "failed": ("requests.failed", "same", "requests"),
    "duration": ("duration_s", "same", "s"),
    "total_input_tokens": ("tokens.input", "same", "tokens"),
    "total_output_tokens": ("tokens.output", "same", "tokens"),
    "request_throughput": ("throughput.request_rps", "same", "requests/s"),
    "output_throughput": ("throughput.output_tps", "same", "tokens/s"),
    "total_token_throughput": ("throughput.total_tps", "same", "tokens/s"),
    "request_goodput": ("", "", "requests/s"),
    "max_output_tokens_per_s": ("", "", "chunks/s"),
    "max_concurrent_requests": ("", "", "requests"),
}
_OURS = {"mean": "mean", "median": "p50", "p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99"}
"""Its statistics, numpy's linear percentiles, that a summary of ours has too."""


def matches(document: Document) -> bool:
    one = document.first
    return "request_throughput" in one and "total_token_throughput" in one and "model_id" in one


def read(document: Document) -> list[ImportedRun]:
    """A run for each object."""
    several = len(document.values) > 1
    found = []
    for place, one in enumerate(document.values, 1):
        if isinstance(one, dict) and matches(Document(document.path, [one])):
            found.append(_run(one, document.path.name, f"line {place}" if several else ""))
    return found


def _run(one: dict[str, Any], file: str, label: str) -> ImportedRun:
    run = ImportedRun(
        tool=TOOL,
        file=file,
        label=label or text(one.get("label"), 60),
        simulated=is_simulated(one.get("label")),
        model=text(one.get("model_id"), 200),
        endpoint={"openai-chat": "chat", "openai": "completions"}.get(text(one.get("endpoint_type"), 40), ""),
        load=_load(one),
        ended_local=text(one.get("date"), 20),
        succeeded=whole(one.get("completed")),
        failed=whole(one.get("failed")),
        input_tokens=whole(one.get("total_input_tokens")),
        output_tokens=whole(one.get("total_output_tokens")),
        figures=flat_figures(one, _TOTALS, _LATENCIES, _OURS),
    )
    run.span_ns = nanoseconds(number(one.get("duration"))) or 0
    run.notes.append(
        "vLLM counts an answer that ended with an error inside its stream as a success with few tokens: such "
        "answers cannot be told from short ones here"
    )
    starts = rows(one.get("start_times"))
    if not starts or len(starts) != len(rows(one.get("ttfts"))):
        if run.failed and rows(one.get("latencies")):
            run.notes.append(
                f"its lists hold {run.failed} failed requests as 0.0 without saying which: not read"
            )
        run.notes.append("no times of requests (--save-detailed was not given): nothing to replay")
        return run
    run.requests = _requests(one, len(starts))
    if len(run.requests) < len(starts):
        run.notes.append(
            f"{len(starts) - len(run.requests)} of {len(starts)} requests have no start and are left out"
        )
    if not run.requests:
        return run
    last_ns = max(each.end_ns for each in run.requests)
    if run.load.concurrency is None:
        run.load_over_ns = max(each.due_ns for each in run.requests)
    run.notes.append(
        "the file has a clock without a date: time 0 is its duration before the last token, and what came "
        "after that token is not known"
    )
    return settle(run, last_ns - run.span_ns, last_ns)


def _load(one: dict[str, Any]) -> LoadConfig:
    cap, rate = whole(one.get("max_concurrency")), number(one.get("request_rate"))
    count = whole(one.get("num_prompts"))
    said = one.get("burstiness")
    burstiness = 1e6 if said == math.inf else number(said)
    if burstiness is None or burstiness <= 0 or burstiness == 1.0:
        arrivals: Arrivals = "poisson"
        burstiness = 1.0
    else:
        arrivals = "constant" if burstiness > 100 else "gamma"
    first, last = number(one.get("ramp_up_start_rps")), number(one.get("ramp_up_end_rps"))
    duration_s = number(one.get("duration")) or 0.0
    if first and last and duration_s > 0 and first > 0 and last > 0:
        shape: Literal["linear", "exp"] = "exp" if one.get("ramp_up_strategy") == "exponential" else "linear"
        return LoadConfig(
            rate_rps=first,
            ramp=Ramp(first, last, duration_s, shape),
            arrivals=arrivals,
            max_in_flight=cap or 4096,
        )
    if rate is not None and rate > 0:
        return LoadConfig(rate_rps=rate, arrivals=arrivals, burstiness=burstiness, max_in_flight=cap or 4096)
    return LoadConfig(concurrency=max(cap or count or 1, 1))  # "inf": all at once, or as many as the cap lets


def _requests(one: dict[str, Any], count: int) -> list[Request]:
    def column(name: str) -> list[Any]:
        found = rows(one.get(name))
        return found + [None] * (count - len(found))

    columns = (
        *("start_times", "ttfts", "itls", "latencies", "queue_times", "input_lens", "output_lens", "errors"),
    )
    made = []
    for start, ttft, itls, latency, queued, given, output, error in zip(*map(column, columns), strict=False):
        sent_ns = nanoseconds(number(start))
        if sent_ns is None:
            continue
        gaps = numbers(itls)
        first_ns = nanoseconds(number(ttft))
        wait_ns = max(nanoseconds(number(queued)) or 0, 0)
        said = error if isinstance(error, str) else ""
        request = Request(index=0, worker=0, due_ns=sent_ns - wait_ns, sent_ns=sent_ns, end_ns=sent_ns)
        request.input_tokens = whole(given)
        request.output_tokens = whole(output)
        # A failure has 0.0 where nothing came, and so has a success without a token.
        if first_ns is not None and first_ns > 0:
            request.first_token_ns = sent_ns + first_ns
            request.chunks, request.gaps_us = len(gaps) + 1, gaps_of(gaps)
            latency_ns = nanoseconds(number(latency)) or 0
            through_ns = first_ns + sum(nanoseconds(gap) or 0 for gap in gaps)
            request.last_token_ns = sent_ns + (latency_ns if latency_ns >= first_ns else through_ns)
            request.end_ns = request.last_token_ns
        if said:
            request.error, request.status = failure(said, request.chunks > 0)
        made.append(request)
    return made


def request_rate(load: LoadConfig) -> float | str:
    """As its files have it: a closed loop, and a ramp, are the text `inf`."""
    return "inf" if load.concurrency is not None or load.ramp is not None else load.rate_rps
