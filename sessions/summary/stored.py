"""The summary in a session's manifest, as far as a listing needs it. Any version may have written it."""

from __future__ import annotations

import msgspec

from loadgen.decoding import ready
from sessions.store.manifest import Manifest


class _Requests(msgspec.Struct, frozen=True):
    sent: int | None = None
    failed: int | None = None
    cut_off: int | None = None
    """Once counted among `failed`."""


class Quantiles(msgspec.Struct, frozen=True):
    """ms."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    thin: list[str] = []
    """Those that rest on too few samples."""

    def sign(self, name: str) -> str:
        """What stands before such a figure, wherever it is shown."""
        return "~" if name in self.thin else ""


class _Rate(msgspec.Struct, frozen=True):
    offered_rps: float | None = None
    achieved_rps: float | None = None


class _Throughput(msgspec.Struct, frozen=True):
    output_tps: float | None = None


class _Target(msgspec.Struct, frozen=True):
    target: str = ""
    figure: float | None = None
    verdict: str = ""


class StoredSlo(msgspec.Struct, frozen=True):
    verdict: str = ""
    """`pass`, `fail` or `undecided`."""
    attainment: float | None = None
    """Of all scheduled requests; None too where no target asks it of one."""
    targets: list[_Target] = []


class _Stage(msgspec.Struct, frozen=True):
    offered_rps: float | None = None


class StoredLimit(msgspec.Struct, frozen=True):
    """Of a search: the highest load that held, the lowest above it that did not; None where none was."""

    closed: bool = False
    passed: float | None = None
    failed: float | None = None


class _Plan(msgspec.Struct, frozen=True):
    limit: StoredLimit | None = None


class StoredSummary(msgspec.Struct, frozen=True):
    """Some fields of `sessions.summary.schema.Summary`. None is what was not measured, or not written."""

    load_s: float | None = None
    load_changes: int = 0
    stages: list[_Stage] = msgspec.field(default_factory=list, name="steps")
    duration_s: float | None = None
    requests: _Requests = _Requests()
    rate: _Rate = _Rate()
    throughput: _Throughput = _Throughput()
    ttft_from_due_ms: Quantiles = Quantiles()
    itl_ms: Quantiles = Quantiles()
    slo: StoredSlo | None = None
    plan: _Plan | None = None
    valid: bool | None = None
    reasons: list[str] = []
    notes: list[str] = []


def stored_summary(manifest: Manifest) -> StoredSummary | None:
    """None where the run has not ended, was killed, or left something that is no summary."""
    try:
        return msgspec.convert(manifest.result, ready(StoredSummary)) if manifest.result else None
    except msgspec.ValidationError:
        return None
