"""The open loop: requests are due when a schedule says so, whatever the server does."""

from __future__ import annotations

from typing import Any

from loadgen.arrivals.load import Beginning, LoadModel, Offered, OpenLoad
from loadgen.arrivals.rate_curve import Curve
from loadgen.arrivals.schedule import Schedule

_LEAD_NS = 300_000
"""The engine wakes up at most so long before a request is due, makes it ready and spins until its time."""
_LEAD_SHARE = 0.05
"""The most of a core that may go into this spinning: at high rates the engine wakes up later."""


def lead_ns(rate_rps: float) -> int:
    """How long before a request is due to wake up for it, where one worker sends `rate_rps`."""
    return min(_LEAD_NS, int(_LEAD_SHARE * 1e9 / max(rate_rps, 1.0)))


class OpenLoop(LoadModel):
    """The worker's share of a schedule, along a rate that may change."""

    def __init__(self, load: OpenLoad, beginning: Beginning) -> None:
        self._arrivals, self._workers = (load.arrivals, load.burstiness), beginning.workers
        self._schedule = Schedule(
            load.arrivals,
            beginning.seed,
            Curve(load.curve),
            worker=beginning.worker,
            workers=beginning.workers,
            first_index=beginning.next_index,
            index_after=beginning.index_after,
            end_ns=beginning.end_ns,
            requests=beginning.requests,
            burstiness=load.burstiness,
        )

    @property
    def next_index(self) -> int:
        return self._schedule.next_index

    @property
    def lead_ns(self) -> int:
        due_ns = self._schedule.due_ns
        return 0 if due_ns is None else lead_ns(self._schedule.curve.rate_rps(due_ns) / self._workers)

    def due_ns(self, sendable_ns: int | None) -> int | None:
        return self._schedule.due_ns

    def take(self) -> int:
        index = self._schedule.next_index
        self._schedule.advance()
        return index

    def change(self, at_ns: int, load: Any) -> bool:
        if not isinstance(load, OpenLoad) or (load.arrivals, load.burstiness) != self._arrivals:
            return False
        self._schedule.change(at_ns, load.curve)
        return True

    def exhausted(self, now_ns: int) -> bool:
        return self._schedule.exhausted(now_ns)

    def offered(self, t_ns: int) -> Offered:
        return Offered(self._schedule.curve.rate_rps(t_ns), None)
