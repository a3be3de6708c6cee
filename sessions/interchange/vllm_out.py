"""A session as vLLM's `bench serve --save-result --save-detailed` would have written it."""

from __future__ import annotations

import json
from typing import Any

from sessions.interchange.stored_run import StoredRun, milliseconds, said_of, statistics
from sessions.interchange.wall_clock import compact, offset_s

_BURSTINESS = {"poisson": 1.0, "constant": 1e6}
_PERCENTILES = (50.0, 90.0, 95.0, 99.0)


def write(run: StoredRun) -> dict[str, bytes]:
    """One file, of one JSON object."""
    said, requests = run.summary, run.requests
    good = [one for one in requests if one.error is None]
    closed = said.load.concurrency
    made: dict[str, Any] = {
        "date": compact(run.begun_unix_s + said.duration_s + offset_s(said.started_at)),  # of its end, local
        "endpoint_type": "openai-chat" if said.endpoint == "chat" else "openai",
        "backend": "openai-chat" if said.endpoint == "chat" else "openai",
        "label": " ".join(said.badges) or None,
        "model_id": said.model,
        "num_prompts": len(requests),
        "request_rate": "inf" if closed is not None else said.load.rate_rps,
        "burstiness": _BURSTINESS.get(said.load.arrivals, said.load.burstiness),
        "max_concurrency": closed if closed is not None else said.load.max_in_flight,
        "duration": said.duration_s,
        "completed": len(good),
        "failed": len(requests) - len(good),
        "total_input_tokens": sum(one.input_tokens or 0 for one in good),
        "total_output_tokens": sum(one.output_tokens or 0 for one in good),
        "request_throughput": said.throughput.request_rps,
        "request_goodput": None,
        "output_throughput": said.throughput.output_tps,
        "total_token_throughput": said.throughput.total_tps,
        "input_lens": [one.input_tokens or 0 for one in requests],
        "output_lens": [one.output_tokens or 0 for one in requests],
        "ttfts": [(milliseconds(one.first_token_ns, one.sent_ns) or 0.0) / 1e3 for one in requests],
        "itls": [[gap / 1e6 for gap in one.gaps_us] for one in requests],
        "latencies": [(milliseconds(one.last_token_ns, one.sent_ns) or 0.0) / 1e3 for one in requests],
        "start_times": [(one.sent_ns or 0) / 1e9 for one in requests],
        "queue_times": [((one.sent_ns or one.due_ns) - one.due_ns) / 1e9 for one in requests],
        "generated_texts": [""] * len(requests),
        "errors": [said_of(one) for one in requests],
    }
    later = [one for one in good if (one.output_tokens or 0) > 1 and one.first_token_ns is not None]
    columns: dict[str, list[float | None]] = {
        "ttft": [milliseconds(one.first_token_ns, one.sent_ns) for one in good],
        "tpot": [
            (milliseconds(one.last_token_ns, one.first_token_ns) or 0.0) / ((one.output_tokens or 2) - 1)
            for one in later
        ],
        "itl": [gap / 1e3 for one in good for gap in one.gaps_us],
        "e2el": [milliseconds(one.last_token_ns, one.sent_ns) for one in good],
    }
    for metric, values in columns.items():
        known = [value for value in values if value is not None]
        for name, value in statistics(known, _PERCENTILES, lambda p: f"p{p:g}").items():
            if name not in ("min", "max"):
                made[f"{'median' if name == 'p50' else name}_{metric}_ms"] = value
    return {"": json.dumps(made, allow_nan=False).encode() + b"\n"}
