"""From when to when load was put on: what rates, energy and stages of a summary are counted over."""

from __future__ import annotations

from typing import NamedTuple

from sessions.plan.config import LoadConfig, RunConfig
from sessions.timeline.timeline import Timeline


class LoadSpan(NamedTuple):
    """Session times in ns."""

    start_ns: int
    load_end_ns: int
    """When the last request could become due."""
    end_ns: int
    """When the last answer had come, or the load ended if that is later."""

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
    return LoadSpan(start_ns, load_end_ns, max(last_end_ns, load_end_ns))


def _load_end_ns(timeline: Timeline, load: LoadConfig, due: int, last_end_ns: int) -> int:
    """When the load ended: drained, ended, its time or number of requests up, or held for good."""
    ticks, start_ns = timeline.ticks, timeline.first_ns
    newest_ns = max(int(ticks["t"].max(initial=0)), last_end_ns)
    ends = [t_ns for t_ns, state, _ in timeline.states if state in ("draining", "ended")]
    end_ns = min(ends, default=timeline.end.t_ns if timeline.end is not None else newest_ns)
    if load.duration_s is not None:
        end_ns = min(end_ns, start_ns + round(load.duration_s * 1e9))
    busy = ticks["t"][ticks["due"] > 0]
    if load.requests is not None and due >= load.requests and len(busy):
        end_ns = min(end_ns, int(busy.max()))
    change = timeline.load(end_ns)
    if change is not None and change.t_ns > start_ns and not (change.rate_rps or change.concurrency):
        end_ns = change.t_ns
    return end_ns
