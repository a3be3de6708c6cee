"""A plan that goes on where another session left it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from sessions.limit.results import ask_of, read_result, results_of
from sessions.limit.search import Answer, next_step
from sessions.plan.config import ConfigError, LimitConfig, PlanConfig, RunConfig
from sessions.plan.stages import Stage, StageBefore, looked_back_at, rate_between
from sessions.store.follow import Follower
from sessions.store.journal import SUPERVISOR_FILE
from sessions.store.manifest import SessionError, read
from sessions.store.records import StageChange


def resumed(directory: Path) -> RunConfig:
    """What the session in `directory` was asked, with its plan to begin at the first stage that is not over,
    or its search with the step after those that are.

    Raises:
        ConfigError: it had no plan, or all of its stages are over.
        SessionError: it cannot be read.
    """
    manifest = read(directory)
    plan, session = manifest.config.plan, manifest.session.id
    if plan is None:
        raise ConfigError(f"--resume: session {session} ran no plan")
    limit = manifest.config.limit
    if limit is not None:
        done = steps_left(directory, manifest.config, limit)
        if done is None:
            raise ConfigError(f"--resume: the search of session {session} is over: ttftop summary {session}")
        limit = msgspec.structs.replace(limit, before=done)
        plan = msgspec.structs.replace(plan, resumes=session)
        return msgspec.structs.replace(manifest.config, limit=limit, plan=plan)
    number = first_not_over(directory, plan)
    if number is None:
        raise ConfigError(f"--resume: all stages of session {session} are over")
    before = _before(directory, plan, number)
    stages = _with_found_rates(plan.stages, number, before, manifest.config.load.max_rate_rps)
    going_on = msgspec.structs.replace(
        plan, stages=stages, first_stage=number, resumes=session, before=list(before.values())
    )
    return msgspec.structs.replace(manifest.config, plan=going_on)


def first_not_over(directory: Path, plan: PlanConfig) -> int | None:
    """The stage of `plan` at which the session in `directory` left it, from 0; None where all are over.

    Raises:
        SessionError: the session cannot be read.
    """
    over, left_out = _stages_over(directory)
    return next((n for n in range(plan.first_stage, len(plan.stages)) if n not in over | left_out), None)


def steps_left(directory: Path, config: RunConfig, limit: LimitConfig) -> list[str] | None:
    """What the steps of a search have come to, with those of the sessions that it goes on with; None where it
    is over.

    Raises:
        SessionError: the session cannot be read.
    """
    changes = _stage_changes(directory)
    done = [*limit.before, *(each.result for each in changes if read_result(each.result) is not None)]
    return None if isinstance(next_step(ask_of(config), results_of(done)), Answer) else done


def _stages_over(directory: Path) -> tuple[set[int], set[int]]:
    """Those that are over, and those that were left out."""
    changes = _stage_changes(directory)
    over, left_out = (
        {each.number for each in changes if each.event == event} for event in ("over", "left_out")
    )
    return over, left_out


def _stage_changes(directory: Path) -> list[StageChange]:
    follower = Follower(directory / SUPERVISOR_FILE)
    found: list[StageChange] = []
    while True:
        found += [record for record in follower.poll() if isinstance(record, StageChange)]
        if not follower.behind:
            break
    follower.close()
    if follower.refused:
        raise SessionError(f"{directory / SUPERVISOR_FILE}: {follower.refused}")
    return found


def _before(directory: Path, plan: PlanConfig, first: int) -> dict[int, StageBefore]:
    """What the stages before `first` came to, of which later ones have to know: a session of its own knows
    nothing of those."""
    needed = looked_back_at(plan.stages, first)
    found = {stage.number: stage for stage in plan.before if stage.number in needed}
    if not needed - found.keys():
        return found
    from sessions.summary.read import read_summary  # numpy: only plans that look back need it here

    ran = read_summary(directory).plan
    stages = {} if ran is None else {stage.number - 1: stage for stage in ran.stages}
    _, left_out = _stages_over(directory)
    for number in sorted(needed - found.keys()):
        if (came := stages.get(number)) is not None:
            found[number] = StageBefore(
                number, came.requests, came.succeeded, came.request_rps, came.output_tps_sending
            )
        elif number in left_out:
            found[number] = StageBefore(number, left_out=True)
    return found


def _with_found_rates(
    stages: list[Stage], first: int, before: Mapping[int, StageBefore], most_rps: float
) -> list[Stage]:
    """`stages` with the rates of those from `first` on that lie between two before it."""

    def found(stage: Stage) -> Stage:
        if stage.between is None or max(stage.between) >= first:
            return stage
        low, high = (before.get(number) for number in stage.between)
        low_rps, high_rps = (None if end is None else end.request_rps for end in (low, high))
        rate_rps = rate_between(low_rps, high_rps, stage.share, most_rps)
        return msgspec.structs.replace(stage, rate_rps=rate_rps, between=None)

    return [*stages[:first], *map(found, stages[first:])]
