"""From when to when load was put on: what rates, energy and stages of a summary are counted over.

A rate is what happened in a span by the span's length, never n events by the n - 1 gaps between them: a
number of requests at a rate takes as many gaps, the last of them after the last request was due.
"""

from __future__ import annotations

from typing import NamedTuple

from loadgen.records import TICK_NS
from sessions.plan.config import LoadConfig, RunConfig
from sessions.timeline.timeline import Timeline


class LoadSpan(NamedTuple):
    """Session times in ns."""

    start_ns: int
    load_end_ns: int
    """When the last request could become due; of a number of requests at a rate, when one more would be."""
    end_ns: int
    """When the last answer had come, or the load ended if that is later."""
    newest_ns: int
    """Up to when the session tells of anything: the load of a number of requests may end after it."""

    @property
    def measured_end_ns(self) -> int:
        """`end_ns`, as far as the session goes."""
        return max(min(self.end_ns, self.newest_ns), self.start_ns)

    @property
    def load_s(self) -> float:
        return (self.load_end_ns - self.start_ns) / 1e9

    @property
    def duration_s(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9


def load_span(timeline: Timeline, config: RunConfig, due: int) -> LoadSpan:
    """When the load of a run was on, which asked for `config`, and in which `due` requests were due.

    Of a plan it lasts from the beginning of its first stage to the end of its last, pauses and all.
    """
    last_end_ns = int(timeline.requests.rows["end_ns"].max(initial=0))
    start_ns = timeline.first_ns
    if config.plan is None:
        load_end_ns = _load_end_ns(timeline, config.load, due, last_end_ns)
    else:
        ends = [stage.t_ns for stage in timeline.stages if stage.event == "load_over"]
        last_due_ns = int(timeline.requests.rows["due_ns"].max(initial=start_ns))
        load_end_ns = max(ends[-1] if ends else last_due_ns, last_due_ns)
    load_end_ns = max(load_end_ns, start_ns)
    newest_ns = max(timeline.newest_ns, last_end_ns)
    return LoadSpan(start_ns, load_end_ns, max(last_end_ns, load_end_ns), newest_ns)


def _load_end_ns(timeline: Timeline, load: LoadConfig, due: int, last_end_ns: int) -> int:
    """When the load ended: drained, ended, its time or number of requests up, or held for good."""
    ticks, start_ns = timeline.ticks, timeline.first_ns
    newest_ns = max(int(ticks["t"].max(initial=0)), last_end_ns)
    ends = [t_ns for t_ns, state, _ in timeline.states if state in ("draining", "ended")]
    end_ns = min(ends, default=timeline.end.t_ns if timeline.end is not None else newest_ns)
    busy = ticks["t"][ticks["due"] > 0]
    if load.most_requests is not None and due >= load.most_requests and len(busy):
        end_ns = _after_the_last(timeline, load, int(busy.max()), last_end_ns)
    if load.duration_s is not None:
        end_ns = min(end_ns, start_ns + round(load.duration_s * 1e9))
    change = timeline.load(end_ns)
    if change is not None and change.t_ns > start_ns and not (change.rate_rps or change.concurrency):
        end_ns = change.t_ns
    return end_ns


def _after_the_last(timeline: Timeline, load: LoadConfig, busy_ns: int, last_end_ns: int) -> int:
    """When a load of so many requests was over, the last of which was due in the tick up to `busy_ns`."""
    if load.concurrency is not None:  # a slot is load until its answer has come
        return max(busy_ns, last_end_ns)
    due_ns = int(timeline.requests.rows["due_ns"].max(initial=0))
    if not busy_ns - TICK_NS < due_ns <= busy_ns:  # that one was never sent, or has no line
        return busy_ns
    row = int(timeline.ticks.upto(busy_ns))
    rates = timeline.ticks["rate_rps"][:row]
    offered = rates[rates > 0]
    return due_ns + round(1e9 / float(offered[-1])) if len(offered) else busy_ns
