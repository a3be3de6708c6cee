"""Conversations: a loop says when each begins, the answer to one turn when the next is due.

A turn is due once its predecessor was answered and the person has thought about it. A conversation stays on
the worker on which it began. One of which a turn failed is over: there is no answer to go on from.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from heapq import heappop, heappush
from typing import Any

from loadgen.arrivals.closed_loop import ClosedLoop
from loadgen.arrivals.load import Beginning, ClosedLoad, ConversationLoad, LoadModel, Offered
from loadgen.arrivals.open_loop import OpenLoop
from loadgen.indices import INDEX_STRIDE, TURN_STRIDE
from loadgen.workload.draws import drawn_length, turns_of

_MOST_CONVERSATIONS = INDEX_STRIDE // TURN_STRIDE


class ConversationLoop(LoadModel):
    """The conversations that fall to one worker: number `n` to worker `n % workers`."""

    next_index = None
    """What a turn asks depends on the answer before it: none can be made ready."""

    def __init__(self, load: ConversationLoad, beginning: Beginning) -> None:
        self._load = load
        self._base = beginning.number * INDEX_STRIDE
        own = sys.maxsize
        if beginning.requests is not None:
            own = -(-(beginning.requests - beginning.next_index) // beginning.workers)
        self._left = own
        """Turns that may be due still."""
        # To the loop inside, a conversation is what a request is to others, and its number the index.
        inside = replace(beginning, next_index=beginning.worker, requests=_MOST_CONVERSATIONS, period=None)
        loop = ClosedLoop if isinstance(load.starts, ClosedLoad) else OpenLoop
        self._starts: LoadModel = loop(load.starts, inside)  # type: ignore[arg-type]
        self._turns: list[tuple[int, int]] = []
        """When further turns are due, and their indices: a heap."""
        self._turn_next = False
        """What is due next is a further turn, no beginning."""
        self._end_ns = sys.maxsize if beginning.end_ns is None else beginning.end_ns
        self._held = False
        self._from_ns = beginning.at_ns
        """What became due in a hold is due from then on."""

    def due_ns(self, sendable_ns: int | None) -> int | None:
        if self._left <= 0:
            return None
        due_ns = self._starts.due_ns(sendable_ns)
        self._turn_next = False
        if self._turns and not self._held:
            turn_ns = max(self._turns[0][0], self._from_ns)
            if due_ns is None or turn_ns <= due_ns:
                due_ns, self._turn_next = turn_ns, True
        return None if due_ns is None or due_ns >= self._end_ns else due_ns

    def take(self) -> int:
        self._left -= 1
        if self._turn_next:
            return heappop(self._turns)[1]
        return self._base + self._starts.take() * TURN_STRIDE

    def ended(self, index: int, now_ns: int, *, failed: bool) -> bool:
        conversation, turn = divmod(index, TURN_STRIDE)
        if not self._base <= index < self._base + INDEX_STRIDE:  # of the load before
            return self._starts.ended(index, now_ns, failed=failed)
        load = self._load
        if failed or turn + 1 >= turns_of(conversation, load.turns, load.seed):
            return self._starts.ended(conversation, now_ns, failed=failed)
        think_ms = 0 if load.think_ms is None else drawn_length(load.think_ms, load.seed, index, "think")
        heappush(self._turns, (now_ns + think_ms * 1_000_000, index + 1))
        return True

    def change(self, at_ns: int, load: Any) -> bool:
        if not isinstance(load, ConversationLoad) or not self._starts.change(at_ns, load.starts):
            return False
        starts = load.starts
        self._held = not (
            starts.concurrency if isinstance(starts, ClosedLoad) else any(s.to_rps for s in starts.curve)
        )
        self._from_ns = at_ns
        return True

    def exhausted(self, now_ns: int) -> bool:
        return self._left <= 0 or now_ns >= self._end_ns

    def offered(self, t_ns: int) -> Offered:
        return self._starts.offered(t_ns)
