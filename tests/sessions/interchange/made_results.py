"""Small results in the shapes of other tools, of our own making: every time is a round number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

START_NS = 1_790_000_000_000_000_000
"""Of the tools that know the wall clock."""


def vllm(detailed: bool = True, **other: Any) -> dict[str, Any]:
    """Three requests: two answered, one refused with HTTP 500; 100.0 s is when the first was sent."""
    made: dict[str, Any] = {
        "date": "20260921-120000",
        "endpoint_type": "openai-chat",
        "label": None,
        "model_id": "m",
        "num_prompts": 3,
        "request_rate": 10.0,
        "burstiness": 1.0,
        "max_concurrency": None,
        "duration": 0.5,
        "completed": 2,
        "failed": 1,
        "total_input_tokens": 20,
        "total_output_tokens": 5,
        "request_throughput": 4.0,
        "request_goodput": None,
        "output_throughput": 10.0,
        "total_token_throughput": 50.0,
        "latencies": [0.2, 0.0, 0.3],
        "queue_times": [0.001, 0.0, 0.002],
        "mean_ttft_ms": 125.0,
        "median_ttft_ms": 125.0,
        "mean_tpot_ms": 75.0,
        "mean_itl_ms": 83.333,
        "p99.9_ttft_ms": 149.95,
    }
    if detailed:
        made |= {
            "input_lens": [10, 10, 10],
            "output_lens": [3, 0, 2],
            "ttfts": [0.1, 0.0, 0.15],
            "itls": [[0.04, 0.06], [], [0.15]],
            "start_times": [100.0, 100.1, 100.19],
            "errors": ["", "Internal Server Error", ""],
        }
    return made | other


def guidellm() -> dict[str, Any]:
    """One answered, one failed, one cancelled, and one that was over before the measured time began."""
    start = START_NS / 1e9

    def item(
        sent: float, first: float | None, last: float | None, end: float, tokens: int, error: str | None
    ) -> Any:
        at = {
            "request_start": sent,
            "first_token_iteration": first,
            "last_token_iteration": last,
            "request_end": end,
        }
        times = {name: None if value is None else start + value for name, value in at.items()}
        return {
            "info": {"timings": times | {"token_iterations": tokens}, "error": error},
            "prompt_tokens": 8,
            "output_tokens": tokens,
        }

    return {
        "metadata": {"version": 2, "guidellm_version": "0.8.1"},
        "benchmarks": [
            {
                "config": {
                    "backend": {
                        "model": "m",
                        "target": "http://h:1",
                        "request_format": "/v1/chat/completions",
                    },
                    "strategy": {"type_": "concurrent", "streams": 2},
                },
                "scheduler_metrics": {
                    "measure_start_time": start,
                    "measure_end_time": start + 1.0,
                    "requests_made": {"successful": 2, "errored": 1, "incomplete": 1, "total": 4},
                },
                "metrics": {
                    "inter_token_latency_ms": {
                        "successful": {"mean": 100.0, "count": 4, "percentiles": {"p95": 100.0}}
                    },
                    "time_to_first_token_ms": {"successful": {"mean": 0.0, "count": 0}},
                },
                "requests": {
                    "successful": [
                        item(0.0, 0.125, 0.625, 0.7, 5, None),
                        item(-1.0, -0.9, -0.5, -0.4, 5, None),
                    ],
                    "errored": [item(0.2, None, None, 0.3, 0, "HTTPStatusError: '503 Service Unavailable'")],
                    "incomplete": [item(0.8, None, None, 0.9, 0, None)],
                },
            }
        ],
    }


def aiperf(place: Path) -> Path:
    """An artifact directory: two answers, one of them of the warm-up, a failure, and GPU samples."""

    def line(
        due: int, sent: int, ttft: float | None, gaps: list[float], end: int, phase: str = "profiling"
    ) -> Any:
        metrics: dict[str, Any] = {}
        if ttft is not None:
            metrics = {
                "time_to_first_token": {"value": ttft, "unit": "ms"},
                "inter_chunk_latency": {"value": gaps, "unit": "ms"},
                "request_latency": {"value": ttft + sum(gaps), "unit": "ms"},
                "output_sequence_length": {"value": len(gaps) + 1, "unit": "tokens"},
                "input_sequence_length": {"value": 7, "unit": "tokens"},
            }
        about = {
            "credit_issued_ns": START_NS + due * 1_000_000,
            "request_start_ns": START_NS + sent * 1_000_000,
            "request_end_ns": START_NS + end * 1_000_000,
            "benchmark_phase": phase,
        }
        error = None if metrics else {"code": 429, "type": "Too Many Requests", "message": "later"}
        return {"metadata": about, "metrics": metrics, "error": error}

    lines = [
        line(0, 1, 50.0, [10.0, 0.0, 20.0], 90, "warmup"),
        line(100, 101, 50.0, [10.0, 0.0, 20.0], 185),
        line(150, 152, None, [], 152),
    ]
    gpu = {"gpu_index": 0, "gpu_uuid": "GPU-1", "gpu_model_name": "H", "timestamp_ns": START_NS + 100_000_000}
    gpu["telemetry_data"] = {
        "nvidia_power_usage": 300.0,
        "nvidia_energy_consumption": 0.001,
        "nvidia_memory_used": 2.0,
    }
    summary = {
        "schema_version": "1.4",
        "aiperf_version": "0.13.0",
        "request_count": {"unit": "requests", "avg": 1},
        "time_to_first_token": {"unit": "ms", "avg": 50.0, "p95": 50.0},
        "inter_token_latency": {"unit": "ms", "avg": 10.0},
        "start_time": "2026-09-21T14:13:20.050",
        "end_time": "2026-09-21T14:13:21.050",
        "input_config": {
            "models": {"items": [{"name": "m"}]},
            "endpoint": {"urls": ["http://h:1"], "type": "chat"},
            "phases": [{"kind": "profiling", "type": "concurrency", "concurrency": 4}],
        },
    }
    place.mkdir()
    (place / "profile_export.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    (place / "gpu_telemetry_export.jsonl").write_text(json.dumps(gpu) + "\n")
    (place / "profile_export_aiperf.json").write_text(json.dumps(summary))
    return place


def written(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path
