"""The closed loop: a slot's next request is due when its last one ended."""

from __future__ import annotations

import sys
from heapq import heappop, heappush, nsmallest
from typing import Any

from loadgen.arrivals.load import Beginning, ClosedLoad, LoadModel, Offered
from loadgen.arrivals.shares import share

_AFTER_FAILURE_NS = 100_000_000
"""A server that fails at once must not be asked again at once."""


class ClosedLoop(LoadModel):
    """As many requests in flight as this worker has slots, whose number may change."""

    next_index = 0

    def __init__(self, load: ClosedLoad, beginning: Beginning) -> None:
        self._beginning = beginning
        self._concurrency = load.concurrency
        self._slots = self._share()
        self._in_flight = beginning.in_flight
        self._due_ns = beginning.at_ns
        """When the request of a slot is due that has had none yet,"""
        self._free_ns: list[int] = []
        """and of those whose last one ended: a heap, of no more than there are free slots."""
        self.next_index = beginning.next_index
        self._end_ns = sys.maxsize if beginning.end_ns is None else beginning.end_ns
        self._end_index = sys.maxsize if beginning.requests is None else beginning.requests

    def due_ns(self, sendable_ns: int | None) -> int | None:
        free = self._slots - self._in_flight
        if free <= 0 or self.next_index >= self._end_index or sendable_ns is None:
            return None
        due_ns = self._due_ns if free > len(self._free_ns) else self._free_ns[0]
        if due_ns < sendable_ns:
            due_ns = sendable_ns
        return due_ns if due_ns < self._end_ns else None

    def take(self) -> int:
        index = self.next_index
        self.next_index = self._beginning.index_after(index)
        if self._free_ns and self._slots - self._in_flight <= len(self._free_ns):
            heappop(self._free_ns)
        self._in_flight += 1
        return index

    def ended(self, index: int, now_ns: int, *, failed: bool) -> bool:
        self._in_flight -= 1
        if self._in_flight < self._slots:
            free_ns = max(self._due_ns, now_ns + (_AFTER_FAILURE_NS if failed else 0))
            heappush(self._free_ns, free_ns)
        return True

    def change(self, at_ns: int, load: Any) -> bool:
        if not isinstance(load, ClosedLoad):
            return False
        self._concurrency = load.concurrency
        self._slots = self._share()
        self._due_ns = max(self._due_ns, at_ns)
        self._free_ns = nsmallest(max(0, self._slots - self._in_flight), self._free_ns)
        return True

    def exhausted(self, now_ns: int) -> bool:
        return self.next_index >= self._end_index or now_ns >= self._end_ns

    def offered(self, t_ns: int) -> Offered:
        return Offered(None, self._concurrency)

    def _share(self) -> int:
        here = self._beginning
        return min(here.cap, share(self._concurrency, here.worker, here.workers))
