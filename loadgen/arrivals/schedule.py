"""The requests of an open loop and when each is due, shared out among workers.

An arrival process is a sequence of points at unit rate (`loadgen.arrivals.unit_points`). A rate curve says
when each is due (`loadgen.arrivals.rate_curve`). The same seed gives the same arrivals in any number of
workers: each computes all of them and keeps those whose number falls to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from loadgen.arrivals.load import Segment
from loadgen.arrivals.rate_curve import Curve
from loadgen.arrivals.unit_points import UNIT_POINTS


class Schedule:
    """The requests that fall to one worker: `(index, due_ns)` in order, along a curve that may change.

    Point `n` of the arrival process falls to worker `n % workers`. The worker's first one has `first_index`,
    its own number unless told, and each further one the index that `index_after` gives, higher by `workers`
    unless told: so indices are those of the points, unless the worker has used some before. What is due at
    or after `end_ns`, or has an index of `requests` or more, never comes.
    """

    def __init__(
        self,
        arrivals: str,
        seed: int,
        curve: Curve,
        *,
        worker: int = 0,
        workers: int = 1,
        first_index: int | None = None,
        index_after: Callable[[int], int] | None = None,
        end_ns: int | None = None,
        requests: int | None = None,
        burstiness: float = 1.0,
    ) -> None:
        self.curve = curve
        self._points = UNIT_POINTS[arrivals](seed, burstiness)
        self._worker, self._workers = worker, workers
        self._end_ns = math.inf if end_ns is None else end_ns
        self._end_index = math.inf if requests is None else requests
        self._number = -1
        """Number of the point of the arrival process that comes next."""
        self._index_after = index_after or (lambda index: index + workers)
        self.next_index = worker if first_index is None else first_index
        """Index of the next request, due or not."""
        self._point = 0.0
        self.due_ns: int | None = None
        """When the next request is due; None if it never is on the present curve."""
        self._go_on()

    def exhausted(self, now_ns: int) -> bool:
        """Nothing more will ever be due, whatever happens to the curve."""
        return self.next_index >= self._end_index or (now_ns >= self._end_ns and self.due_ns is None)

    def advance(self) -> None:
        """Go on to this worker's next request."""
        self.next_index = self._index_after(self.next_index)
        self._go_on()

    def _go_on(self) -> None:
        while True:
            self._number += 1
            self._point = next(self._points)
            if self._number % self._workers == self._worker:
                break
        self.due_ns = self._when_due()

    def change(self, at_ns: int, segments: Sequence[Segment]) -> None:
        """Follows `segments` from `at_ns` on; what was due before stays due."""
        self.curve = self.curve.cut(at_ns, segments)
        self.due_ns = self._when_due()

    def _when_due(self) -> int | None:
        if self.next_index >= self._end_index:
            return None
        due_ns = self.curve.when_ns(self._point)
        return None if due_ns is None or due_ns >= self._end_ns else due_ns
