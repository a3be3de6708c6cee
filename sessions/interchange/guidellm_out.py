"""A session as a `benchmarks.json` of GuideLLM: one benchmark, its requests and statistics."""

from __future__ import annotations

import json
from typing import Any

from loadgen.records import Request
from sessions.interchange.stored_run import StoredRun, said_of

_DIGITS = ("001", "01", "05", "10", "25", "50", "75", "90", "95", "99", "999")
_PERCENTILES = {f"p{text}": float(f"0.{text}") for text in _DIGITS}


def write(run: StoredRun) -> dict[str, bytes]:
    """One file. Times are seconds of the wall clock, so a microsecond is as fine as they come."""
    said = run.summary
    kept: dict[str, list[Request]] = {"successful": [], "errored": [], "incomplete": []}
    for one in (*run.requests, *run.not_sent):
        kind = None if one.error is None else one.error.kind
        kept["successful" if kind is None else "incomplete" if kind == "unfinished" else "errored"].append(
            one
        )
    first_s = run.begun_unix_s
    closed = said.load.concurrency
    strategy = (
        {"type_": "concurrent", "streams": closed}
        if closed is not None
        else {"type_": said.load.arrivals, "rate": said.load.rate_rps}
    )
    counts = {state: len(requests) for state, requests in kept.items()}
    benchmark = {
        "type_": "generative_benchmark",
        "config": {
            "strategy": strategy,
            "backend": {
                "target": said.target,
                "model": said.model,
                "request_format": "/v1/chat/completions" if said.endpoint == "chat" else "/v1/completions",
            },
        },
        "scheduler_metrics": {
            "start_time": first_s,
            "measure_start_time": first_s,
            "measure_end_time": first_s + said.duration_s,
            "end_time": first_s + said.duration_s,
            "requests_made": counts | {"total": sum(counts.values())},
        },
        "metrics": _metrics(kept["successful"]),
        "requests": {
            state: [_item(one, run.origin_unix_ns) for one in requests] for state, requests in kept.items()
        },
        "start_time": first_s,
        "end_time": first_s + said.duration_s,
        "duration": said.duration_s,
    }
    metadata = {"version": 2, "guidellm_version": "0.8.1"}
    if said.badges:  # what made it is the one free text there
        metadata["platform"] = f"ttftop {' '.join(said.badges)}"
    made = {"metadata": metadata, "benchmarks": [benchmark]}
    return {"": json.dumps(made, allow_nan=False).encode() + b"\n"}


def _item(one: Request, origin_ns: int) -> dict[str, Any]:
    def wall_s(t_ns: int | None) -> float | None:
        return None if t_ns is None else (origin_ns + t_ns) / 1e9

    timings = {
        "targeted_start": wall_s(one.due_ns),
        "request_start": wall_s(one.sent_ns),
        "first_request_iteration": wall_s(one.headers_ns),
        "first_token_iteration": wall_s(one.first_token_ns),
        "last_token_iteration": wall_s(one.last_token_ns),
        "token_iterations": one.chunks,
        "request_end": wall_s(one.end_ns) if one.error is None else None,
        "resolve_end": wall_s(one.end_ns),
    }
    return {
        "info": {"timings": timings, "turn_index": one.turn or 0, "error": said_of(one) or None},
        "request_start_time": timings["request_start"],
        "request_end_time": timings["resolve_end"],
        "prompt_tokens": one.input_tokens,
        "output_tokens": one.output_tokens,
    }


def _metrics(good: list[Request]) -> dict[str, Any]:
    streamed = [
        (one, one.first_token_ns, one.last_token_ns)
        for one in good
        if one.first_token_ns is not None and one.last_token_ns is not None
    ]
    ttft = [((first - (one.sent_ns or 0)) / 1e6, 1) for one, first, _ in streamed]
    # Weighted by the tokens that it is a mean of, as the tool's own.
    later = [
        ((last - first) / 1e6 / ((one.output_tokens or 2) - 1), (one.output_tokens or 2) - 1)
        for one, first, last in streamed
        if (one.output_tokens or 0) > 1
    ]
    whole = [((one.end_ns - (one.sent_ns or 0)) / 1e9, 1) for one in good]
    named = {
        "time_to_first_token_ms": ttft,
        "inter_token_latency_ms": later,
        "request_latency": whole,
        "prompt_token_count": [(float(one.input_tokens), 1) for one in good if one.input_tokens is not None],
        "output_token_count": [
            (float(one.output_tokens), 1) for one in good if one.output_tokens is not None
        ],
    }
    return {name: {"successful": _distribution(values)} for name, values in named.items() if values}


def _distribution(weighted: list[tuple[float, int]]) -> dict[str, Any]:
    """Of values with weights: percentiles are the smallest value below which so much of the weight lies."""
    ordered = sorted(weighted)
    total = sum(weight for _, weight in ordered)

    def at(share: float) -> float:
        below = 0
        for value, weight in ordered:
            below += weight
            if below >= share * total:
                return value
        return ordered[-1][0]

    mean = sum(value * weight for value, weight in ordered) / total
    variance = sum(weight * (value - mean) ** 2 for value, weight in ordered) / total
    return {
        "mean": mean,
        "median": at(0.5),
        "variance": variance,
        "std_dev": variance**0.5,
        "min": ordered[0][0],
        "max": ordered[-1][0],
        "count": total,
        "percentiles": {name: at(share) for name, share in _PERCENTILES.items()},
    }
