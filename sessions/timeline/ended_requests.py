"""Requests that ended well, by when they ended: how many up to an instant, and what they took together."""

from __future__ import annotations

import numpy as np

from sessions.timeline.columns import Floats, Ints, written

FIGURES = ("count", "ttft_ns", "send_lag_ns")
"""What is added up: from due to the first token, and from due to sent."""


class EndedRequests:
    """Takes rows in any order; what comes late in time is cheap, as in a run that is followed."""

    def __init__(self) -> None:
        self._end_ns: Ints = np.zeros(0, dtype=np.int64)
        self._sums: Floats = np.zeros((1, len(FIGURES)))
        """Of the first 0, 1, 2, ... of them."""
        self._count = 0

    def add(self, end_ns: Ints, due_ns: Ints, sent_ns: Ints, first_token_ns: Ints) -> None:
        """Requests that had a first token; one that was never sent (below 0) has no send lag."""
        if not len(end_ns):
            return
        first = int(np.searchsorted(self._end_ns[: self._count], end_ns.min()))
        lag_ns = np.where(sent_ns >= 0, sent_ns - due_ns, 0)
        fresh = np.stack([np.ones(len(end_ns)), first_token_ns - due_ns, lag_ns], axis=1)
        ends = np.concatenate([self._end_ns[first : self._count], end_ns])
        each = np.concatenate([np.diff(self._sums[first : self._count + 1], axis=0), fresh])
        # Of one instant in the order of what they took, so that the order they came in leaves no trace.
        order = np.lexsort((each[:, 2], each[:, 1], ends))
        sums = self._sums[first] + np.cumsum(each[order], axis=0)
        self._end_ns = written(self._end_ns, first, ends[order])
        self._sums = written(self._sums, first + 1, sums)
        self._count = first + len(ends)

    def upto(self, times_ns: Floats) -> Floats:
        """`FIGURES` of those that ended by then, shape `(len(FIGURES), len(times_ns))`."""
        places = np.searchsorted(self._end_ns[: self._count], times_ns, side="right")
        found: Floats = self._sums[places].T
        return found
