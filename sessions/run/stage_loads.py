"""The stages of a plan as loads that workers are told of, and as lines of the session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.clock import Clock
from loadgen.worker_config import SetLoad
from loadgen.worker_config import Stage as WorkerStage
from sessions.plan.config import RunConfig
from sessions.plan.stages import Stage
from sessions.run.load_control import LEAD_NS, LoadControl, stage_load
from sessions.run.worker_configs import stage_workload, workload_of
from sessions.store.records import LoadChange, StageChange
from sessions.worker.processes import WorkerProcesses

if TYPE_CHECKING:
    from loadgen.probe.result import ProbeResult
    from sessions.summary.plan_schema import PlanStage


class StageLoads:
    """What a `sessions.run.plan_runner.PlanRunner` needs done."""

    def __init__(
        self,
        config: RunConfig,
        probed: ProbeResult,
        control: LoadControl,
        processes: WorkerProcesses,
        directory: Path,
        clock: Clock,
        write: Callable[[LoadChange | StageChange], None],
        enter: Callable[[str], None],
    ) -> None:
        """`write`: appends to the session; `enter`: the run is in that state now."""
        self._config, self._probed, self._control, self._directory = config, probed, control, directory
        self._processes, self._clock, self._write, self._enter = processes, clock, write, enter

    def begin(self, number: int, of: int, stage: Stage) -> int:
        """Puts the load of a stage on; the session time from which it holds."""
        at_ns = self._clock.now_ns() + LEAD_NS
        workload = workload_of(stage_workload(self._config.workload, stage), self._probed)
        update = self._control.begin_stage(number, of, stage, workload, at_ns)
        self._processes.expect_idle(number)
        self._processes.tell_all(update.command)
        self._write(update.change)
        self._enter("running")
        return at_ns

    def end(self) -> None:
        """Nothing more of the stage is due; what is in flight is awaited."""
        self._write(self._control.end_stage(self._clock.now_ns()))
        self._enter("draining")

    def cut(self, number: int, stage: Stage) -> None:
        """Nothing more of the stage is due from now on, though its number was not up."""
        at_ns = self._clock.now_ns() + LEAD_NS
        workload = workload_of(stage_workload(self._config.workload, stage), self._probed)
        told = WorkerStage(number, workload, end_ns=at_ns)
        self._processes.expect_idle(number)
        self._processes.tell_all(SetLoad(at_ns, stage_load(stage, at_ns), drop_backlog=True, stage=told))

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
