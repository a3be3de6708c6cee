"""The stages of a plan: those it lists, or those that a search for the limit has begun so far."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sessions.plan.config import PlanConfig
from sessions.plan.stages import Stage
from sessions.store.records import StageChange

_stage = msgspec.json.Decoder(Stage)


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
