"""The loads that a session has put on up to an instant, one after the other; a ramp in pieces.

Cut where the load changed, so that stages of a plan, steps of a search and a person's keys are the same to
all that is drawn of them. What was put on before an instant is cut alike at every later one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from sessions.plan.config import LoadConfig, RunConfig
from sessions.plan.stages import Stage
from sessions.steady.stretch import OVER, Stretch, moves, stage_stretch
from sessions.store.records import LoadChange
from sessions.timeline.columns import Floats
from sessions.timeline.stage_list import stages_of
from sessions.timeline.timeline import Timeline

SECOND_NS = 1_000_000_000
SHORTEST_NS = SECOND_NS
PIECE_NS = 5 * SECOND_NS
"""Of a ramp of a minute at the most; of longer ones twice that, four times, ..."""
PIECES = 12
FLAT_NS = 8 * SECOND_NS
"""So long the last rate of a ramp has to have gone on to be a load of its own."""
_SAME = 1e-3
LOADS_CAP = 400
"""The newest are kept: more than a screen has room for, and than a plan of ours has stages."""


class LoadStage(NamedTuple):
    """One load, or a piece of a ramp."""

    stretch: Stretch
    load: float
    """Requests per second offered, or at a time; of a piece of a ramp its mean."""
    ramp: bool
    name: str
    """Of the plan's stage; empty where there is none."""
    since_ns: int
    """What was due before this is of another load: its beginning; of a piece of a ramp that of the ramp."""

    @property
    def closed(self) -> bool:
        return not self.stretch.open_loop


def loads_upto(timeline: Timeline, config: RunConfig | None, at_ns: int) -> list[LoadStage]:
    """In order. The last one may go on: up to the last whole second then, so that it is another once a
    second. What lasts less than a second so far, and what offers nothing, is left out."""
    count = bisect_right(timeline.loads, at_ns, key=lambda load: load.t_ns)
    changes = timeline.loads[max(count - 3 * LOADS_CAP, 0) : count]
    if not changes:
        return []
    ends = [change.t_ns for change in changes[1:]]
    asked = _asked(timeline, config, at_ns)
    load_config = LoadConfig() if config is None else config.load
    found: list[LoadStage] = []
    for change, next_ns in zip(changes, [*ends, None], strict=True):
        if not (change.rate_rps or change.concurrency):
            continue
        stretch = _stretch(timeline, load_config, asked.get(change.t_ns), change, next_ns, at_ns)
        if stretch.end_ns - stretch.begin_ns >= SHORTEST_NS:
            name = asked[change.t_ns].name if change.t_ns in asked else ""
            found += _pieces(timeline, change, stretch, name)
    return found[-LOADS_CAP:]


def _asked(timeline: Timeline, config: RunConfig | None, at_ns: int) -> dict[int, Stage]:
    """The stages of a plan by when they began."""
    if config is None or config.plan is None:
        return {}
    changes = timeline.stages[: bisect_right(timeline.stages, at_ns, key=lambda change: change.t_ns)]
    stages = stages_of(config.plan, changes)
    begun = [change for change in changes if change.event == "begin" and change.number < len(stages)]
    return {change.t_ns: stages[change.number] for change in begun}


def _stretch(
    timeline: Timeline,
    load: LoadConfig,
    asked: Stage | None,
    change: LoadChange,
    next_ns: int | None,
    at_ns: int,
) -> Stretch:
    a, b = (bisect_right(timeline.states, t_ns, key=lambda state: state[0]) for t_ns in (change.t_ns, at_ns))
    ends = [t_ns for t_ns, state, _ in timeline.states[a:b] if state in OVER]
    if next_ns is not None:
        ends.append(next_ns)
    if asked is None and load.duration_s is not None:
        ends += [t for t in (timeline.first_ns + round(load.duration_s * 1e9),) if change.t_ns < t <= at_ns]
    over = bool(ends)
    end_ns = max(min(ends) if over else at_ns // SECOND_NS * SECOND_NS, change.t_ns)
    if asked is not None:
        return stage_stretch(timeline, asked, change.t_ns, end_ns, over)
    poisson = load.arrivals == "poisson"
    return Stretch(change.t_ns, end_ns, over, change.concurrency is None, poisson)


def _pieces(timeline: Timeline, change: LoadChange, stretch: Stretch, name: str) -> Iterator[LoadStage]:
    ticks = timeline.ticks
    a, b = ticks.upto(np.array([stretch.begin_ns, stretch.end_ns], dtype=np.float64)).tolist()
    rates = ticks["rate_rps"][a:b]
    if stretch.open_loop and moves(rates):
        flat_ns = _flat_from(ticks["t"][a:b], rates, stretch.end_ns)
        ramp = stretch._replace(end_ns=flat_ns, over=True)
        yield from _ramp(timeline, ramp if flat_ns < stretch.end_ns else stretch, name)
        if flat_ns < stretch.end_ns:
            yield LoadStage(stretch._replace(begin_ns=flat_ns), float(rates[-1]), False, name, flat_ns)
        return
    load = float(change.concurrency or 0) if not stretch.open_loop else float(change.rate_rps or 0.0)
    yield LoadStage(stretch, load, False, name, stretch.begin_ns)


def _flat_from(times: Floats, rates: Floats, end_ns: int) -> int:
    """Since when a ramp has been over, whose last rate goes on; `end_ns` where that is not long."""
    last = rates[rates > 0][-1:]
    if not len(last):
        return end_ns
    off = np.flatnonzero((np.abs(rates - last) > _SAME * last) & (rates > 0))
    flat_ns = int(times[off[-1]]) if len(off) else end_ns
    return flat_ns if end_ns - flat_ns >= FLAT_NS else end_ns


def _ramp(timeline: Timeline, stretch: Stretch, name: str) -> Iterator[LoadStage]:
    length_ns, whole_ns = PIECE_NS, stretch.end_ns - stretch.begin_ns
    while length_ns * PIECES < whole_ns:
        length_ns *= 2
    cuts = [*range(stretch.begin_ns, stretch.end_ns - length_ns // 2, length_ns), stretch.end_ns]
    ticks = timeline.ticks
    for begin_ns, end_ns in pairwise(cuts):
        a, b = ticks.upto(np.array([begin_ns, end_ns], dtype=np.float64)).tolist()
        offered = ticks["rate_rps"][a:b]
        offered = offered[offered > 0]
        if len(offered):
            piece = stretch._replace(begin_ns=begin_ns, end_ns=end_ns)
            yield LoadStage(piece, float(offered.mean()), True, name, stretch.begin_ns)
