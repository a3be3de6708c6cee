"""Nodes that are gone while a run goes on: whether it goes on, and what their workers were to send.

What was due there and is in no tick of theirs counts as due and not sent: as much as the rate says for their
share, since nobody has worked out each due time. Of a closed loop nothing more is due where nobody answers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from loadgen.arrivals.shares import own_requests
from loadgen.clock import Clock
from loadgen.records import TICK_NS, Tick
from sessions.plan.config import RunConfig
from sessions.run.end import RunEnd
from sessions.run.load_workers import LostNode
from sessions.run.run_load import RunLoad
from sessions.store.follow import following
from sessions.store.journal import worker_file
from sessions.store.records import AnyRecord
from sessions.worker.states import Workers


class _Gone:
    """One worker that will tick no more."""

    def __init__(self, number: int, t_ns: int, most_due: int | None) -> None:
        self.number, self.t_ns, self._left = number, t_ns, most_due
        self._due = 0.0

    def due(self, expected: float) -> int:
        """How many whole ones of these there are, with what was left before."""
        self._due += expected
        count = int(self._due)
        self._due -= count
        if self._left is not None:
            count = min(count, self._left)
            self._left -= count
        return count


class LostNodes:
    """Asked to `count` now and then, it appends ticks in the place of workers that are gone."""

    def __init__(
        self,
        config: RunConfig,
        directory: Path,
        workers: Workers,
        load: RunLoad,
        clock: Clock,
        append: Callable[[AnyRecord], None],
        note: Callable[[str, str], None],
    ) -> None:
        self._config, self._directory, self._workers, self._load = config, directory, workers, load
        self._clock, self._append, self._note = clock, append, note
        self._gone: list[_Gone] = []

    def lose(self, node: LostNode, *, ending: bool) -> RunEnd | None:
        """The end that this means for the run; None where it goes on, or comes to an end already."""
        asked, left = self._config.nodes, self._workers.states.alive - set(node.workers)
        what = f"node {node.name} is lost: {node.why}"
        if ending:
            self._note("error", what)
            return None
        if not node.workers and self._load.start_ns:
            self._note("error", f"{what}; no load came from there; see {node.place}")
            return None
        if asked is None or asked.on_lost == "end" or not left or not self._load.start_ns:
            self._note("error", f"{what}; see {node.place}")
            return RunEnd("worker_lost", 1.0, what)
        share = f"{len(node.workers)} of {self._workers.count} load workers are gone with it"
        self._note("error", f"{what}; {share}, their requests count as not sent; see {node.place}")
        self._gone += [self._last_of(number) for number in node.workers]
        return None

    def count(self) -> None:
        """Up to now."""
        now = self._clock.now_ns()
        for gone in self._gone:
            while gone.t_ns + TICK_NS <= now:
                self._append(self._tick(gone))

    def end(self) -> None:
        """Nothing more is due: while answers are waited for, nothing is counted."""
        self.count()
        self._gone.clear()

    def _tick(self, gone: _Gone) -> Tick:
        before = gone.t_ns
        gone.t_ns = (before // TICK_NS + 1) * TICK_NS
        dt_ns, middle = gone.t_ns - before, (before + gone.t_ns) // 2
        end_ns = self._load.end_ns
        over = end_ns is not None and middle >= end_ns
        rate_rps = self._load.rate_rps(middle)
        due = 0 if over or rate_rps is None else gone.due(rate_rps * dt_ns / 1e9 / self._workers.count)
        return Tick(
            t_ns=gone.t_ns,
            dt_ns=dt_ns,
            worker=gone.number,
            due=due,
            not_sent=due,
            rate_rps=0.0 if over and rate_rps is not None else rate_rps,
            concurrency=self._load.concurrency,
        )

    def _last_of(self, number: int) -> _Gone:
        """As its ticks that are here tell it."""
        t_ns, due = self._load.start_ns, 0
        follower = following(self._directory / worker_file(number))
        while (records := follower.poll()) or follower.behind:
            for record in records:
                if isinstance(record, Tick):
                    t_ns, due = max(t_ns, record.t_ns), due + record.due
        follower.close()
        requests, most = self._config.load.requests, None
        if requests is not None and not self._load.has_plan:
            count = self._workers.count
            most = max(0, own_requests(requests, count, number, count) - due)
        return _Gone(number, t_ns, most)
