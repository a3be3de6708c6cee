"""A session read whole, to be written in the shape of another tool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from loadgen.errors import http_kind
from loadgen.records import Request
from sessions.store.gap_codec import decode_gaps
from sessions.store.manifest import Manifest
from sessions.store.records import AnyRecord, LoadChange, Mark
from sessions.summary.read import read_folded
from sessions.summary.schema import Summary
from telemetry.records import GpuDevices, GpuSamples, ServerSample

_KEPT = (LoadChange, Mark, GpuDevices, GpuSamples, ServerSample)


@dataclass
class StoredRun:
    manifest: Manifest
    summary: Summary
    requests: list[Request]
    """Those that were sent, by the time at which they were."""
    not_sent: list[Request] = field(default_factory=list)
    """Those that were not, though they were due."""
    other: list[Any] = field(default_factory=list)
    """Changes of load, marks, and samples of GPUs and servers, as they were written."""

    @property
    def origin_unix_ns(self) -> int:
        return self.manifest.clock.origin_unix_ns

    @property
    def begun_unix_s(self) -> float:
        """When the load began, which a run does not do at session time 0."""
        begun = next((one.t_ns for one in self.other if isinstance(one, LoadChange)), 0)
        return (self.origin_unix_ns + begun) / 1e9


def read_run(directory: Path) -> StoredRun:
    """Raises:
    SessionError: the session's manifest cannot be read.
    """
    requests: list[Request] = []
    not_sent: list[Request] = []
    other: list[Any] = []

    def keep(record: AnyRecord) -> None:
        if isinstance(record, Request):
            if record.gaps:
                record.gaps_us, record.gaps = decode_gaps(record.gaps), ""
            (not_sent if record.sent_ns is None else requests).append(record)
        elif isinstance(record, _KEPT):
            other.append(record)

    folded = read_folded(directory, also=keep)
    run = StoredRun(folded.manifest, folded.summary, requests, not_sent, other)
    run.requests.sort(key=lambda one: (one.sent_ns or 0, one.index))
    run.other.sort(key=lambda one: one.t_ns)
    return run


def said_of(request: Request) -> str:
    """Why it failed, so that an import knows the kind again; empty where it did not."""
    if request.error is None:
        return ""
    kind, status = request.error.kind, request.status
    if status is not None and kind == http_kind(status):
        kind = f"http_{status}"
    return f"{kind}: {request.error.message}".rstrip(": ")


def milliseconds(ns: int | None, since_ns: int | None) -> float | None:
    return None if ns is None or since_ns is None else (ns - since_ns) / 1e6


def statistics(
    values: Sequence[float], at: tuple[float, ...], name: Callable[[float], str]
) -> dict[str, float]:
    """Mean, bounds, population deviation, and numpy's linear percentiles `at` as `name` calls them."""
    if not values:
        return {}
    known = np.array(values)
    found = {name(p): float(np.percentile(known, p)) for p in at}
    return {
        "mean": float(known.mean()),
        "std": float(known.std()),
        "min": float(known.min()),
        "max": float(known.max()),
    } | found
