"""Requests that ended, as numpy columns: what exact figures, a waterfall or a what-if SLO are made of.

Read only where somebody asks for them (`SessionView.requests`, a summary): the screen's charts live on
ticks. A request takes `ROW.itemsize` bytes here and some room to grow, however many tokens it had;
`benchmarks/summary_cost.py` measures what that and the token gaps come to.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from loadgen.records import Request
from sessions.store.gap_codec import decode_gaps
from sessions.timeline.columns import written
from sessions.timeline.ended_requests import EndedRequests
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
    "target": "b",
}
"""Numbers that a `loadgen.records.Request` has, and their kinds in numpy: one more is one line more."""
_DERIVED = {"error": "h", "token_source": "h", "tags": "h", "itl_known": "?"}
"""The first three are places in `RequestColumns.error_kinds`, `.token_sources` and `.tags`; `error` is `NONE`
where the request succeeded. `itl_known`: it did, and its gaps tell the times between its tokens."""
_COLUMNS = {"longest_gap_us": "q", **_COPIED, **_DERIVED}
"""The first: the longest time between two chunks of it; `NONE` where there were no two."""
_COLUMNS = dict(sorted(_COLUMNS.items(), key=lambda column: "qihb?".index(column[1])))  # no room lies between

ROW = np.dtype(list(_COLUMNS.items()), align=True)
_MOST = {code: np.iinfo(code).max for code in "qihb"}
_copied_fields = attrgetter(*_COPIED)
_BATCH = 512
"""Requests that are put into columns together, which costs half of what it does one by one."""

Requests = NDArray[np.void]
"""Rows of `ROW`, shape `(n,)`: a column is `requests["due_ns"]`, a choice of them `requests[mask]`."""

_Name = TypeVar("_Name")


class RequestColumns:
    """Takes in requests in any order, gives them in the order in which they were due."""

    def __init__(self) -> None:
        self._error_kinds: list[str] = []
        self._token_sources: list[str] = []
        self._tags: list[tuple[str, ...]] = []
        self._gaps = TokenGaps()
        self._shared = SharedPrompts()
        self._waiting: list[Request] = []
        self._fresh: list[Requests] = []
        self._rows: Requests = np.zeros(0, dtype=ROW)
        self._count = 0
        self._ended: EndedRequests | None = None

    def add(self, request: Request) -> None:
        """Takes one in."""
        self._waiting.append(request)
        if len(self._waiting) >= _BATCH:
            self._take_in()

    def _take_in(self) -> None:
        taken, self._waiting = self._waiting, []
        if not taken:
            return
        cells = [NONE if cell is None else cell for request in taken for cell in _copied_fields(request)]
        columns = np.array(cells, dtype=np.int64).reshape(len(taken), len(_COPIED)).T
        fresh = np.zeros(len(taken), dtype=ROW)
        for (name, code), column in zip(_COPIED.items(), columns, strict=True):
            # Damaged where it is more: no request has two billion tokens.
            fresh[name] = column if code == "q" else np.minimum(column, _MOST[code])
        errors, known, longest_us = [], [], []
        for request in taken:
            if request.prompt_number is not None or request.prefix_group is not None:
                self._shared.add(request)
            if request.error is None:
                errors.append(NONE)
                known.append(self._gaps.add(request))
                longest_us.append(NONE)  # known once the gaps of many are unpacked together, below
            else:
                errors.append(_place(self._error_kinds, request.error.kind, "other"))
                known.append(False)
                gaps_us = decode_gaps(request.gaps) if request.gaps else request.gaps_us
                longest_us.append(max(gaps_us, default=NONE))
        fresh["error"], fresh["itl_known"], fresh["longest_gap_us"] = errors, known, longest_us
        fresh["longest_gap_us"][fresh["error"] == NONE] = self._gaps.take_longest_us()
        fresh["token_source"] = _places(
            self._token_sources, [request.token_source for request in taken], "other"
        )
        fresh["tags"] = _places(self._tags, [request.tags for request in taken], ("other",))
        self._fresh.append(fresh)

    @property
    def error_kinds(self) -> list[str]:
        self._take_in()
        return self._error_kinds

    @property
    def token_sources(self) -> list[str]:
        self._take_in()
        return self._token_sources

    @property
    def tags(self) -> list[tuple[str, ...]]:
        self._take_in()
        return self._tags

    @property
    def gaps(self) -> TokenGaps:
        """Gaps of the requests that succeeded."""
        self._take_in()
        return self._gaps

    @property
    def shared(self) -> SharedPrompts:
        self._take_in()
        return self._shared

    def cut_off(self, rows: Requests) -> NDArray[np.bool_]:
        """Which of `rows` the end of the run cut off: no failure of the server's."""
        cut = self.error_kinds.index(CUT_OFF) if CUT_OFF in self.error_kinds else None
        return np.zeros(len(rows), dtype=np.bool_) if cut is None else rows["error"] == cut

    def __len__(self) -> int:
        return self._count + sum(map(len, self._fresh)) + len(self._waiting)

    @property
    def rows(self) -> Requests:
        """All of them, ordered by `due_ns`, then by `index` and `worker`. Not to be written to, nor kept."""
        self._take_in()
        if self._fresh:
            fresh = np.concatenate(self._fresh)
            self._fresh = []
            if self._ended is not None:
                _end(self._ended, fresh)
            due_ns = self._rows["due_ns"][: self._count]
            first = int(np.searchsorted(due_ns, fresh["due_ns"].min()))
            tail = np.concatenate([self._rows[first : self._count], fresh])
            order = np.lexsort((tail["worker"], tail["index"], tail["due_ns"]))
            self._rows = written(self._rows, first, tail[order])
            self._count = first + len(tail)
        return self._rows[: self._count]

    @property
    def ended(self) -> EndedRequests:
        """Those that succeeded and had a first token, by when they ended; kept up once it was asked for."""
        rows = self.rows
        if self._ended is None:
            self._ended = EndedRequests()
            _end(self._ended, rows)
        return self._ended


def _end(ended: EndedRequests, rows: Requests) -> None:
    some = rows[(rows["error"] == NONE) & (rows["first_token_ns"] >= 0)]
    ended.add(some["end_ns"], some["due_ns"], some["sent_ns"], some["first_token_ns"])


def _places(names: list[_Name], said: list[_Name], other: _Name) -> list[int]:
    """Where each stands in `names`."""
    if said.count(said[0]) == len(said):
        return [_place(names, said[0], other)] * len(said)
    return [_place(names, name, other) for name in said]


def _place(names: list[_Name], name: _Name, other: _Name) -> int:
    """Where `name` stands in `names`, which learns it; of too many, where `other` stands."""
    try:
        return names.index(name)
    except ValueError:
        pass
    if len(names) >= KINDS_CAP and name != other:
        return _place(names, other, other)
    names.append(name)
    return len(names) - 1
