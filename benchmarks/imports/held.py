"""The figures of other tools, by their own definitions, of what a session of ours holds of their runs.

A figure that is in no table here needs something that no timeline of ours has; `expected.json` says what.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from loadgen.records import Request
from sessions.interchange.stored_run import StoredRun


class Weighted(NamedTuple):
    """Values, each with its weight; seconds or counts as the tool has them."""

    values: list[float]
    weights: list[float]


Values = list[float] | Weighted
Held = Callable[[StoredRun, list[Request]], "Values | float | None"]
"""Of a session and its requests that count (all of them, or those of one state)."""


def good(requests: list[Request]) -> list[Request]:
    return [one for one in requests if one.error is None]


def _span(one: Request, since: str, to: str) -> float | None:
    begin, end = getattr(one, since), getattr(one, to)
    return None if begin is None or end is None else float(end - begin)


def _of_each(since: str, to: str, per_s: float, failures: bool = False) -> Held:
    def held(_: StoredRun, requests: list[Request]) -> Values:
        chosen = requests if failures else good(requests)
        spans = (_span(one, since, to) for one in chosen)
        return [span / 1e9 * per_s for span in spans if span is not None]

    return held


def _to_last(per_s: float) -> Held:
    """From sending to the last token, or to the end where there was none."""

    def held(_: StoredRun, requests: list[Request]) -> Values:
        return [
            ((one.end_ns if one.last_token_ns is None else one.last_token_ns) - one.sent_ns) / 1e9 * per_s
            for one in good(requests)
            if one.sent_ns is not None
        ]

    return held


def _decoded(requests: list[Request]) -> list[tuple[float, int]]:
    """Nanoseconds from first to last token, and tokens after the first, where there are any."""
    return [
        (span, one.output_tokens - 1)
        for one in good(requests)
        if (span := _span(one, "first_token_ns", "last_token_ns")) is not None
        if one.output_tokens is not None and one.output_tokens > 1
    ]


def tpot_ms(_: StoredRun, requests: list[Request]) -> Values:
    return [span / later / 1e6 for span, later in _decoded(requests)]


def tpot_weighted_ms(_: StoredRun, requests: list[Request]) -> Values:
    found = _decoded(requests)
    return Weighted([span / later / 1e6 for span, later in found], [float(later) for _, later in found])


def gaps_ms(_: StoredRun, requests: list[Request]) -> Values:
    return [gap / 1e3 for one in good(requests) for gap in one.gaps_us]


def _second_token_ms(_: StoredRun, requests: list[Request]) -> Values:
    return [one.gaps_us[0] / 1e3 for one in good(requests) if one.gaps_us]


def _from_sent_over_tokens_ms(_: StoredRun, requests: list[Request]) -> Values:
    found = [
        (span, one.output_tokens)
        for one in good(requests)
        if (span := _span(one, "sent_ns", "last_token_ns")) is not None
        if one.first_token_ns is not None and one.output_tokens
    ]
    return Weighted([span / count / 1e6 for span, count in found], [float(count) for _, count in found])


def _tokens_per_s(of_decode: bool) -> Held:
    def held(_: StoredRun, requests: list[Request]) -> Values:
        if of_decode:
            return [1e9 * later / span for span, later in _decoded(requests) if span > 0]
        return [
            1e9 * one.output_tokens / ((one.last_token_ns or one.end_ns) - one.sent_ns)
            for one in good(requests)
            if one.output_tokens and one.sent_ns is not None
        ]

    return held


def _tokens(*names: str) -> Held:
    def held(_: StoredRun, requests: list[Request]) -> Values:
        return [float(sum(getattr(one, name) or 0 for name in names)) for one in requests]

    return held


def _good_tokens(name: str) -> Held:
    def held(_: StoredRun, requests: list[Request]) -> Values:
        return [float(getattr(one, name)) for one in good(requests) if getattr(one, name) is not None]

    return held


def _of_summary(path: str, factor: float = 1.0) -> Held:
    def held(run: StoredRun, _: list[Request]) -> float | None:
        value: object = run.summary
        for name in path.split("."):
            value = getattr(value, name)
        return None if value is None else float(value) * factor  # type: ignore[arg-type]

    return held


def _over_their_time(name: str | None) -> Held:
    """Per second from the first request that was sent to the last end, whatever became of them."""

    def held(_: StoredRun, requests: list[Request]) -> float:
        sent = [one.sent_ns for one in requests if one.sent_ns is not None]
        seconds = (max(one.end_ns for one in requests) - min(sent)) / 1e9
        made = good(requests)
        return (len(made) if name is None else sum(getattr(one, name) or 0 for one in made)) / seconds

    return held


def _benchmark_s(_: StoredRun, requests: list[Request]) -> float:
    sent = [one.sent_ns for one in requests if one.sent_ns is not None]
    return (max(one.end_ns for one in good(requests)) - min(sent)) / 1e9


def _error_share(run: StoredRun, _: list[Request]) -> float:
    return 100 * run.summary.requests.failed / run.summary.requests.sent


def _busy(run: StoredRun, requests: list[Request]) -> float:
    """Mean number of requests under way: of it only the mean."""
    seconds = sum(one.end_ns - one.sent_ns for one in requests if one.sent_ns is not None) / 1e9
    return seconds / run.summary.duration_s


_TTFT_MS = _of_each("sent_ns", "first_token_ns", 1e3)
TOOLS: Mapping[str, Mapping[str, Held]] = {
    "vllm": {
        "completed": _of_summary("requests.succeeded"),
        "failed": _of_summary("requests.failed"),
        "duration": _of_summary("duration_s"),
        "input_tokens": _of_summary("tokens.input"),
        "output_tokens": _of_summary("tokens.output"),
        "request_throughput": _of_summary("throughput.request_rps"),
        "output_throughput": _of_summary("throughput.output_tps"),
        "total_token_throughput": _of_summary("throughput.total_tps"),
        "request_rate": _of_summary("load.rate_rps"),
        "ttft": _TTFT_MS,
        "tpot": tpot_ms,
        "itl": gaps_ms,
        "e2el": _of_each("sent_ns", "last_token_ns", 1e3),
        "client_queue_time": _of_each("due_ns", "sent_ns", 1e3, failures=True),
        "e2el_including_client_queue": _of_each("due_ns", "last_token_ns", 1e3),
    },
    "aiperf": {
        "benchmark_duration": _benchmark_s,
        "completed_request_count": _of_summary("requests.sent"),  # successes and failures
        "request_count": _of_summary("requests.succeeded"),
        "request_error_rate": _error_share,
        "request_throughput": _of_summary("throughput.request_rps"),
        "output_token_throughput": _of_summary("throughput.output_tps"),
        "input_token_throughput": _of_summary("throughput.input_tps"),
        "time_to_first_token": _TTFT_MS,
        "time_to_second_token": _second_token_ms,
        "request_latency": _to_last(1e3),
        "decode_duration": _of_each("first_token_ns", "last_token_ns", 1e3),
        "inter_token_latency": tpot_ms,
        "output_sequence_length": _good_tokens("output_tokens"),
        "input_sequence_length": _good_tokens("input_tokens"),
        "effective_latency": _of_each("due_ns", "end_ns", 1e3, failures=True),
        "credit_to_start_latency": _of_each("due_ns", "sent_ns", 1e3, failures=True),
        "output_token_throughput_per_user": _tokens_per_s(of_decode=True),
        "e2e_output_token_throughput": _tokens_per_s(of_decode=False),
        "effective_concurrency": _busy,
    },
    "guidellm": {
        "duration": _of_summary("duration_s"),
        "requests": lambda _, requests: float(len(requests)),
        "output_tokens": _tokens("output_tokens"),
        "input_tokens": _tokens("input_tokens"),
        "total_tokens": _tokens("input_tokens", "output_tokens"),
        "request_latency": _of_each("sent_ns", "end_ns", 1.0),
        "time_to_first_token": _TTFT_MS,
        "time_to_first_output_token": _TTFT_MS,
        "inter_token_latency": tpot_weighted_ms,
        "time_per_output_token": _from_sent_over_tokens_ms,
    },
    "inference-perf": {
        "request_throughput": _over_their_time(None),
        "output_throughput": _over_their_time("output_tokens"),
        "input_throughput": _over_their_time("input_tokens"),
        "request_latency": _of_each("sent_ns", "end_ns", 1e3),
        "time_to_first_token": _TTFT_MS,
        "time_per_output_token": tpot_ms,
        "inter_token_latency": gaps_ms,
    },
    "evalscope": {
        "request_throughput": _over_their_time(None),
        "output_throughput": _over_their_time("output_tokens"),
        "e2e": _to_last(1.0),
        "ttft": _TTFT_MS,
        "tpot": tpot_ms,
        "itl": gaps_ms,
        "input_tokens": _good_tokens("input_tokens"),
        "output_tokens": _good_tokens("output_tokens"),
    },
}
PERCENTILES: Mapping[str, str] = {"guidellm": "inverse", "evalscope": "nearest"}
"""How a tool takes them; the others interpolate, as numpy does."""


TIE = 1e-12
"""Where a share of the weight falls between two values, rounding decides: below it the lower is taken."""


def statistic(values: Values, name: str, percentiles: str = "linear", tie: float = TIE) -> float | None:
    """One number of many; None where there is none, or the name says of none that is known."""
    known, weights = values if isinstance(values, Weighted) else (values, [1.0] * len(values))
    v, w = np.asarray(known, float), np.asarray(weights, float)
    if not len(v):
        return 0.0 if percentiles == "inverse" else None
    if name in ("mean", "avg"):
        return float((v * w).sum() / w.sum())
    if name == "count":
        return float(len(v))
    if name in ("min", "max", "sum", "std"):
        return float(getattr(v, name)())
    found = re.fullmatch(r"p([\d.]+)|median", name)
    if found is None:
        return None
    share = float(found[1] or 50) / 100
    if percentiles == "linear":
        return float(np.percentile(v, 100 * share))
    if percentiles == "nearest":
        return float(np.sort(v)[max(math.ceil(share * len(v)) - 1, 0)])
    order = np.argsort(v, kind="stable")
    below = np.cumsum(w[order]) / w.sum()
    return float(v[order][min(np.searchsorted(below, share - tie), len(v) - 1)])
