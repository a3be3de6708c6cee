"""What each of several targets had of the load over time, as ticks tell it; nothing where there is one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loadgen.records import Tick
from sessions.store.bounds import TARGETS_CAP
from sessions.timeline.columns import Floats, Table
from sessions.timeline.failures import Failures
from sessions.timeline.sketches import Sketches, SketchLog

COUNTS = ("due", "sent", "succeeded", "failed", "not_sent", "cut_off", "output_tokens")
SKETCHES = ("ttft_from_due", "itl", "chunk_gap", "e2e")
COLUMNS = ("t", "dt", "worker", *COUNTS, "in_flight")


class TargetColumns:
    """One target."""

    def __init__(self) -> None:
        self._table = Table(COLUMNS, by="worker", followed=True)
        self.sketch_logs = {name: SketchLog() for name in SKETCHES}
        """Of `ticks`, once these were asked for."""
        self.failures = Failures()

    def take_ticks(self, cells: Floats, sketches: dict[str, SketchLog]) -> None:
        """All of them at once, as they were kept: the cells of `ticks`, and `sketch_logs`."""
        self._table = Table.of_cells(COLUMNS, cells, by="worker", followed=True)
        self.sketch_logs = sketches

    def take(self, tick: Tick, at: int) -> None:
        """Takes the `at`-th target of a tick in."""
        own = tick.targets[at]
        counts = [getattr(own, name) for name in COUNTS]
        self._table.add((tick.t_ns, max(tick.dt_ns, 1), tick.worker, *counts, own.in_flight))
        for name, log in self.sketch_logs.items():
            log.add(getattr(own, name))
        if self._table.crowded:
            _ = self.ticks
        if own.errors:
            self.failures.take(Tick(tick.t_ns, tick.dt_ns, tick.worker, errors=own.errors))

    @property
    def ticks(self) -> Table:
        """Columns `COLUMNS`."""
        if (moved := self._table.merge_pending()) is not None:
            for log in self.sketch_logs.values():
                log.merge_pending(*moved)
        return self._table

    def sketches(self, metric: str, edges_ns: Sequence[float] | Floats) -> Sketches:
        """As `Timeline.sketches`."""
        rows = self.ticks.upto(np.asarray(edges_ns, dtype=np.float64))
        return self.sketch_logs[metric].between(rows)

    def gaps(self, edges_ns: Sequence[float] | Floats) -> Sketches:
        """ITL, or where nobody knows how many tokens a chunk bears, the gaps between chunks."""
        itl = self.sketches("itl", edges_ns)
        return itl if itl.total else self.sketches("chunk_gap", edges_ns)

    def counted(self, name: str, from_ns: float, to_ns: float) -> int:
        """What was counted in `(from_ns, to_ns]`."""
        first, last = self.ticks.upto(np.array([from_ns, to_ns], dtype=np.float64)).tolist()
        return int(self.ticks[name][first:last].sum())

    def in_flight(self, at_ns: float, age_ns: float) -> int:
        """Now: of each worker's newest tick, unless it is older than `age_ns`."""
        first, last = self.ticks.upto(np.array([at_ns - age_ns, at_ns], dtype=np.float64)).tolist()
        workers = self.ticks["worker"][first:last].tolist()
        newest = {worker: row for row, worker in enumerate(workers, first)}
        return int(self.ticks["in_flight"][list(newest.values())].sum())

    def errors(self, to_ns: float) -> dict[str, int]:
        """Failures by kind up to `to_ns`, most frequent first."""
        return self.failures.by_kind(to_ns)


class Targets:
    """All of them, by number; empty where there is one."""

    def __init__(self) -> None:
        self.each: dict[int, TargetColumns] = {}

    def take(self, tick: Tick) -> None:
        for at, own in enumerate(tick.targets):
            if own.target < TARGETS_CAP:
                self.each.setdefault(own.target, TargetColumns()).take(tick, at)
