"""Quantiles of a summary, in ms: exact ones of requests, and those of sketches."""

from __future__ import annotations

import msgspec


class ExactQuantiles(msgspec.Struct, frozen=True):
    """One metric over a run, in ms, of every single value. None throughout where there was none."""

    count: int
    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    min: float | None
    max: float | None
    thin: list[str]
    """Percentiles that rest on fewer samples than `sessions.metrics.THIN_FLOORS` asks for."""
    p90_upper_99: float | None = None
    """What the true p90 is at most, with 99 % confidence; None for those in `thin`, and of tokens, which are
    not independent of each other."""
    p95_upper_99: float | None = None
    p99_upper_99: float | None = None


class ItlQuantiles(ExactQuantiles, frozen=True, kw_only=True):
    """ITL, which not every request has."""

    unknown: int
    """Requests that succeeded of which nobody said how many tokens each chunk bore."""


class SketchedQuantiles(msgspec.Struct, frozen=True):
    """One metric over a run, in ms, within 1 %. None throughout where there was none."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None


class Streamed(msgspec.Struct, frozen=True):
    """What screen, replay and progress line show of a whole run: latencies as they came, also those of
    requests that failed later, which no exact figure counts."""

    ttft_from_due_ms: SketchedQuantiles
    itl_ms: SketchedQuantiles | None
    """None where nobody counted the tokens of a chunk: there the screen shows the next."""
    chunk_gap_ms: SketchedQuantiles
