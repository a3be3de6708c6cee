"""What a report is made of: a session's summary, its whole course on one axis, and its distributions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sessions.frame.by_target import TargetNow, targets_now
from sessions.frame.schema import Frame
from sessions.frame.session_view import SessionView
from sessions.metrics import e2e, tpot, ttft_from_due
from sessions.summary.prices import Prices
from sessions.summary.read import read_folded
from sessions.summary.schema import Summary
from sessions.timeline.requests import NONE

SLOT_NS, SHORT_SLOT_NS, SHORT_NS = 1_000_000_000, 250_000_000, 15_000_000_000
"""Shorter slots hold too few requests: their p50 and p99 are one and the same. A short run has no choice."""


@dataclass
class RunData:
    summary: Summary
    wide: Frame
    narrow: Frame
    """The whole run in more and in fewer slots, for screens of either width."""
    wide_targets: list[TargetNow] = field(default_factory=list)
    narrow_targets: list[TargetNow] = field(default_factory=list)
    """Of several, each on the axis of that frame."""
    values_ms: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """By metric, sorted: of every request that succeeded."""


def read_run_data(directory: Path, prices: Prices | None = None) -> RunData:
    """Raises:
    SessionError: the session's manifest cannot be read.
    """
    folded = read_folded(directory, prices)
    summary, requests = folded.summary, folded.timeline.requests
    view = SessionView(directory)
    view.read_all()
    rows = requests.rows
    good = rows[rows["error"] == NONE]
    values = {"TTFT": ttft_from_due(good), "TPOT": tpot(good), "E2E": e2e(good)}
    made = RunData(summary, _whole(view, 240), _whole(view, 90))
    made.wide_targets, made.narrow_targets = (
        targets_now(view.timeline, view.manifest, frame) for frame in (made.wide, made.narrow)
    )
    made.values_ms = {name: np.sort(of[np.isfinite(of)]) / 1e6 for name, of in values.items()}
    gaps, counts = requests.gaps.itl_us if summary.itl_ms.count else requests.gaps.chunk_gaps_us
    name = "ITL" if summary.itl_ms.count else "chunk gap"
    if len(gaps):
        made.values_ms[name] = _spread_out(gaps / 1e3, counts)
    view.close()
    return made


def _spread_out(values: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most 2000 of them, at even shares."""
    ends = np.cumsum(counts)
    at = np.linspace(0, float(ends[-1]), min(int(ends[-1]), 2000), endpoint=False)
    picked: NDArray[np.float64] = values[np.searchsorted(ends, at, side="right")]
    return picked


def _whole(view: SessionView, slots: int) -> Frame:
    span_ns = max(view.last_ns - view.first_ns, SLOT_NS)
    least_ns = SHORT_SLOT_NS if span_ns < SHORT_NS else SLOT_NS
    return view.frame(view.last_ns, span_ns, int(min(slots, max(span_ns // least_ns, 1))))
