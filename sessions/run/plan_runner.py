"""A plan as it runs: one stage after the other, each until it is over, unless a person takes the keys.

It decides what comes when; how a stage becomes a load is `sessions.run.stage_loads`'s.
"""

from __future__ import annotations

import asyncio
import logging

from loadgen.clock import Clock
from sessions.plan.config import PlanConfig
from sessions.plan.stages import Stage
from sessions.run.stage_loads import StageLoads
from sessions.store.records import StageChange

_log = logging.getLogger(__name__)


class PlanRunner:
    """One plan on its way. `run` returns when the last stage is over."""

    def __init__(self, plan: PlanConfig, loads: StageLoads, clock: Clock) -> None:
        self._plan, self._loads, self._clock = plan, loads, clock
        self.number = plan.first_stage
        """The stage that it is in, or goes on with."""
        self.left = False
        """A person has the keys."""
        self._changed = asyncio.Event()
        self._over_number: int | None = None

    async def run(self) -> None:
        stages = self._plan.stages
        while self.number < len(stages):
            if self.left:
                await self._wait(None)
                continue
            if await self._stage(self.number, stages[self.number]):
                self.number += 1

    def on_idle(self, number: int) -> None:
        """All workers said that this stage is over: nothing is due nor in flight."""
        self._over_number = number
        self._changed.set()

    def leave(self) -> None:
        """A person takes the keys."""
        if not self.left:
            self.left = True
            self._record("left")
            self._changed.set()

    def go_on(self) -> None:
        """The plan takes them back, at the beginning of the stage that it was left in."""
        self.left = False
        self._changed.set()

    async def _stage(self, number: int, stage: Stage) -> bool:
        """Runs one stage; whether it came to its end."""
        at_ns = self._loads.begin(number, len(self._plan.stages), stage)
        self._loads.record(StageChange(at_ns, number, "begin", stage.name))
        _log.info("stage %d of %d: %s", number + 1, len(self._plan.stages), stage)
        end_ns = None if stage.duration_s is None else at_ns + round(stage.duration_s * 1e9)
        while end_ns is None or self._clock.now_ns() < end_ns:
            if self.left:
                return False
            if self._over_number == number:
                break
            await self._wait(end_ns)
        self._loads.end()
        self._record("load_over")
        while stage.drain and self._over_number != number:
            if self.left:
                return False
            await self._wait(None)
        self._record("over")
        until_ns = self._clock.now_ns() + round(stage.pause_s * 1e9)
        while number + 1 < len(self._plan.stages) and self._clock.now_ns() < until_ns and not self.left:
            await self._wait(until_ns)
        return True

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
