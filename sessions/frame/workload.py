"""What requests ask for at an instant, where a person has changed it in mid-run."""

from __future__ import annotations

from bisect import bisect_right

from sessions.plan.mix import AS_ASKED
from sessions.timeline.timeline import Timeline


def workload_at(timeline: Timeline, at_ns: int) -> str:
    """The preset in force; empty where requests are as the run, or the stage of its plan, was asked."""
    for row in range(bisect_right(timeline.loads, at_ns, key=lambda load: load.t_ns) - 1, -1, -1):
        change = timeline.loads[row]
        if change.change == "workload":
            name = change.label.removeprefix("workload: ")
            return "" if name == AS_ASKED else name
        if change.change in ("start", "stage"):
            break
    return ""
