"""Stretches of constant load in a timeline, and the verdict on each: the same live, in replay and in a
summary.

Token events count in the bin in which they came. A stretch ends when nothing more is due: the answers awaited
after that belong to none.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

import numpy as np

from sessions.plan.config import LoadConfig, PlanConfig
from sessions.plan.stages import Stage
from sessions.steady.rule import BINS, Bins, judge
from sessions.steady.verdict import Verdict, Window
from sessions.timeline.columns import Floats
from sessions.timeline.sketches import VALUES_NS
from sessions.timeline.stage_list import stages_of
from sessions.timeline.timeline import Timeline

SECOND_NS = 1_000_000_000
_BIN_NS = 250_000_000
_RAMP = 0.05
"""Share by which the offered rate may move within what is still one load."""


class Stretch(NamedTuple):
    """One load, in session time."""

    begin_ns: int
    end_ns: int
    """When nothing more was due, or up to when it is looked at."""
    over: bool
    """Nothing more is due."""
    open_loop: bool
    by_chance: bool
    """Arrivals are Poisson."""
    warm_up_s: float = 0.0


def window(timeline: Timeline, stretch: Stretch) -> Window | None:
    """The verdict on a stretch; None where its load is a ramp, or none at all."""
    length_ns = stretch.end_ns - stretch.begin_ns
    count = min(BINS, length_ns // _BIN_NS)
    if count < 1:
        return Window(_open(stretch), stretch.end_ns, stretch.end_ns, "it has just begun")
    edges = np.linspace(stretch.begin_ns, stretch.end_ns, count + 1)
    ticks = timeline.ticks
    a, b = ticks.upto(edges[[0, -1]]).tolist()
    if moves(ticks["rate_rps"][a:b]):
        return None
    bins = _bins(timeline, edges)
    if not bins.due.any() and not bins.in_flight.any():
        return None
    found = judge(
        bins,
        warm_up_s=stretch.warm_up_s,
        open_loop=stretch.open_loop,
        by_chance=stretch.by_chance,
        over=stretch.over,
    )
    return Window(found.verdict, int(edges[found.first]), stretch.end_ns, found.why)


def moves(rates: Floats) -> bool:
    """Whether offered rates are those of a ramp."""
    rates = rates[rates > 0]  # a worker's last tick may find the load over already
    return bool(len(rates)) and float(np.ptp(rates)) > _RAMP * float(rates.max())


def _open(stretch: Stretch) -> Verdict:
    return "too_short" if stretch.over else "settling"


def _bins(timeline: Timeline, edges: Floats) -> Bins:
    ticks = timeline.ticks
    rows = ticks.upto(edges)
    sums, known = ticks.sums_and_counts(("due", "succeeded", "in_flight_ns", "dt", "backlog"), rows)
    due, answers, in_flight_ns, covered_ns, backlog = sums
    waiting = np.divide(backlog, known[-1], out=np.zeros_like(backlog), where=known[-1] > 0)
    flying = np.divide(in_flight_ns, covered_ns, out=np.zeros_like(backlog), where=covered_ns > 0)
    counted: list[Floats] = []
    for metric, of in (("ttft_from_due", edges), ("chunk_gap", edges), ("e2e", edges[: len(edges) // 2 + 1])):
        found = timeline.sketches(metric, of)
        values_s = VALUES_NS[found.low : found.low + found.counts.shape[1]] / 1e9
        counted += [found.counts @ values_s, found.counts.sum(axis=1).astype(np.float64)]
    ttft_s, first_tokens, gap_s, gaps, e2e_s, _ = counted
    e2e_s = np.concatenate([e2e_s, np.zeros(len(due) - len(e2e_s))])
    length_s = float(edges[-1] - edges[0]) / 1e9 / len(due)
    due, answers, in_flight = (column.sum(axis=1) for column in (due, answers, flying + waiting))
    return Bins(length_s, due, in_flight, ttft_s, first_tokens, gap_s, gaps, e2e_s, answers)


def stage_stretch(timeline: Timeline, asked: Stage, begin_ns: int, end_ns: int, over: bool) -> Stretch:
    """A stage of a plan that began at `begin_ns`, up to `end_ns` or to when its number of requests was up."""
    warm_ns = begin_ns + round(asked.warm_up_s * SECOND_NS)
    if asked.requests is not None or asked.warm_up_requests:
        ticks = timeline.ticks
        a, b = ticks.upto(np.array([begin_ns, end_ns], dtype=np.float64)).tolist()
        due = np.cumsum(ticks["due"][a:b])
        if asked.requests is not None and len(due) and due[-1] >= asked.requests:
            last = int(np.searchsorted(due, asked.requests))
            end_ns, over = min(int(ticks["t"][a + last]), end_ns), True
        if asked.warm_up_requests and len(due):
            first = min(int(np.searchsorted(due, asked.warm_up_requests, side="right")), len(due) - 1)
            warm_ns = max(warm_ns, int(ticks["t"][a + first]))
    return Stretch(
        begin_ns,
        max(end_ns, begin_ns),
        over,
        asked.concurrency is None,
        asked.arrivals == "poisson",
        (warm_ns - begin_ns) / 1e9,
    )


def stretch_at(timeline: Timeline, load: LoadConfig, plan: PlanConfig | None, at_ns: int) -> Stretch | None:
    """The load that is on at an instant, or whose answers are awaited then, since it began; None where there
    is none. It ends with a whole second of the session, so that it is another once a second."""
    second_ns = at_ns // SECOND_NS * SECOND_NS
    i = bisect_right(timeline.stages, at_ns, key=lambda stage: stage.t_ns)
    newest = timeline.stages[i - 1] if i else None
    if plan is not None and newest is not None and newest.event != "left":
        stages = stages_of(plan, timeline.stages[:i])
        if not stages:
            return None
        asked = stages[min(newest.number, len(stages) - 1)]
        of_it = [stage for stage in timeline.stages[:i] if stage.number == newest.number]
        begins = [stage.t_ns for stage in of_it if stage.event == "begin"]
        if not begins:
            return None
        ends = [stage.t_ns for stage in of_it if stage.event != "begin" and stage.t_ns > begins[-1]]
        end_ns = min([second_ns, *ends])
        return stage_stretch(timeline, asked, begins[-1], end_ns, bool(ends))
    change = timeline.load(at_ns)
    if change is None or not (change.rate_rps or change.concurrency):
        return None
    a, b = (bisect_right(timeline.states, t_ns, key=lambda state: state[0]) for t_ns in (change.t_ns, at_ns))
    ends = [t_ns for t_ns, state, _ in timeline.states[a:b] if state in OVER]
    if load.duration_s is not None and (end_ns := timeline.first_ns + round(load.duration_s * 1e9)) <= at_ns:
        ends.append(end_ns)
    return Stretch(
        change.t_ns,
        max(min([second_ns, *ends]), change.t_ns),
        bool(ends),
        change.concurrency is None,
        load.arrivals == "poisson",
    )


OVER = ("draining", "ended")


class WindowNow:
    """The verdict on the load that is on, for a screen that draws many frames: judged once a second."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._known: tuple[tuple[Stretch, int], Window | None] | None = None

    def at(self, load: LoadConfig, plan: PlanConfig | None, at_ns: int) -> Window | None:
        """Of the load that is on at an instant."""
        stretch = stretch_at(self._timeline, load, plan, at_ns)
        if stretch is None:
            return None
        asked = stretch, int(self._timeline.ticks.upto(stretch.end_ns))
        if self._known is None or self._known[0] != asked:
            self._known = asked, window(self._timeline, stretch)
        return self._known[1]
