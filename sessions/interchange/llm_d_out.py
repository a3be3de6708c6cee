"""A session as llm-d's Benchmark Report 0.2.1: an aggregate report, which names no single request.

Source: `llmdbenchmark/analysis/benchmark_report/` of llm-d/llm-d-benchmark (`br_v0_2_1_json_schema.json`,
`schema_v0_2_1.py`), Apache-2.0; the package `llmd-benchmark-report` checks it. Its own files are YAML, of
which this JSON is a part. Times are in seconds, and are from the first byte sent, as of the tools that llm-d
itself converts from (inference-perf, GuideLLM, vLLM).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from loadgen.version import VERSION
from sessions.interchange.stored_run import StoredRun, milliseconds
from sessions.interchange.wall_clock import iso
from sessions.summary.schema import Summary

VERSION_WRITTEN = "0.2.1"
_PERCENTILES = {
    "p0p1": 0.1, "p1": 1.0, "p5": 5.0, "p10": 10.0, "p25": 25.0, "p50": 50.0, "p75": 75.0, "p90": 90.0,
    "p95": 95.0, "p99": 99.0, "p99p9": 99.9,
}  # fmt: skip


def write(run: StoredRun) -> dict[str, bytes]:
    """One file, of one JSON object."""
    said = run.summary
    about = {
        "uid": said.id,
        "time": {
            "start": f"{iso(run.begun_unix_s)}Z",
            "end": f"{iso(run.begun_unix_s + said.duration_s)}Z",
            "duration": f"PT{said.duration_s:.6f}S",
        },
        "description": " ".join([*said.badges, said.name]).strip() or None,
        "keywords": [*said.badges, *run.manifest.config.tags],
    }
    made = {
        "version": VERSION_WRITTEN,
        "run": _known(about),
        "scenario": {"load": _load(run)},
        "results": {"request_performance": {"aggregate": _aggregate(run)}},
    }
    return {"": json.dumps(made, allow_nan=False, indent=1).encode() + b"\n"}


def _load(run: StoredRun) -> dict[str, Any]:
    said, work = run.summary, run.manifest.config.workload
    standardized = {
        "tool": "ttftop",
        "tool_version": VERSION,
        "source": "sampled" if work.prompts or work.mix else "random",
        "input_seq_len": _length(work.input_tokens, [one.input_tokens for one in run.requests]),
        "output_seq_len": _length(work.output_tokens, [one.output_tokens for one in run.requests]),
        "rate_qps": said.load.rate_rps if said.load.concurrency is None else None,
        "concurrency": said.load.concurrency,
    }
    native = {"target": said.target, "model": said.model, "endpoint": said.endpoint}
    return {"metadata": {}, "standardized": _known(standardized), "native": {"config": native}}


def _length(asked: object, got: Sequence[int | None]) -> dict[str, Any]:
    """What was asked where that is one number, else the mean of what came."""
    if isinstance(asked, int):
        return {"distribution": "fixed", "value": asked}
    known = [one for one in got if one is not None]
    return {"distribution": "other", "value": sum(known) / len(known) if known else 0}


def _aggregate(run: StoredRun) -> dict[str, Any]:
    said, good = run.summary, [one for one in run.requests if one.error is None]
    later = [one for one in good if (one.output_tokens or 0) > 1]
    latency = {
        "time_to_first_token": _seconds([milliseconds(one.first_token_ns, one.sent_ns) for one in good]),
        "time_per_output_token": _seconds(
            [
                _each(milliseconds(one.last_token_ns, one.first_token_ns), (one.output_tokens or 2) - 1)
                for one in later
            ],
            "s/token",
        ),
        "inter_token_latency": _seconds([gap / 1e3 for one in good for gap in one.gaps_us], "s/token")
        if not any(one.chunk_tokens for one in good)
        else None,
        "normalized_time_per_output_token": _seconds(
            [_each(milliseconds(one.last_token_ns, one.sent_ns), one.output_tokens or 0) for one in good],
            "s/token",
        ),
        "request_latency": _seconds([milliseconds(one.last_token_ns, one.sent_ns) for one in good]),
    }
    return {
        "requests": _known(
            {
                "total": len(run.requests),
                "failures": said.requests.failed,
                "incomplete": said.requests.cut_off,
                "input_length": _statistics([one.input_tokens for one in good], "count"),
                "output_length": _statistics([one.output_tokens for one in good], "count"),
            }
        ),
        "latency": _known(latency),
        "throughput": _rates(said),
    }


def _rates(said: Summary) -> dict[str, Any]:
    through = said.throughput
    rates = {
        "request_rate": (through.request_rps, "queries/s"),
        "input_token_rate": (through.input_tps, "tokens/s"),
        "output_token_rate": (through.output_tps, "tokens/s"),
        "total_token_rate": (through.total_tps, "tokens/s"),
    }
    return {name: {"units": unit, "mean": mean} for name, (mean, unit) in rates.items() if mean is not None}


def _each(whole_ms: float | None, tokens: int) -> float | None:
    return None if whole_ms is None or tokens < 1 else whole_ms / tokens


def _seconds(values_ms: Sequence[float | None], unit: str = "s") -> dict[str, Any] | None:
    return _statistics([None if value is None else value / 1e3 for value in values_ms], unit)


def _statistics(values: Sequence[float | None], unit: str) -> dict[str, Any] | None:
    """None where nothing is known: the format has no such thing as statistics without a mean."""
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    if not len(known):
        return None
    at = np.percentile(known, list(_PERCENTILES.values()))
    found = {"mean": known.mean(), "stddev": known.std(), "min": known.min(), "max": known.max()}
    return {"units": unit} | {
        name: float(value) for name, value in [*found.items(), *zip(_PERCENTILES, at, strict=True)]
    }


def _known(of: dict[str, Any]) -> dict[str, Any]:
    """Without what is None: a reader of the format takes what is not there for that."""
    return {name: value for name, value in of.items() if value is not None}
