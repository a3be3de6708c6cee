"""Where a plan stands at an instant."""

from __future__ import annotations

from bisect import bisect_right

from sessions.frame.schema import PlanProgress
from sessions.frame.search import search_at
from sessions.plan.config import PlanConfig, RunConfig
from sessions.timeline.stage_list import stages_of
from sessions.timeline.timeline import Timeline


def plan_at(
    timeline: Timeline,
    plan: PlanConfig | None,
    at_ns: int,
    config: RunConfig | None = None,
    run_state: str = "running",
) -> PlanProgress | None:
    """Of `plan` at `at_ns`; None without one, and before its first stage. `config`, `run_state`: of the run,
    whose journal does not tell of every end."""
    i = bisect_right(timeline.stages, at_ns, key=lambda change: change.t_ns)
    if plan is None or i == 0:
        return None
    change = timeline.stages[i - 1]
    if not (stages := stages_of(plan, timeline.stages[:i])):
        return None
    number = min(change.number, len(stages) - 1)
    stage = stages[number]
    state = {"begin": "running", "load_over": "draining"}.get(change.event, change.event)
    # A run that drains while its stage has not come to its end does not go on to another.
    over = run_state in ("ended", "killed") or (run_state == "draining" and state == "running")
    if over and state != "left":
        state = "ended"
    if not plan.stages:  # a step ends as soon as it is decided: nobody knows when
        begun = [one.t_ns for one in timeline.stages[:i] if one.number == number and one.event == "begin"]
        begun_ns = begun[-1] if begun else at_ns
        search = search_at(timeline, timeline.stages[:i], stage, begun_ns, at_ns, config, state)
        return PlanProgress(plan.name, number + 1, None, stage.name, state, None, None, search)
    stage_left_s = None
    if state == "running" and stage.longest_s is not None:
        stage_left_s = max(0.0, stage.longest_s - (at_ns - change.t_ns) / 1e9)
    times = [
        None if later.longest_s is None else later.longest_s + later.pause_s for later in stages[number + 1 :]
    ]
    if state == "running":
        times.append(stage_left_s)
    if state in ("running", "draining"):
        times.append(stage.pause_s)
    elif state == "over":
        times.append(max(0.0, stage.pause_s - (at_ns - change.t_ns) / 1e9))
    if times:  # there is none after the last
        times.append(-stages[-1].pause_s)
    known = [time for time in times if time is not None]
    is_told = len(known) == len(times) and state not in ("left", "ended")
    return PlanProgress(
        name=plan.name,
        stage=number + 1,
        of=len(stages),
        stage_name=stage.name,
        state=state,
        stage_left_s=stage_left_s,
        left_s=max(0.0, sum(known)) if is_told else None,
    )
