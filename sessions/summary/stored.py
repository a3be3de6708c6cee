"""The summary in a session's manifest, as far as a listing needs it. Any version may have written it."""

from __future__ import annotations

import msgspec

from sessions.store.manifest import Manifest


class _Requests(msgspec.Struct, frozen=True):
    sent: int | None = None
    failed: int | None = None
    cut_off: int | None = None
    """Once counted among `failed`."""


class _Ttft(msgspec.Struct, frozen=True):
    p50: float | None = None
    p95: float | None = None


class StoredSummary(msgspec.Struct, frozen=True):
    """Some fields of `sessions.summary.schema.Summary`. None is what was not measured, or not written."""

    duration_s: float | None = None
    requests: _Requests = _Requests()
    ttft_from_due_ms: _Ttft = _Ttft()
    valid: bool | None = None
    reasons: list[str] = []
    notes: list[str] = []


def stored_summary(manifest: Manifest) -> StoredSummary | None:
    """None where the run has not ended, was killed, or left something that is no summary."""
    try:
        return msgspec.convert(manifest.result, StoredSummary) if manifest.result else None
    except msgspec.ValidationError:
        return None
