"""A session on disk, as it is compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sessions.compare.compare import Recorded
from sessions.compare.cut import cut, whole
from sessions.summary.prices import Prices
from sessions.summary.read import read_folded


def read_recorded(
    directory: Path,
    prices: Prices | None = None,
    slo: Sequence[str] = (),
    reading: Callable[[float], None] | None = None,
) -> Recorded:
    """Its stretches; the timeline that they were cut from is let go. `slo`: targets in place of its own.
    `reading` is told which share of it is read.

    Raises:
        SessionError: the session's manifest cannot be read.
    """
    timeline, manifest, summary, _ = read_folded(directory, prices, slo, reading=reading)
    return Recorded(
        manifest,
        summary,
        cut(timeline, manifest, summary, prices),
        whole(timeline, manifest, summary, prices),
    )
