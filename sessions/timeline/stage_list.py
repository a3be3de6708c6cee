"""The stages of a plan: those it lists, or those that a search for the limit has begun so far."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from loadgen.decoding import ready
from sessions.limit.results import read_result
from sessions.plan.config import PlanConfig
from sessions.plan.stages import Stage
from sessions.store.records import StageChange

_stage = msgspec.json.Decoder(ready(Stage))


_CAME = {"pass": "passed", "fail": "failed", "undecided": "stayed undecided"}


def verdict_words(change: StageChange) -> str:
    """What a step of a search came to; empty of what says nothing of that."""
    result = read_result(change.result)
    if result is None:
        return ""
    target = result.target if result.allowed else ""  # a mean is missed by no request
    missed = f": {result.misses:,} of {result.of:,} missed {target}" if target else ""
    return f"step {change.number + 1} {_CAME[result.verdict]}{missed}"


def stages_of(plan: PlanConfig, changes: Iterable[StageChange]) -> list[Stage]:
    """In order, by number."""
    if plan.stages:
        return plan.stages
    found: dict[int, Stage] = {}
    for change in changes:
        if change.stage and change.number <= len(found):
            try:
                found[change.number] = _stage.decode(change.stage)
            except (msgspec.DecodeError, ValueError):  # another version's, or damaged
                continue
    return [found[number] for number in sorted(found)]
