"""A plan as it runs: one stage after the other, each until it is over, unless a person takes the keys.

It decides what comes when; how a stage becomes a load is `sessions.run.stage_loads`'s.
"""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING

import msgspec

from loadgen.clock import Clock
from sessions.plan.config import DRAIN_S, PlanConfig
from sessions.plan.stages import Stage, StageBefore, rate_between
from sessions.run.stage_loads import StageLoads
from sessions.store.records import StageChange

if TYPE_CHECKING:
    from sessions.summary.plan_schema import PlanStage

_log = logging.getLogger(__name__)


_FLAT = 0.05
"""Less growth of the throughput than this is none: the share by which two equal stages differ easily."""


def grew_little(before: PlanStage | StageBefore | None, after: PlanStage | StageBefore | None) -> bool:
    """Whether a stage made hardly more output tokens per second than the one before it."""
    if before is None or after is None or not before.output_tps_sending or not after.output_tps_sending:
        return False
    return after.output_tps_sending < before.output_tps_sending * (1 + _FLAT)


class PlanRunner:
    """One plan on its way. `run` returns when the last stage is over."""

    def __init__(
        self,
        plan: PlanConfig,
        loads: StageLoads,
        clock: Clock,
        most_rps: float = math.inf,
        drain_s: float = DRAIN_S,
    ) -> None:
        """`most_rps`: no rate that is found on the way is above it; `drain_s`: how long the last stage's
        answers are awaited, as those at the end of any run."""
        self._plan, self._loads, self._clock = plan, loads, clock
        self._most_rps, self._drain_s = most_rps, drain_s
        self.number = plan.first_stage
        """The stage that it is in, or goes on with."""
        self.left = False
        """A person has the keys."""
        self.pausing = False
        """Between two stages."""
        self._times_left = 0
        self._changed = asyncio.Event()
        self._over_number: int | None = None
        self._before = {stage.number: stage for stage in plan.before}
        self._left_numbers = {stage.number for stage in plan.before if stage.left_out}

    async def run(self) -> None:
        stages = self._plan.stages
        while self.number < len(stages):
            if self.left:
                await self._wait(None)
                continue
            stage = stages[self.number]
            if await self._left_out(stage):
                self._record("left_out")
                self.number += 1
                continue
            if stage.between is not None:
                stage = await self._found(stage, stage.between)
            if not self.left and await self._stage(self.number, stage):  # figures take their time
                self.number += 1
                await self._pause(stage.pause_s)

    def on_idle(self, number: int) -> None:
        """All workers said that this stage is over: nothing is due nor in flight."""
        self._over_number = number
        self._changed.set()

    def _forget_over(self) -> None:
        """Of a time that it was on before."""
        self._over_number = None

    def leave(self) -> None:
        """A person takes the keys."""
        if not self.left and not self._is_over:
            self.left = True
            self._times_left += 1  # who takes them and gives them back at once has taken them
            self._record("left")
            self._changed.set()

    @property
    def _is_over(self) -> bool:
        return self.number >= len(self._plan.stages)

    def go_on(self) -> None:
        """The plan takes them back, at the beginning of the stage that it was left in; a pause is over."""
        self.left = self.pausing = False
        self._changed.set()

    async def _left_out(self, stage: Stage) -> bool:
        """Whether the stages before it say that there is nothing more to be learnt."""
        number, stages = self.number, self._plan.stages
        if stage.stop is None or number == 0 or stages[number - 1].table != stage.table:
            return False
        if number - 1 in self._left_numbers:
            self._left_numbers.add(number)
            return True
        last = await self._figures(number - 1)
        if stage.stop == "failed":
            over = last is not None and last.requests > 0 and last.succeeded == 0
        else:
            one_before = number > 1 and stages[number - 2].table == stage.table
            first = await self._figures(number - 2) if one_before else None
            over = grew_little(first, last)
        if over:
            self._left_numbers.add(number)
        return over

    async def _found(self, stage: Stage, between: tuple[int, int]) -> Stage:
        """`stage` with the rate that two stages before it say."""
        low, high = [await self._figures(number) for number in between]
        low_rps, high_rps = (None if end is None else end.request_rps for end in (low, high))
        rate_rps = rate_between(low_rps, high_rps, stage.share, self._most_rps)
        return msgspec.structs.replace(stage, rate_rps=rate_rps)

    async def _figures(self, number: int) -> PlanStage | StageBefore | None:
        """What a stage came to, in this session or in the one whose plan goes on here."""
        return self._before.get(number) or await self._loads.figures(number)

    async def _stage(self, number: int, stage: Stage) -> bool:
        """Runs one stage; whether it came to its end."""
        times_left = self._times_left
        self._forget_over()
        at_ns = self._loads.begin(number, len(self._plan.stages), stage)
        self._loads.record(StageChange(at_ns, number, "begin", stage.name))
        _log.info("stage %d of %d: %s", number + 1, len(self._plan.stages), stage)
        end_ns = None if stage.duration_s is None else at_ns + round(stage.duration_s * 1e9)
        while end_ns is None or self._clock.now_ns() < end_ns:
            if self._times_left != times_left:
                return False
            if self._over_number == number:
                break
            await self._wait(end_ns)
        self._loads.end()
        self._record("load_over")
        is_last = number + 1 == len(self._plan.stages)
        until_ns = self._clock.now_ns() + round(self._drain_s * 1e9) if is_last else None
        while stage.drain and self._over_number != number:
            if self._times_left != times_left:
                return False
            if until_ns is not None and self._clock.now_ns() >= until_ns:
                break
            await self._wait(until_ns)
        self._record("over")
        return True

    async def _pause(self, pause_s: float) -> None:
        """Before the next stage, which a person may take the keys from."""
        until_ns = self._clock.now_ns() + round(pause_s * 1e9)
        self.pausing = self.number < len(self._plan.stages)
        while self.pausing and self._clock.now_ns() < until_ns and not self.left:
            await self._wait(until_ns)
        self.pausing = False

    def _record(self, event: str) -> None:
        self._loads.record(StageChange(self._clock.now_ns(), self.number, event))

    async def _wait(self, until_ns: int | None) -> None:
        """Until something changes, or until that session time."""
        timeout_s = None if until_ns is None else max(0.0, (until_ns - self._clock.now_ns()) / 1e9)
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except asyncio.TimeoutError:
            return
        self._changed.clear()
