"""The requests of a step while it runs, read from the session's own files: which are known to the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sessions.metrics import Requests, e2e
from sessions.plan.slo import Target
from sessions.store.follow import SessionFollower
from sessions.store.parse import parse_packed
from sessions.summary.slo import values_of
from sessions.timeline.requests import NONE
from sessions.timeline.timeline import Timeline


class Seen(NamedTuple):
    """A step so far."""

    sent: int
    """Requests that were due in it, warm-up and all."""
    in_flight: int
    e2e_s: float | None
    """Mean of those that succeeded."""
    ended: int
    values: list[list[float]]
    """As `sessions.limit.step.judge` takes them: of the requests after the warm-up, up to the first that is
    not over."""
    all_read: bool
    """The files tell of all of it: writers are up to a second behind."""
    e2e_spread_s: float | None = None
    """Standard deviation of those that succeeded."""


class StepRequests:
    """Follows a session that is being written. Not thread-safe: one look at a time."""

    def __init__(self, directory: Path, targets: Sequence[Target]) -> None:
        self._files = SessionFollower(directory, requests=True, parse=parse_packed)
        self._timeline, self._targets = Timeline(), targets

    def close(self) -> None:
        self._files.close()

    def look(self, begin_ns: int, warm_up: int, over_ns: int | None = None) -> Seen:
        """At the step that began at `begin_ns`; `over_ns`: since when nothing of it is under way any more."""
        over = over_ns is not None
        while True:
            for record in self._files.poll():
                self._timeline.apply(record)
            if not self._files.behind:
                break
        rows = self._timeline.requests.rows
        rows = rows[np.searchsorted(rows["due_ns"], begin_ns) :]
        ticks = self._timeline.ticks
        first = int(ticks.upto(begin_ns))
        due, not_sent = (ticks[name][first:].astype(np.int64) for name in ("due", "not_sent"))
        sent = max(int(due.sum()), len(rows))
        whole = rows if over else rows[: self._known(rows, ticks["t"][first:], due, not_sent)]
        good = rows[rows["error"] == NONE]
        took = e2e(good)
        known = bool(np.isfinite(took).any())
        return Seen(
            sent=sent,
            in_flight=0 if over else max(sent - len(rows) - int(not_sent.sum()), 0),
            e2e_s=float(np.nanmean(took)) / 1e9 if known else None,
            e2e_spread_s=float(np.nanstd(took)) / 1e9 if known else None,
            ended=len(rows),
            values=values_of(self._targets, whole[warm_up:], int(not_sent.sum()) if over else 0),
            all_read=over_ns is not None
            and self._read_upto(over_ns)
            and len(rows) + int(not_sent.sum()) >= sent,
        )

    def _read_upto(self, at_ns: int) -> bool:
        """Whether every worker's newest tick that was read is later than that."""
        ticks, workers = self._timeline.ticks, self._timeline.workers
        return bool(workers) and all(
            int(ticks["t"][ticks["worker"] == worker].max(initial=0)) >= at_ns for worker in workers
        )

    def _known(self, rows: Requests, at_ns: object, due: object, not_sent: object) -> int:
        """How many of the first requests are over: up to the newest tick by which all that were due are."""
        times = np.asarray(at_ns)
        edges = np.unique(times)
        ended = np.searchsorted(rows["due_ns"], edges, side="right")
        order = np.argsort(times, kind="stable")
        place = np.searchsorted(times[order], edges, side="right")
        fell_due, given_up = (
            np.concatenate([[0], np.cumsum(np.asarray(counts)[order])])[place] for counts in (due, not_sent)
        )
        whole = np.flatnonzero(fell_due <= ended + given_up)
        return int(ended[whole[-1]]) if len(whole) else 0
