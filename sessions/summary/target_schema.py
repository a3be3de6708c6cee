"""What each of several targets came to: a part of a summary (`sessions.summary.schema`)."""

from __future__ import annotations

import msgspec

from sessions.summary.quantile_schema import ExactQuantiles, SketchedQuantiles
from sessions.summary.telemetry_schema import Server


class OfTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One server. Tokens and latencies are of requests that succeeded; None where nobody said."""

    target: int
    """Its number, from 0, as in a session's request lines."""
    url: str
    """Without credentials; empty where the session does not say."""
    weight: int | None
    """None where the session does not say."""
    due: int
    sent: int
    succeeded: int
    failed: int
    not_sent: int
    cut_off: int
    errors: dict[str, int]
    """By kind, most frequent first."""
    sent_rps: float | None
    """Over the time of the load."""
    output_tps: float | None
    """Up to the last answer."""
    in_flight_mean: float | None
    """Over the time of the load."""
    ttft_from_due_ms: ExactQuantiles
    tpot_ms: ExactQuantiles
    e2e_ms: ExactQuantiles
    gaps_ms: SketchedQuantiles
    """Between tokens as they came, also of requests that failed later: ITL, or between chunks where nobody
    counted their tokens."""
    server: Server | None = None
    """What it said of itself; None where nothing was."""
