"""The stages of a plan as loads that workers are told of, and as lines of the session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.clock import Clock
from sessions.plan.config import RunConfig, stage_workload
from sessions.plan.stages import Stage
from sessions.run.asking import Asking
from sessions.run.conversations import conversations_of
from sessions.run.load_control import LEAD_NS, LoadControl
from sessions.store.records import LoadChange, StageChange
from sessions.worker.processes import WorkerProcesses

if TYPE_CHECKING:
    from sessions.summary.plan_schema import PlanStage


class StageLoads:
    """What a `sessions.run.plan_runner.PlanRunner` needs done."""

    def __init__(
        self,
        config: RunConfig,
        asking: Asking,
        control: LoadControl,
        processes: WorkerProcesses,
        directory: Path,
        clock: Clock,
        write: Callable[[LoadChange | StageChange], None],
        enter: Callable[[str], None],
    ) -> None:
        """`write`: appends to the session; `enter`: the run is in that state now."""
        self._config, self._asking, self._control, self._directory = config, asking, control, directory
        self._processes, self._clock, self._write, self._enter = processes, clock, write, enter

    def begin(self, number: int, of: int, stage: Stage) -> int:
        """Puts the load of a stage on; the session time from which it holds."""
        at_ns = self._clock.now_ns() + LEAD_NS
        asked = stage_workload(self._config.workload, stage)
        workload = self._asking.spec(asked, stage.trace)
        conversations = conversations_of(asked, self._config.load.seed)
        update = self._control.begin_stage(number, of, stage, workload, at_ns, conversations)
        self._processes.expect_idle(number)
        self._processes.tell_all(update.command)
        self._write(update.change)
        self._enter("running")
        return at_ns

    def end(self) -> None:
        """Nothing more of the stage is due; what is in flight is awaited."""
        self._write(self._control.end_stage(self._clock.now_ns()))
        self._enter("draining")

    async def figures(self, number: int) -> PlanStage | None:
        """What stage `number` came to, from the session's files; None where it did not begin."""
        return await asyncio.to_thread(_figures, self._directory, number)

    def record(self, change: StageChange) -> None:
        """Writes it down."""
        self._write(change)


def _figures(directory: Path, number: int) -> PlanStage | None:
    from sessions.summary.read import read_summary  # numpy: only plans that look back need it here

    plan = read_summary(directory).plan
    stages = [] if plan is None else plan.stages
    return next((stage for stage in stages if stage.number == number + 1), None)
