"""What a frame does not hold of its GPUs: any of their figures over time, computed when a view asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sessions.frame.gpus import axis_of, gpus_known, held_means, interval_ns
from sessions.frame.schema import Frame, Series
from sessions.timeline.gpus import GPU_FIELDS
from sessions.timeline.timeline import Timeline

FIGURES = GPU_FIELDS
"""Names that may be asked for."""


def gpu_series(timeline: Timeline, frame: Frame, number: int, names: Sequence[str]) -> Mapping[str, Series]:
    """Means by column of the frame's axis of some `FIGURES` of `frame.gpus[number]`, in its units.

    A column that falls between two samples shows the one before; NaN where nothing was read.
    """
    known = gpus_known(timeline, frame.at_ns)
    if number >= len(known):
        return {name: np.full(frame.slots, np.nan) for name in names}
    samples = known[number].samples(frame.at_ns)
    hold_ns = interval_ns(samples, int(samples.upto(frame.at_ns))) * 1.5
    found = held_means(samples, tuple(names), axis_of(frame), hold_ns)
    return dict(zip(names, found, strict=True))


def newest(values: Series) -> float | None:
    """The last column of a series that has a value."""
    known = np.flatnonzero(np.isfinite(values))
    return float(values[known[-1]]) if len(known) else None
