"""A trace: requests are due when those of somebody else were, as fast as a rate curve says.

The curve is in requests per second on average, as every other load's: at the trace's own mean rate it runs at
its own speed, at twice that twice as fast, at 0 it stands still and goes on from there. So holds, steps and
ramps are those of an open loop.
"""

from __future__ import annotations

import sys
from typing import Any

from loadgen.arrivals.load import Beginning, LoadModel, Offered, TraceLoad
from loadgen.arrivals.open_loop import lead_ns
from loadgen.arrivals.rate_curve import Curve
from loadgen.indices import INDEX_STRIDE
from loadgen.trace.compiled import open_trace


class TraceReplay(LoadModel):
    """The rows of a trace that fall to one worker: row `n` to worker `n % workers`."""

    def __init__(self, load: TraceLoad, beginning: Beginning) -> None:
        self._trace = open_trace(load.path)
        self._path, self._rate_rps = load.path, load.rate_rps
        self._curve, self._workers = Curve(load.curve), beginning.workers
        self._base = beginning.number * INDEX_STRIDE
        self._row = beginning.worker
        self._end_row = len(self._trace)
        if beginning.requests is not None:
            own = -(-(beginning.requests - beginning.next_index) // self._workers)
            self._end_row = min(self._end_row, beginning.worker + own * self._workers)
        self._end_ns = sys.maxsize if beginning.end_ns is None else beginning.end_ns
        self._due_ns = self._when_due()

    @property
    def next_index(self) -> int | None:
        return self._base + self._row if self._row < self._end_row else None

    @property
    def lead_ns(self) -> int:
        return 0 if self._due_ns is None else lead_ns(self._curve.rate_rps(self._due_ns) / self._workers)

    def due_ns(self, sendable_ns: int | None) -> int | None:
        return self._due_ns

    def take(self) -> int:
        index = self._base + self._row
        self._row += self._workers
        self._due_ns = self._when_due()
        return index

    def change(self, at_ns: int, load: Any) -> bool:
        if not isinstance(load, TraceLoad) or load.path != self._path:
            return False
        self._curve = self._curve.cut(at_ns, load.curve)
        self._due_ns = self._when_due()
        return True

    def exhausted(self, now_ns: int) -> bool:
        return self._row >= self._end_row or now_ns >= self._end_ns

    def offered(self, t_ns: int) -> Offered:
        return Offered(self._curve.rate_rps(t_ns), None)

    def _when_due(self) -> int | None:
        if self._row >= self._end_row:
            return None
        due_ns = self._curve.when_ns(self._trace.due_ns(self._row) * 1e-9 * self._rate_rps)
        return None if due_ns is None or due_ns >= self._end_ns else due_ns
