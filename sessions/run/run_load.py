"""The load of a live run: begun, changed by commands or a plan, told to all workers and to the session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.clock import Clock
from sessions.plan.config import PlanConfig, RunConfig
from sessions.run.commands import Ack, CommandError, LoadCommand, SetRamp, SetWorkload
from sessions.run.conversations import conversations_of
from sessions.run.load_control import LoadControl
from sessions.run.plan_runner import PlanRunner
from sessions.run.presets import Presets
from sessions.run.stage_loads import StageLoads
from sessions.run.worker_configs import worker_configs
from sessions.store.journal import JournalWriter
from sessions.worker.states import LEAD_NS, Workers

LOAD_OVER = "the load has come to its end; need another run for more"

if TYPE_CHECKING:
    from sessions.run.preflight import Preflight

OnPlanOver = Callable[[BaseException | None], None]


def tell_over(plan: asyncio.Future[None], on_plan_over: OnPlanOver) -> None:
    """Of a plan that came to an end of its own: not of one that was called off."""
    if plan.cancelled():
        return
    if (error := plan.exception()) is not None:
        plan.get_loop().call_exception_handler({"message": "the plan ended early", "exception": error})
    on_plan_over(error)


class RunLoad:
    """`begin` it once the server was probed; before, there is nothing to change."""

    def __init__(
        self,
        config: RunConfig,
        directory: Path,
        processes: Workers,
        clock: Clock,
        journal: JournalWriter,
        enter: Callable[[str], None],
    ) -> None:
        """`enter`: the run is in that state now."""
        self._config, self._directory, self._processes = config, directory, processes
        self._clock, self._journal, self._enter = clock, journal, enter
        self._control: LoadControl | None = None
        self._presets: Presets | None = None
        self._plan: PlanRunner | None = None
        self._running_plan: asyncio.Task[None] | None = None
        self.start_ns = 0
        """Session time at which it begins; 0 before."""

    @property
    def has_plan(self) -> bool:
        return self._config.plan is not None

    @property
    def end_ns(self) -> int | None:
        """Session time after which nothing more is due; None where it has no such end."""
        duration_s = self._config.load.duration_s
        return None if duration_s is None else self.start_ns + int(duration_s * 1e9)

    def ends_by_itself(self, state: str) -> bool:
        """Also with nobody there: a number of requests never comes while none is sent."""
        load, sends = self._config.load, state not in ("holding", "stopped")
        if self.has_plan:
            return self._plan is None or not self._plan.left
        counted = load.requests is not None or load.trace is not None
        return load.duration_s is not None or (counted and sends)

    def begin(self, found: Preflight, on_plan_over: OnPlanOver) -> None:
        """Tells the workers what to do. `on_plan_over` is called when the last stage of a plan is over, with
        the error if one ended it before."""
        config, processes = self._config, self._processes
        self.start_ns = self._clock.now_ns() + processes.start_lead_ns
        conversations = conversations_of(config.workload, config.load.seed)
        self._control = LoadControl(config.load, self.start_ns, processes.count, conversations)
        self._presets = Presets(config, found)
        told = worker_configs(
            config,
            found,
            found.asking.spec(config.workload, config.load.trace),
            processes.count,
            origin_ns=self._clock.origin_ns,
            start_ns=self.start_ns,
            end_ns=self.end_ns,
        )
        for number, worker_config in enumerate(told):
            processes.tell(number, worker_config)
        self._enter("running")
        if config.plan is None:
            self._journal.append(self._control.started())
            return
        stages = StageLoads(
            config,
            found.asking,
            self._control,
            processes,
            self._directory,
            self._clock,
            self._journal.append,
            self._enter,
        )
        self._plan = self._runner(config.plan, stages)
        self._running_plan = asyncio.create_task(self._plan.run())
        self._running_plan.add_done_callback(lambda task: tell_over(task, on_plan_over))

    def _runner(self, plan: PlanConfig, stages: StageLoads) -> PlanRunner:
        if self._config.limit is None:
            most_rps, drain_s = self._config.load.max_rate_rps, self._config.drain_s
            return PlanRunner(plan, stages, self._clock, most_rps, drain_s)
        from sessions.limit.results import ask_of
        from sessions.run.limit_runner import LimitRunner  # numpy: only a search needs it here
        from sessions.run.step_requests import StepRequests

        ask = ask_of(self._config)
        requests = StepRequests(self._directory, ask.targets)
        return LimitRunner(ask, self._config.limit, plan, stages, requests, self._clock)

    def change(self, command: LoadCommand, received_ns: int) -> Ack:
        """Obeys a command; a plan that was running is left.

        Raises:
            CommandError: it cannot be obeyed.
        """
        if self._control is None:
            raise CommandError("the load has not begun yet; wait for it")
        if self.end_ns is not None and received_ns >= self.end_ns:
            raise CommandError(LOAD_OVER)
        if isinstance(command, SetRamp) and self._plan is not None and not self._plan.left:
            raise CommandError("the plan sets the rate; need it taken from the plan first (= or an arrow)")
        chosen, lead_ns = "", self._processes.lead_ns
        if isinstance(command, SetWorkload):
            self._control.check_workload()
            assert self._presets is not None  # made with the control
            chosen, workload = self._presets.chosen(command.name)
            update = self._control.ask_for(workload, chosen, received_ns, lead_ns)
        else:
            update = self._control.obey(command, received_ns, lead_ns)
        if self._plan is not None:
            self._plan.leave()
        self._processes.tell_all(update.command)
        self._journal.append(update.change)
        self._enter(update.state)
        change = update.change
        shown_ns = lead_ns if lead_ns > LEAD_NS else 0
        return Ack(change.t_ns, update.state, change.rate_rps, change.concurrency, chosen, shown_ns)

    def rate_rps(self, at_ns: int) -> float | None:
        """Offered then by all workers together; None in a closed loop, and before it begins."""
        return None if self._control is None else self._control.rate_rps(at_ns)

    @property
    def concurrency(self) -> int | None:
        """None in an open loop, and before it begins."""
        return None if self._control is None else self._control.concurrency

    def give_back(self) -> None:
        """To the plan.

        Raises:
            CommandError: there is none, or it neither was left nor pauses.
        """
        if self._plan is None:
            raise CommandError("this run has no plan; need one begun with --plan")
        if not self._plan.left and not self._plan.pausing:
            raise CommandError("the plan is running; need the load taken from it first (= or an arrow)")
        self._plan.go_on()

    def ack(self, at_ns: int, state: str) -> Ack:
        """How it stands."""
        if self._control is None:
            return Ack(at_ns, state)
        return Ack(at_ns, state, self._control.rate_rps(at_ns), self._control.concurrency)

    def on_idle(self, stage: int | None) -> bool:
        """All workers said that their load is over; whether that ends the run: a stage of a plan does not."""
        if self._plan is None:
            return True
        if stage is not None:
            self._plan.on_idle(stage)
        return False

    def end(self) -> None:
        """No plan begins anything any more."""
        if self._running_plan is not None:
            self._running_plan.cancel()

    def remove_traces(self) -> None:
        """No worker reads them any more."""
        plan = self._config.plan
        loads = [self._config.load, *(() if plan is None else plan.stages)]
        for trace in (load.trace for load in loads if load.trace is not None):
            Path(trace.compiled).unlink(missing_ok=True)
