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


class GpuHistory:
    """The GPUs of one frame."""

    def __init__(self, timeline: Timeline, frame: Frame) -> None:
        self._at_ns = frame.at_ns
        self._axis = axis_of(frame)
        self._known = gpus_known(timeline, frame.at_ns)

    def series(self, number: int, names: Sequence[str]) -> Mapping[str, Series]:
        """Means by column of the frame's axis of some `FIGURES` of `frame.gpus[number]`, in its units.

        A column that falls between two samples shows the one before; NaN where nothing was read.
        """
        if number >= len(self._known):
            return {name: np.full(self._axis.slots, np.nan) for name in names}
        samples = self._known[number].samples(self._at_ns)
        hold_ns = interval_ns(samples, int(samples.upto(self._at_ns))) * 1.5
        found = held_means(samples, tuple(names), self._axis, hold_ns)
        return dict(zip(names, found, strict=True))


def newest(values: Series) -> float | None:
    """The last column of a series that has a value."""
    known = np.flatnonzero(np.isfinite(values))
    return float(values[known[-1]]) if len(known) else None
