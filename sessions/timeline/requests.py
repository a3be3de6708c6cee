"""Requests that ended, as numpy columns: what exact figures, a waterfall or a what-if SLO are made of.

Read only where somebody asks for them (`SessionView.requests`, a summary): the screen's charts live on
ticks. A request takes `ROW.itemsize` bytes here and some room to grow, however many tokens it had;
`benchmarks/summary_cost.py` measures what that and the token gaps come to.
"""

from __future__ import annotations

import struct
from operator import attrgetter
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from loadgen.records import Request
from sessions.timeline.columns import written
from sessions.timeline.shared_prompts import SharedPrompts
from sessions.timeline.token_gaps import TokenGaps

NONE = -1
"""Stands for None in every column."""
CUT_OFF = "unfinished"
"""The kind of error that the end of a run gives what it cuts off."""
KINDS_CAP = 256
"""Error kinds, token sources and sets of tags kept apart; a session that names more is not one of ours."""

_COPIED = {
    "due_ns": "q",
    "sent_ns": "q",
    "headers_ns": "q",
    "first_token_ns": "q",
    "last_token_ns": "q",
    "end_ns": "q",
    "index": "q",
    "asked_input_tokens": "i",
    "asked_output_tokens": "i",
    "input_tokens": "i",
    "cached_tokens": "i",
    "output_tokens": "i",
    "hidden_tokens": "i",
    "chunks": "i",
    "conversation": "i",
    "status": "h",
    "turn": "h",
    "worker": "h",
    "stale_retries": "h",
}
"""Numbers that a `loadgen.records.Request` has, and their codes in `struct`: one more is one line more."""
_DERIVED = {"error": "h", "token_source": "h", "tags": "h", "itl_known": "?"}
"""The first three are places in `RequestColumns.error_kinds`, `.token_sources` and `.tags`; `error` is `NONE`
where the request succeeded. `itl_known`: it did, and its gaps tell the times between its tokens."""
_COLUMNS = {**_COPIED, **_DERIVED}

ROW = np.dtype(list(_COLUMNS.items()), align=True)
_PACKED = struct.Struct("".join(_COLUMNS.values()) + "0q")
_MOST = {code: (1 << 8 * struct.calcsize(code) - 1) - 1 for code in "qih"}
_copied_fields = attrgetter(*_COPIED)

Requests = NDArray[np.void]
"""Rows of `ROW`, shape `(n,)`: a column is `requests["due_ns"]`, a choice of them `requests[mask]`."""

_Name = TypeVar("_Name")


class RequestColumns:
    """Takes in requests in any order, gives them in the order in which they were due."""

    def __init__(self) -> None:
        self.error_kinds: list[str] = []
        self.token_sources: list[str] = []
        self.tags: list[tuple[str, ...]] = []
        self.gaps = TokenGaps()
        """Gaps of the requests that succeeded."""
        self.shared = SharedPrompts()
        self._pending = bytearray()
        self._rows: Requests = np.zeros(0, dtype=ROW)
        self._count = 0

    def add(self, request: Request) -> None:
        """Takes one in."""
        error, itl_known = NONE, False
        self.shared.add(request)
        if request.error is None:
            itl_known = self.gaps.add(request)
        else:
            error = _place(self.error_kinds, request.error.kind, "other")
        cells = [NONE if field is None else field for field in _copied_fields(request)]
        token_source = _place(self.token_sources, request.token_source, "other")
        cells += (error, token_source, _place(self.tags, request.tags, ("other",)), itl_known)
        try:
            self._pending += _PACKED.pack(*cells)
        except struct.error:  # damaged: no request has two billion tokens
            self._pending += _PACKED.pack(*map(_within, cells, _COLUMNS.values()))

    def cut_off(self, rows: Requests) -> NDArray[np.bool_]:
        """Which of `rows` the end of the run cut off: no failure of the server's."""
        cut = self.error_kinds.index(CUT_OFF) if CUT_OFF in self.error_kinds else None
        return np.zeros(len(rows), dtype=np.bool_) if cut is None else rows["error"] == cut

    def __len__(self) -> int:
        return self._count + len(self._pending) // ROW.itemsize

    @property
    def rows(self) -> Requests:
        """All of them, ordered by `due_ns`, then by `index` and `worker`. Not to be written to, nor kept."""
        if self._pending:
            fresh = np.frombuffer(self._pending, dtype=ROW)
            self._pending = bytearray()
            due_ns = self._rows["due_ns"][: self._count]
            first = int(np.searchsorted(due_ns, fresh["due_ns"].min()))
            tail = np.concatenate([self._rows[first : self._count], fresh])
            order = np.lexsort((tail["worker"], tail["index"], tail["due_ns"]))
            self._rows = written(self._rows, first, tail[order])
            self._count = first + len(tail)
        return self._rows[: self._count]


def _place(names: list[_Name], name: _Name, other: _Name) -> int:
    """Where `name` stands in `names`, which learns it; of too many, where `other` stands."""
    if name not in names and len(names) >= KINDS_CAP:
        name = other
    if name not in names:
        names.append(name)
    return names.index(name)


def _within(cell: int, code: str) -> int:
    return min(cell, _MOST.get(code, cell))
