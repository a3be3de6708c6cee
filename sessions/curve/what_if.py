"""Other targets held against requests that are stored: attainment, goodput and capacity under them.

Of each request that has ended it is known whether it would have held a limit, so a target may be moved after
the run. A request counts where it was due; one that failed holds none (`sessions.summary.slo`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sessions.curve.curve import Bracket
from sessions.curve.point import Point
from sessions.metrics import Floats, Requests
from sessions.plan.slo import Target
from sessions.summary.slo import ASKED_OF_ONE, asked_of_one
from sessions.timeline.columns import Ints
from sessions.timeline.requests import NONE

ALL_READ = 0.99
"""Of the requests: those of the last tick may not be there yet."""


class Held(NamedTuple):
    """How many requests of a stretch held every target."""

    good: int
    of: int
    seconds: float
    holds: bool
    """Each target by itself: its share of misses is one that it allows."""

    @property
    def share(self) -> float | None:
        return self.good / self.of if self.of else None

    @property
    def goodput_rps(self) -> float | None:
        return self.good / self.seconds if self.of and self.seconds > 0 else None


class WhatIf(NamedTuple):
    """What some targets would have said."""

    points: tuple[Held, ...]
    """Of each point of the curve."""
    whole: Held
    """Of all requests that had ended."""
    capacity: Bracket
    """The highest steady load that holds them below the lowest that does not, and that one."""


class RequestTimes:
    """The columns that targets are held against, made once of rows in the order in which they were due."""

    def __init__(self, rows: Requests) -> None:
        self.count = len(rows)
        self._rows = rows.copy()  # the others may be moved when more come in
        self._due_ns: Ints = np.ascontiguousarray(self._rows["due_ns"])
        self._end_ns: Ints = np.ascontiguousarray(self._rows["end_ns"])
        self.last_ns = int(self._end_ns.max(initial=0))
        """When the last of them ended; 0 where there are none."""
        self._failed: NDArray[np.bool_] = self._rows["error"] != NONE
        self._values_ms: dict[str, Floats] = {}

    def what_if(self, targets: Sequence[Target], points: Sequence[Point], at_ns: int) -> WhatIf:
        """Of the requests that had ended at `at_ns`. Targets that ask nothing of one request are left out."""
        asking = asked_of_one(targets)
        ended = self._end_ns <= at_ns
        spans = [(point.from_ns, point.to_ns) for point in points]
        bounds = np.array([(0, at_ns), *spans], dtype=np.int64)
        a, b = np.searchsorted(self._due_ns, bounds[:, 0]), np.searchsorted(self._due_ns, bounds[:, 1])
        of = _between(ended, a, b)
        missed_any = np.zeros(len(ended), dtype=bool)
        holds = of > 0
        for target in asking:
            missed = self._failed | (self._of(target.metric) > target.limit)
            missed_any |= missed
            allowed = (1 - (target.quantile or 0.0)) * of
            holds &= _between(missed & ended, a, b) <= allowed + 1e-9
        good = of - _between(missed_any & ended, a, b)
        first_ns = int(self._due_ns[0]) if self.count else 0
        seconds = [(min(at_ns, self.last_ns) - first_ns) / 1e9]
        seconds += [(to_ns - from_ns) / 1e9 for from_ns, to_ns in spans]
        whole, *each = (
            Held(*of_one) for of_one in zip(good.tolist(), of.tolist(), seconds, holds.tolist(), strict=True)
        )
        return WhatIf(tuple(each), whole, capacity(points, each))

    def _of(self, metric: str) -> Floats:
        if metric not in self._values_ms:
            self._values_ms[metric] = ASKED_OF_ONE[metric](self._rows) / 1e6
        return self._values_ms[metric]


def capacity(points: Sequence[Point], held: Sequence[Held]) -> Bracket:
    """From loads that were steady, or under which requests piled up, which holds nothing for long."""
    sides: dict[bool, list[float]] = {True: [], False: []}
    for point, each in zip(points, held, strict=True):
        if each.of and (point.is_steady or point.verdict == "drifting_up"):
            sides[point.is_steady and each.holds].append(point.stage.load)
    lowest = min(sides[False], default=None)
    kept = [load for load in sides[True] if lowest is None or load < lowest]
    return Bracket(max(kept, default=None), lowest)


def _between(flags: NDArray[np.bool_], a: Ints, b: Ints) -> Ints:
    sums = np.concatenate([[0], np.cumsum(flags)])
    found: Ints = sums[b] - sums[a]
    return found
