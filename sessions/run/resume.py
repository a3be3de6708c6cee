"""A plan that goes on where another session left it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sessions.limit.results import ask_of, read_result, results_of
from sessions.limit.search import Answer, next_step
from sessions.plan.config import ConfigError, LimitConfig, PlanConfig, RunConfig
from sessions.plan.stages import Stage, rate_between
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
    stages = _with_found_rates(directory, plan.stages, number, manifest.config.load.max_rate_rps)
    going_on = msgspec.structs.replace(plan, stages=stages, first_stage=number, resumes=session)
    return msgspec.structs.replace(manifest.config, plan=going_on)


def first_not_over(directory: Path, plan: PlanConfig) -> int | None:
    """The stage of `plan` at which the session in `directory` left it, from 0; None where all are over.

    Raises:
        SessionError: the session cannot be read.
    """
    done = _stages_over(directory)
    return next((n for n in range(plan.first_stage, len(plan.stages)) if n not in done), None)


def steps_left(directory: Path, config: RunConfig, limit: LimitConfig) -> list[str] | None:
    """What the steps of a search have come to, with those of the sessions that it goes on with; None where it
    is over.

    Raises:
        SessionError: the session cannot be read.
    """
    changes = _stage_changes(directory)
    done = [*limit.before, *(each.result for each in changes if read_result(each.result) is not None)]
    return None if isinstance(next_step(ask_of(config), results_of(done)), Answer) else done


def _stages_over(directory: Path) -> set[int]:
    over = ("over", "left_out")
    return {change.number for change in _stage_changes(directory) if change.event in over}


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


def _with_found_rates(directory: Path, stages: list[Stage], first: int, most_rps: float) -> list[Stage]:
    """`stages` with the rates of those from `first` on that lie between two before it: a session of its own
    knows nothing of those."""

    def is_known(stage: Stage) -> bool:
        return stage.between is not None and max(stage.between) < first

    if not any(map(is_known, stages[first:])):
        return stages
    from sessions.summary.read import read_summary  # numpy: only plans that look back need it here

    ran = read_summary(directory).plan
    answered_rps = {} if ran is None else {stage.number - 1: stage.request_rps for stage in ran.stages}

    def found(stage: Stage) -> Stage:
        if stage.between is None or not is_known(stage):
            return stage
        low_rps, high_rps = (answered_rps.get(number) for number in stage.between)
        rate_rps = rate_between(low_rps, high_rps, stage.share, most_rps)
        return msgspec.structs.replace(stage, rate_rps=rate_rps, between=None)

    return [*stages[:first], *map(found, stages[first:])]
