"""A session as a trace for ui.perfetto.dev: requests as slices, GPU and server figures as counters."""

from __future__ import annotations

import json
from typing import Any

from loadgen.records import Request
from sessions.interchange.stored_run import StoredRun, said_of
from sessions.store.records import LoadChange
from telemetry.records import GpuDevices, GpuSamples, ServerSample

REQUESTS, GPUS, SERVER = 1, 2, 3
"""Numbers of the trace's processes."""
_GPU_FIGURES = {
    "power W": "power_w",
    "utilisation %": "util_pct",
    "memory GB": "memory_used_bytes",
    "temperature C": "temperature_c",
    "SM clock MHz": "sm_clock_mhz",
}
_SERVER_FIGURES = ("running", "waiting", "kv_pct", "prefix_hit_pct")


def write(run: StoredRun) -> dict[str, bytes]:
    """One file in the Trace Event Format (JSON)."""
    events = [
        _name("process_name", process, 0, " ".join([name, *run.summary.badges]))
        for process, name in _PROCESSES.items()
    ]
    events += _slices(run.requests)
    index: dict[str, str] = {}
    for record in run.other:
        at_us = record.t_ns / 1e3
        if isinstance(record, GpuDevices):
            index |= {one.gpu: f"GPU {one.index}" for one in record.devices}
        elif isinstance(record, GpuSamples):
            for one in record.gpus:
                for name, field in _GPU_FIGURES.items():
                    value = getattr(one, field)
                    if value is not None:
                        value = value / 1e9 if field == "memory_used_bytes" else value
                        events.append(_counter(GPUS, f"{index.get(one.gpu, one.gpu)} {name}", at_us, value))
        elif isinstance(record, ServerSample):
            for field in _SERVER_FIGURES:
                value = getattr(record, field, None)
                if value is not None:
                    events.append(_counter(SERVER, field, at_us, value))
        else:
            text = (record.label or record.change) if isinstance(record, LoadChange) else record.text
            mark = {"ph": "i", "s": "g", "pid": REQUESTS, "tid": 0, "ts": at_us, "name": text or "mark"}
            events.append(mark)
    made = {"displayTimeUnit": "ms", "traceEvents": events}
    return {"": json.dumps(made, allow_nan=False).encode() + b"\n"}


_PROCESSES = {REQUESTS: "requests", GPUS: "GPUs", SERVER: "server"}


def _slices(requests: list[Request]) -> list[dict[str, Any]]:
    """Each request in the first lane that is free, its phases inside it."""
    events: list[dict[str, Any]] = []
    free_ns: list[int] = []
    for one in sorted(requests, key=lambda one: (one.due_ns, one.index)):
        lane = next((i for i, free in enumerate(free_ns) if free <= one.due_ns), len(free_ns))
        if lane == len(free_ns):
            free_ns.append(0)
        free_ns[lane] = max(one.end_ns, one.due_ns + 1)
        phases: list[tuple[str, int | None, int | None]] = [("wait", one.due_ns, one.sent_ns)]
        phases.append(("prefill", one.sent_ns, one.first_token_ns))
        phases.append(("decode", one.first_token_ns, one.last_token_ns))
        about = {
            "input_tokens": one.input_tokens,
            "output_tokens": one.output_tokens,
            "chunks": one.chunks,
            "error": said_of(one) or None,
        }
        name = f"request {one.index}" + (f" ({one.error.kind})" if one.error is not None else "")
        events.append(_slice(name, lane, one.due_ns, one.end_ns) | {"args": about})
        events += [
            _slice(phase, lane, begin, end)
            for phase, begin, end in phases
            if begin is not None and end is not None and end > begin
        ]
    events += [_name("thread_name", REQUESTS, lane + 1, f"lane {lane + 1}") for lane in range(len(free_ns))]
    return events


def _slice(name: str, lane: int, begin_ns: int, end_ns: int) -> dict[str, Any]:
    times = {"ts": begin_ns / 1e3, "dur": max(end_ns - begin_ns, 0) / 1e3}
    return {"ph": "X", "pid": REQUESTS, "tid": lane + 1, "name": name, "cat": "request", **times}


def _counter(process: int, name: str, at_us: float, value: float) -> dict[str, Any]:
    return {"ph": "C", "pid": process, "tid": 0, "ts": at_us, "name": name, "args": {"value": value}}


def _name(kind: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "pid": process, "tid": thread, "name": kind, "args": {"name": name}}
