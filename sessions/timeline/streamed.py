"""Latencies as they came, whatever became of the request later: what screen, replay and progress line show.

When a token comes nobody knows yet how its request will end. A summary's exact figures are of requests that
succeeded; it tells these beside them where the two part.
"""

from __future__ import annotations

from typing import NamedTuple

from sessions.metrics import itl_is_known
from sessions.timeline.sketches import Sketches
from sessions.timeline.timeline import Timeline


class Streamed(NamedTuple):
    """Of a run up to an instant."""

    ttft_from_due: Sketches
    itl: Sketches
    chunk_gap: Sketches
    itl_is_known: bool
    """Else only the gaps between chunks are known, and shown in the place of ITL."""

    @property
    def shown_gaps(self) -> Sketches:
        return self.itl if self.itl_is_known else self.chunk_gap


def streamed(timeline: Timeline, at_ns: float) -> Streamed:
    """Everything up to `at_ns`."""
    ttft, itl, gaps = (
        timeline.sketches(name, (-1.0, at_ns)) for name in ("ttft_from_due", "itl", "chunk_gap")
    )
    ticks = timeline.ticks
    row = int(ticks.upto(at_ns))
    unknown, succeeded = (int(ticks[name][:row].sum()) for name in ("itl_unknown", "succeeded"))
    return Streamed(ttft, itl, gaps, itl_is_known(itl.total, gaps.total, unknown, succeeded))
