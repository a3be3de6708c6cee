"""Where the load is going: the end of a ramp, the next stage of a plan."""

from __future__ import annotations

from bisect import bisect_right

from sessions.plan.ramp import Ramp
from sessions.plan.stages import Stage
from sessions.store.manifest import Manifest
from sessions.timeline.stage_list import stages_of
from sessions.timeline.timeline import Timeline


def heading(timeline: Timeline, manifest: Manifest | None, at_ns: int) -> float | None:
    """Requests per second (a concurrency in a closed loop) that the load at `at_ns` is on its way to.

    None where it stays, where nobody knows, and after a key has taken the load out of the ramp or the plan.
    """
    if manifest is None:
        return None
    if manifest.config.plan is not None:
        return _of_plan(timeline, manifest, at_ns)
    changes = bisect_right(timeline.loads, at_ns, key=lambda load: load.t_ns)
    if changes != 1 or timeline.loads[0].change != "start":
        return None
    return _of_ramp(manifest.config.load.ramp, at_ns - timeline.loads[0].t_ns)


def _of_ramp(ramp: Ramp | None, since_ns: int) -> float | None:
    if ramp is None or since_ns >= ramp.over_s * 1e9:
        return None
    return ramp.to_rps


def _of_plan(timeline: Timeline, manifest: Manifest, at_ns: int) -> float | None:
    i = bisect_right(timeline.stages, at_ns, key=lambda change: change.t_ns)
    plan = manifest.config.plan
    if plan is None or not i:
        return None
    change, stages = timeline.stages[i - 1], stages_of(plan, timeline.stages[:i])
    if change.event == "left" or change.number >= len(stages):
        return None
    stage = stages[change.number]
    if change.event == "begin" and stage.ramp is not None:
        return _of_ramp(stage.ramp, at_ns - change.t_ns)
    if change.number + 1 >= len(stages):
        return None
    return _load_of(stages[change.number + 1])


def _load_of(stage: Stage) -> float | None:
    if stage.ramp is not None:
        return stage.ramp.from_rps
    return stage.rate_rps if stage.rate_rps is not None else stage.concurrency
