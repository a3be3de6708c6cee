"""What a frame does not hold of its GPUs: any of their figures over time, computed when a view asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sessions.frame.gpus import axis_of, gpus_known
from sessions.frame.held_means import alike
from sessions.frame.schema import Frame, Series
from sessions.timeline.gpus import GPU_FIELDS
from sessions.timeline.timeline import Timeline

FIGURES = GPU_FIELDS
"""Names that may be asked for."""


class GpuHistory:
    """The GPUs of one frame."""

    def __init__(self, timeline: Timeline, frame: Frame) -> None:
        self._axis = axis_of(frame)
        self._known = gpus_known(timeline, frame.at_ns)
        self._alike = alike([gpu.samples(frame.at_ns) for gpu in self._known], self._axis)
        self._series: dict[tuple[str, ...], dict[int, Mapping[str, Series]]] = {}

    def series(self, number: int, names: Sequence[str]) -> Mapping[str, Series]:
        """Means by column of the frame's axis of some `FIGURES` of `frame.gpus[number]`, in its units.

        A column that falls between two samples shows the one before; NaN where nothing was read.
        """
        if number >= len(self._known):
            return {name: np.full(self._axis.slots, np.nan) for name in names}
        asked = tuple(names)
        if asked not in self._series:
            self._series[asked] = {
                own: dict(zip(asked, means, strict=True))
                for together in self._alike
                for own, means in zip(together.numbers, together.means(asked, self._axis), strict=True)
            }
        return self._series[asked][number]


def newest(values: Series) -> float | None:
    """The last column of a series that has a value."""
    known = np.flatnonzero(np.isfinite(values))
    return float(values[known[-1]]) if len(known) else None
