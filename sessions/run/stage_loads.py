"""The stages of a plan as loads that workers are told of, and as lines of the session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.clock import Clock
from loadgen.worker_config import SetLoad
from loadgen.worker_config import Stage as WorkerStage
from sessions.plan.config import RunConfig, stage_workload
from sessions.plan.stages import Stage
from sessions.run.asking import Asking
from sessions.run.conversations import conversations_of
from sessions.run.load_control import LoadControl, load_from
from sessions.run.stage_figures import stage_figures
from sessions.store.records import LoadChange, StageChange
from sessions.worker.states import Workers

if TYPE_CHECKING:
    from sessions.summary.plan_schema import PlanStage


class StageLoads:
    """What a `sessions.run.plan_runner.PlanRunner` needs done."""

    def __init__(
        self,
        config: RunConfig,
        asking: Asking,
        control: LoadControl,
        processes: Workers,
        directory: Path,
        clock: Clock,
        write: Callable[[LoadChange | StageChange], None],
        enter: Callable[[str], None],
    ) -> None:
        """`write`: appends to the session; `enter`: the run is in that state now."""
        self._config, self._asking, self._control, self._directory = config, asking, control, directory
        self._processes, self._clock, self._write, self._enter = processes, clock, write, enter

    def begin(self, number: int, of: int | None, stage: Stage) -> int:
        """Puts the load of a stage on; the session time from which it holds. Of None: a search's step."""
        at_ns = self._clock.now_ns() + self._processes.lead_ns
        asked = stage_workload(self._config.workload, stage)
        workload = self._asking.spec(asked, stage.trace)
        conversations = conversations_of(asked, self._config.load.seed)
        update = self._control.begin_stage(number, of, stage, workload, at_ns, conversations)
        self._processes.states.expect_idle(number)
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
        at_ns = self._clock.now_ns() + self._processes.lead_ns
        workload = self._asking.spec(stage_workload(self._config.workload, stage), stage.trace)
        told = WorkerStage(number, workload, end_ns=at_ns)
        self._processes.states.expect_idle(number)
        self._processes.tell_all(SetLoad(at_ns, load_from(stage, at_ns), drop_backlog=True, stage=told))

    async def figures(self, number: int) -> PlanStage | None:
        """What stage `number` came to, from the session's files; None where it did not begin."""
        return await stage_figures(self._directory, number, self._processes.count, self._clock)

    def record(self, change: StageChange) -> None:
        """Writes it down."""
        self._write(change)
