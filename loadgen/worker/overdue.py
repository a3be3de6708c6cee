"""Ends requests whose deadline has passed, and those whose answer is over though their stream stays open."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from loadgen.worker.deadlines import left_open, passed_deadline
from loadgen.worker.in_flight import InFlightRequest
from loadgen.worker_config import Deadlines


class Overdue:
    """`note` is called with an event and its words, once for all streams that stay open."""

    def __init__(self, deadlines: Deadlines, note: Callable[[str, str], None]) -> None:
        self._deadlines, self._note = deadlines, note
        self._noted = False

    def end(self, requests: Iterable[InFlightRequest], now_ns: int) -> None:
        for request in requests:
            if (over_ns := request.over_ns) is not None:
                if left_open(over_ns, request.done, now_ns, self._deadlines):
                    self._end_left_open(request, over_ns)
                continue
            passed = passed_deadline(request.record, request.heard_ns, now_ns, self._deadlines)
            if passed is not None:
                request.fail(now_ns, *passed)

    def _end_left_open(self, request: InFlightRequest, over_ns: int) -> None:
        if not self._noted:
            self._noted = True
            self._note("left_open", f"behind {'[DONE]' if request.done else 'the finish reason'}")
        request.end_left_open(over_ns)
