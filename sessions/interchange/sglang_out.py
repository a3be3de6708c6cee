"""A session as SGLang's `bench_serving --output-details` would have written it: a line, to be appended."""

from __future__ import annotations

import json
import math
from typing import Any

from sessions.interchange.stored_run import StoredRun, milliseconds, said_of, statistics

_PERCENTILES = (50.0, 90.0, 95.0, 99.0)
_NOT_OURS = (
    *("sharegpt_output_len", "random_input_len", "random_output_len", "random_range_ratio", "server_info"),
    *("accept_length", "max_output_tokens_per_s", "max_concurrent_requests"),
)
"""Keys that it always writes, and that nothing here answers."""


def write(run: StoredRun) -> dict[str, bytes]:
    """One file, of one line."""
    said, requests = run.summary, run.requests
    good = [one for one in requests if one.error is None]
    e2e_ms = [milliseconds(one.last_token_ns, one.sent_ns) or 0.0 for one in good]
    closed, seconds = said.load.concurrency, said.duration_s
    given, made_tokens = (
        sum(one.input_tokens or 0 for one in good),
        sum(one.output_tokens or 0 for one in good),
    )
    made: dict[str, Any] = {
        "tag": " ".join(said.badges) or None,
        "backend": "sglang-oai-chat" if said.endpoint == "chat" else "sglang-oai",
        "dataset_name": "ttftop",
        "model_id": said.model,  # a key of ours: it names no model
        "request_rate": math.inf if closed is not None else said.load.rate_rps,
        "max_concurrency": closed,
        **dict.fromkeys(_NOT_OURS),
        "duration": seconds,
        "completed": len(good),
        "total_input_tokens": given,
        "total_input_text_tokens": given,
        "total_input_vision_tokens": 0,
        "total_output_tokens": made_tokens,
        "total_output_tokens_retokenized": made_tokens,
        "request_throughput": said.throughput.request_rps,
        "input_throughput": said.throughput.input_tps,
        "output_throughput": said.throughput.output_tps,
        "total_throughput": said.throughput.total_tps,
        "concurrency": math.fsum(e2e_ms) / 1e3 / seconds if seconds else None,
        "input_lens": [one.input_tokens or 0 for one in requests],
        "output_lens": [0 if one.error else one.output_tokens or 0 for one in requests],
        "ttfts": [(milliseconds(one.first_token_ns, one.sent_ns) or 0.0) / 1e3 for one in requests],
        "itls": [[gap / 1e6 for gap in one.gaps_us] for one in requests],
        "generated_texts": [""] * len(requests),
        "errors": [said_of(one) for one in requests],
    }
    columns: dict[str, list[float | None]] = {
        "e2e_latency": list(e2e_ms),
        "ttft": [milliseconds(one.first_token_ns, one.sent_ns) for one in good],
        "tpot": [
            (milliseconds(one.last_token_ns, one.first_token_ns) or 0.0) / ((one.output_tokens or 2) - 1)
            for one in good
            if (one.output_tokens or 0) > 1 and one.first_token_ns is not None
        ],
        "itl": [gap / 1e3 for one in good for gap in one.gaps_us],
    }
    for metric, values in columns.items():
        known = [value for value in values if value is not None]
        found = statistics(known, _PERCENTILES, lambda p: f"p{p:g}")
        for name in ("mean", "p50", "std", "p90", "p95", "p99"):
            made[f"{'median' if name == 'p50' else name}_{metric}_ms"] = found.get(name, 0.0)
    return {"": json.dumps(made).encode() + b"\n"}  # `Infinity` stands there bare, as it writes it itself
