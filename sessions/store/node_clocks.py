"""Times of a node's files on the session's clock, by the clock records of the supervisor's journal.

A record holds from its own instant until the node's next one, and the first one before it too: what is known
of a time does not depend on what is found out later, so that a live run and its replay have the same.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from loadgen.records import Request
from sessions.store.records import AnyRecord, NodeClock
from telemetry.bounds import TEN_YEARS_NS

_WORKER = re.compile(r"(?:worker|requests)-(\d{1,6})\.jsonl\.gz")
_TELEMETRY = re.compile(r"telemetry-(.+)\.jsonl\.gz")
_TIMES = (
    "sent_ns",
    "headers_ns",
    "first_event_ns",
    "first_token_ns",
    "first_answer_token_ns",
    "last_token_ns",
)
NODES_CAP = 1024
SAID_NS, WARNED_NS = 1_000_000, 10_000_000
"""A bound that is worth a sentence, and one that is worth a warning: little can be compared beyond it."""


class NodeClocks:
    """What was said so far of the clocks of a session's nodes; none: nothing is ever moved."""

    def __init__(self) -> None:
        self._known: dict[str, list[NodeClock]] = {}
        self._node_of: dict[int, str] = {}

    def __bool__(self) -> bool:
        return bool(self._known)

    def take(self, record: NodeClock) -> None:
        if record.node in self._known or len(self._known) < NODES_CAP:
            own = self._known.setdefault(record.node, [])
            own.insert(bisect_right(own, _own_ns(record), key=_own_ns), record)
            self._node_of.update(dict.fromkeys(record.workers, record.node))

    def node_of(self, file_name: str) -> str | None:
        """Whose clock the times of a file are of; None: the session's own."""
        if match := _WORKER.fullmatch(file_name):
            return self._node_of.get(int(match[1]))
        match = _TELEMETRY.fullmatch(file_name)
        return match[1] if match and match[1] in self._known else None

    def moved(self, records: Sequence[AnyRecord], file_name: str) -> None:
        """Puts the times of the records of a file onto the session's clock, in place."""
        node = self.node_of(file_name)
        if node is None:
            return
        own = self._known[node]
        for record in records:
            if isinstance(record, Request):
                _move_request(record, own)
            else:
                record.t_ns = session_ns(own, record.t_ns)


def session_ns(clocks: Sequence[NodeClock], own_ns: int) -> int:
    """An instant of a node's files on the session's clock; `clocks` are its records by time, one at least."""
    clock = clocks[max(0, bisect_right(clocks, own_ns, key=_own_ns) - 1)]
    since_ns = own_ns - clock.t_ns + clock.correction_ns
    return _bounded(clock.t_ns + round(since_ns / (1 + clock.drift_ppm * 1e-6)))


def within_ns(clocks: Sequence[NodeClock], t_ns: int) -> int:
    """The most that an instant can be wrong by, as far as these records tell."""
    clock = clocks[max(0, bisect_right(clocks, t_ns, key=lambda one: one.t_ns) - 1)]
    return _bounded(clock.within_ns + round(clock.drift_within_ppm * 1e-6 * abs(t_ns - clock.t_ns)))


def known_within(node: str, bound_ns: int) -> str:
    """What a bound comes to, said live and in a summary."""
    known = f"the clock of node {node} is known within {bound_ns / 1e6:.1f} ms"
    apart = ": what lies less far apart on two nodes cannot be compared"
    return known + apart if bound_ns > WARNED_NS else known


def _own_ns(clock: NodeClock) -> int:
    """Its instant on the node's own clock."""
    return clock.t_ns - round(clock.correction_ns)


def _move_request(request: Request, clocks: Sequence[NodeClock]) -> None:
    """By one and the same time, so that its durations stay what the node's clock measured."""
    correction_ns = session_ns(clocks, request.due_ns) - request.due_ns
    request.due_ns += correction_ns
    request.end_ns = _bounded(request.end_ns + correction_ns)
    for field in _TIMES:
        t_ns = getattr(request, field)
        if t_ns is not None:
            setattr(request, field, _bounded(t_ns + correction_ns))


def _bounded(t_ns: int) -> int:
    """What a clock record of a stranger may bring about is what a time read from a file may be."""
    return min(max(0, t_ns), TEN_YEARS_NS)
