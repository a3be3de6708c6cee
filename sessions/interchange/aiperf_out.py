"""A session as an artifact directory of AIPerf: requests, summary, GPU samples."""

from __future__ import annotations

import json
from typing import Any

from loadgen.records import Request
from sessions.interchange.stored_run import StoredRun, milliseconds, said_of, statistics
from sessions.interchange.wall_clock import iso
from telemetry.records import GpuDevice, GpuDevices, GpuSamples

_PERCENTILES = (1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0)
_Metrics = dict[str, dict[str, Any]]


def write(run: StoredRun) -> dict[str, bytes]:
    """The files of the directory, by their names."""
    origin_ns, lines = run.origin_unix_ns, []
    columns: dict[str, tuple[str, list[float]]] = {}
    for one in sorted(run.requests, key=lambda one: one.end_ns):  # in order of completion, as the tool's
        metrics = _metrics(one) if one.error is None else {}
        for name, metric in metrics.items():
            value = metric["value"]
            columns.setdefault(name, (metric["unit"], []))[1].extend(
                value if isinstance(value, list) else [value]
            )
        about = {
            "x_request_id": f"{one.worker}-{one.index}",
            "turn_index": one.turn or 0,
            "credit_issued_ns": origin_ns + one.due_ns,
            "request_start_ns": origin_ns + (one.sent_ns or one.due_ns),
            "request_end_ns": origin_ns + one.end_ns,
            "benchmark_phase": "profiling",
        }
        if one.headers_ns is not None:
            about["request_ack_ns"] = origin_ns + one.headers_ns
        error = None
        if one.error is not None:
            error = {"code": one.status, "type": one.error.kind, "message": said_of(one)}
        lines.append({"metadata": about, "metrics": metrics, "error": error})
    made = {"profile_export.jsonl": _lines(lines)}
    gpus = _gpu_lines(run)
    if gpus:
        made["gpu_telemetry_export.jsonl"] = _lines(gpus)
    if any(one.error is None for one in run.requests):  # the tool writes none when all failed
        made["profile_export_aiperf.json"] = json.dumps(_summary(run, columns), allow_nan=False).encode()
    return made


def _metrics(one: Request) -> _Metrics:
    found: dict[str, tuple[Any, str]] = {}
    ttft = milliseconds(one.first_token_ns, one.sent_ns)
    latency = milliseconds(one.last_token_ns, one.sent_ns)
    if one.input_tokens is not None:
        found["input_sequence_length"] = (one.input_tokens, "tokens")
    if one.output_tokens is not None:
        found["output_sequence_length"] = (one.output_tokens, "tokens")
    found["request_latency"] = (milliseconds(one.end_ns, one.sent_ns) if latency is None else latency, "ms")
    if ttft is not None and latency is not None:
        found["time_to_first_token"] = (ttft, "ms")
        found["inter_chunk_latency"] = ([gap / 1e3 for gap in one.gaps_us], "ms")
        if (one.output_tokens or 0) > 1:
            found["inter_token_latency"] = ((latency - ttft) / ((one.output_tokens or 2) - 1), "ms")
    return {name: {"value": value, "unit": unit} for name, (value, unit) in found.items()}


def _summary(run: StoredRun, columns: dict[str, tuple[str, list[float]]]) -> dict[str, Any]:
    said = run.summary
    begin_s = run.begun_unix_s
    phase: dict[str, Any] = {"name": "profiling", "kind": "profiling", "type": "concurrency"}
    if said.load.concurrency is not None:
        phase["concurrency"] = said.load.concurrency
    else:
        phase |= {"type": said.load.arrivals, "rate": said.load.rate_rps}
        phase |= {"concurrency": said.load.max_in_flight}
    one_figure = {
        "request_throughput": ("requests/sec", said.throughput.request_rps),
        "output_token_throughput": ("tokens/sec", said.throughput.output_tps),
        "total_token_throughput": ("tokens/sec", said.throughput.total_tps),
        "request_count": ("requests", said.requests.succeeded),
        "error_request_count": ("requests", said.requests.failed),
    }
    made: dict[str, Any] = {"schema_version": "1.4", "aiperf_version": "0.13.0"}
    if said.badges:
        made["benchmark_id"] = f"ttftop {' '.join(said.badges)}"
    for name, (unit, values) in columns.items():
        found = statistics(values, _PERCENTILES, lambda p: f"p{p:g}")
        if found:
            made[name] = {"unit": unit, "avg": found.pop("mean"), **found, "count": len(values)}
    made |= {name: {"unit": unit, "avg": avg} for name, (unit, avg) in one_figure.items() if avg is not None}
    made["input_config"] = {
        "models": {"items": [{"name": said.model}]},
        "endpoint": {"urls": [said.target], "type": said.endpoint, "streaming": True},
        "phases": [phase],
    }
    made |= {"start_time": iso(begin_s), "end_time": iso(begin_s + said.duration_s)}
    return made


def _gpu_lines(run: StoredRun) -> list[dict[str, Any]]:
    devices: dict[str, GpuDevice] = {}
    made = []
    for record in run.other:
        if isinstance(record, GpuDevices):
            devices |= {device.gpu: device for device in record.devices}
        elif isinstance(record, GpuSamples):
            for one in record.gpus:
                device = devices.get(one.gpu) or GpuDevice(one.gpu, 0)
                values = {
                    "nvidia_power_usage": one.power_w,
                    "nvidia_energy_consumption": None if one.energy_j is None else one.energy_j / 1e6,
                    "nvidia_gpu_utilization": one.util_pct,
                    "nvidia_memory_used": None
                    if one.memory_used_bytes is None
                    else one.memory_used_bytes / 1e9,
                    "nvidia_temperature": one.temperature_c,
                }
                made.append(
                    {
                        "timestamp_ns": run.origin_unix_ns + record.t_ns,
                        "telemetry_source_url": record.source,
                        "gpu_index": device.index,
                        "gpu_uuid": one.gpu,
                        "gpu_model_name": device.name,
                        "hostname": device.host,
                        "platform": "nvidia",
                        "telemetry_data": {
                            name: value for name, value in values.items() if value is not None
                        },
                    }
                )
    return made


def _lines(values: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(value, allow_nan=False) + "\n" for value in values).encode()
