"""A live run: starts workers and telemetry, obeys commands, ends in order, and writes down what it does.

It needs no terminal. SIGINT and SIGTERM end it in order, saved.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.clock import MonotonicClock
from loadgen.worker_config import Finish
from sessions.run.commands import (
    Ack,
    AddMark,
    Answer,
    Command,
    CommandError,
    EndCommand,
    GoOn,
    LoadCommand,
)
from sessions.run.control_server import ControlServer, socket_path
from sessions.run.end import DRAIN_S, DRAIN_SIGNAL_S, EndRequest, RunEnd, drain, end_by, sum_up
from sessions.run.launch import Orders, SupervisorAnswer
from sessions.run.load_control import LoadControl
from sessions.run.plan_runner import PlanRunner
from sessions.run.preflight import preflight
from sessions.run.short_stages import short_stages
from sessions.run.stage_loads import StageLoads
from sessions.run.telemetry import TelemetryRecorder
from sessions.run.worker_configs import descriptors_short, planned_client, server_facts, worker_configs
from sessions.store.disk_reserve import DiskReserve
from sessions.store.journal import SUPERVISOR_FILE, JournalWriter
from sessions.store.manifest import SessionError, read, write
from sessions.store.records import End, Mark, Note, State
from sessions.worker.pipes import Status, say_line
from sessions.worker.processes import WorkerProcesses

if TYPE_CHECKING:
    from loadgen.probe.result import ProbeResult
    from loadgen.worker_config import Address

_START_LEAD_NS = 10_000_000
"""What their configuration takes to the workers, and they to obey it."""
_WORKERS_READY_S = 20.0
_MARK_CHARS = 200

_log = logging.getLogger(__name__)


class Supervisor:
    """One run, from the probe to the last line."""

    def __init__(self, directory: Path, orders: Orders) -> None:
        self._directory, self._orders = directory, orders
        self._config = orders.config
        self._manifest = read(directory)
        self._clock = MonotonicClock(self._manifest.clock.origin_monotonic_ns)
        self._journal = JournalWriter(directory / SUPERVISOR_FILE)
        self._reserve = DiskReserve(directory)
        self._unsaved: list[str] = []
        self._control = ControlServer(socket_path(directory), self._obey)
        self._manifest.client = planned_client(self._config)
        self._processes = WorkerProcesses(
            directory,
            self._manifest.client["workers"],
            self._on_status,
            self._on_exit,
            debug=orders.debug,
        )
        self._ending = EndRequest()
        self._load_control: LoadControl | None = None
        self._plan: PlanRunner | None = None
        self._running_plan: asyncio.Task[None] | None = None
        self._telemetry = TelemetryRecorder(self._clock)
        self._state = ""
        self._start_ns = 0

    async def run(self) -> int:
        """Returns the exit code of the run."""
        _log.info("pid %d, %d load workers: %s", os.getpid(), self._processes.count, self._config)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal)
        await self._processes.start()
        await self._control.start()
        self._manifest.host.control_socket = str(self._control.path)
        self._manifest.session.pid = os.getpid()
        write(self._directory, self._manifest)
        self._enter("probing")
        refused = await self._begin()
        if refused is not None:
            return await self._refuse(refused)
        say_line(1, SupervisorAnswer("running"))
        await self._until_end_is_wanted()
        return await self._wind_up()

    # the beginning

    async def _begin(self) -> SupervisorAnswer | None:
        """Probes the server and starts the load; the refusal if that cannot be."""
        probing = asyncio.ensure_future(
            preflight(
                self._config,
                self._orders.api_key,
                lambda text: self._note("warning", text),
                self._orders.headers,
            )
        )
        if not await self._ending.comes_after(probing):
            return self._ended_too_soon()
        found = probing.result()
        if isinstance(found, SupervisorAnswer):
            return found
        _log.info("probe: %s", server_facts(found.probed))
        self._manifest.server = server_facts(found.probed)
        ready = asyncio.ensure_future(self._processes.all_ready.wait())
        if not await self._ending.comes_after(ready, _WORKERS_READY_S):
            if self._ending.end is not None:
                return self._ended_too_soon()
            return SupervisorAnswer("refused", "the load workers did not start", 1)
        self._start_load(found.probed, found.address)
        write(self._directory, self._manifest)
        self._telemetry.start(self._config, self._orders.api_key, self._directory, self._manifest.model)
        return None

    def _ended_too_soon(self) -> SupervisorAnswer:
        end = self._ending.end
        assert end is not None
        if end.reason in ("worker_lost", "failed"):
            return SupervisorAnswer("refused", end.message, 1)
        return SupervisorAnswer("refused", "interrupted before any load was sent", 130)

    def _start_load(self, probed: ProbeResult, address: Address) -> None:
        load = self._config.load
        self._start_ns = self._clock.now_ns() + _START_LEAD_NS
        self._load_control = LoadControl(load, self._start_ns, self._processes.count)
        if warning := descriptors_short(load, probed, self._processes.count):
            self._note("warning", warning)
        if warning := short_stages(self._config, probed.warm_ups):
            self._note("warning", warning)
        configs = worker_configs(
            self._config,
            probed,
            address,
            self._processes.count,
            origin_ns=self._clock.origin_ns,
            start_ns=self._start_ns,
            end_ns=self._end_ns(),
        )
        for number, config in enumerate(configs):
            self._processes.tell(number, config)
        self._enter("running")
        if self._config.plan is None:
            self._journal.append(self._load_control.started())
        else:
            stages = StageLoads(
                self._config,
                probed,
                self._load_control,
                self._processes,
                self._clock,
                self._journal.append,
                self._enter,
            )
            self._plan = PlanRunner(self._config.plan, stages, self._clock)
            self._running_plan = asyncio.create_task(self._run_plan(self._plan))

    def _end_ns(self) -> int | None:
        duration_s = self._config.load.duration_s
        return None if duration_s is None else self._start_ns + int(duration_s * 1e9)

    async def _run_plan(self, plan: PlanRunner) -> None:
        await plan.run()
        self._ending.want(RunEnd("completed", DRAIN_S))

    async def _refuse(self, word: SupervisorAnswer) -> int:
        """Nothing was measured: the directory goes, unless it holds a debug log, and the reason is said."""
        _log.info("refused: %s", word.message)
        self._ending.want(RunEnd("failed", 0.0, word.message))  # nobody wonders then where the workers went
        self._processes.tell_all(Finish(0.0))
        await self._processes.wait_or_kill(0.5)
        await self._control.close()
        if self._orders.debug:
            sum_up(self._directory, self._manifest, RunEnd("failed", 0.0, word.message), 0.0)
        else:
            import shutil

            shutil.rmtree(self._directory, ignore_errors=True)
        say_line(1, word)
        return word.exit_code

    # while it runs

    async def _until_end_is_wanted(self) -> None:
        orphan_s = self._config.orphan_timeout_s
        alone_since_ns = self._clock.now_ns()
        while not self._ending.wanted.is_set():
            try:
                await asyncio.wait_for(self._ending.wanted.wait(), 0.5)
            except asyncio.TimeoutError:
                now = self._clock.now_ns()
                if self._control.viewers or self._config.has_end:
                    alone_since_ns = now
                elif (now - alone_since_ns) / 1e9 >= orphan_s:
                    self._ending.want(RunEnd("orphaned", DRAIN_S, f"no screen for {orphan_s:g} s"))
                await self._keep_found(now)
                end_ns = self._end_ns()
                if end_ns is not None and now >= end_ns and self._state != "draining":
                    self._enter("draining")
                if end_ns is not None and now >= end_ns + int(DRAIN_S * 1e9):
                    late = f"requests still in flight {DRAIN_S:g} s later"
                    self._ending.want(RunEnd("completed", 0.0, late))

    async def _keep_found(self, now_ns: int) -> None:
        """What telemetry found stands in the manifest soon, so that a run that is killed has it too."""
        if self._telemetry.news(now_ns):
            self._manifest.telemetry = self._telemetry.table()
            with contextlib.suppress(SessionError):  # a full disk is told by those who lose something
                await asyncio.to_thread(write, self._directory, self._manifest)

    def _obey(self, command: Command) -> Answer:
        """Raises:
        CommandError: it cannot be obeyed.
        """
        received_ns = self._clock.now_ns()
        if isinstance(command, LoadCommand):
            return self._change_load(command, received_ns)
        if isinstance(command, AddMark):
            self._journal.append(Mark(received_ns, command.text[:_MARK_CHARS]))
        elif isinstance(command, EndCommand):
            self._ending.want(end_by(command))
        elif isinstance(command, GoOn):
            self._give_back()
        load = self._load_control
        if load is None:
            return Ack(received_ns, self._state)
        return Ack(received_ns, self._state, load.rate_rps(received_ns), load.concurrency)

    def _change_load(self, command: LoadCommand, received_ns: int) -> Ack:
        if self._load_control is None:
            raise CommandError("the load has not begun yet")
        end_ns = self._end_ns()
        if self._ending.end is not None or (end_ns is not None and received_ns >= end_ns):
            raise CommandError("the load has come to its end")
        update = self._load_control.obey(command, received_ns)
        if self._plan is not None:
            self._plan.leave()
        self._processes.tell_all(update.command)
        self._journal.append(update.change)
        self._enter(update.state)
        change = update.change
        return Ack(change.t_ns, update.state, change.rate_rps, change.concurrency)

    def _give_back(self) -> None:
        if self._plan is None:
            raise CommandError("this run has no plan")
        if not self._plan.left:
            raise CommandError("the plan is running")
        self._plan.go_on()

    def _on_signal(self) -> None:
        again = self._ending.end is not None
        self._ending.want(RunEnd("interrupted", 0.0 if again else DRAIN_SIGNAL_S))

    def _on_status(self, number: int, status: Status) -> None:
        _log.info("load worker %d: %s", number, status)
        if status.state == "idle" and self._processes.all_idle.is_set():
            if self._plan is not None:
                self._plan.on_idle(self._plan.number if status.stage is None else status.stage)
                return
            self._ending.want(RunEnd("completed", 0.0))
        elif status.state == "refused":
            self._ending.want(RunEnd("failed", 0.0, status.message))
        elif status.state == "disk":
            if status.message:
                self._reserve.speak()
                self._note("error", status.message)
            else:
                self._note("info", "the disk takes data again")
        elif status.state == "unsaved":
            self._unsaved.append(f"load worker {number}: {status.message}")

    def _on_exit(self, number: int, code: int) -> None:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        if self._ending.end is None:
            self._note("error", f"load worker {number} ended unexpectedly ({how})")
            self._ending.want(RunEnd("worker_lost", 1.0, f"load worker {number}: {how}"))
        elif code:
            # Also one that we killed, for not ending in time.
            self._unsaved.append(f"load worker {number} ended before all was written ({how})")

    # the end

    async def _wind_up(self) -> int:
        if self._running_plan is not None:
            self._running_plan.cancel()
        self._enter("draining")
        await drain(self._processes, self._ending)
        await asyncio.to_thread(self._telemetry.stop)
        self._reserve.close()
        if lost := self._telemetry.close():
            self._unsaved.append(lost)
        assert self._ending.end is not None
        end = self._ending.end.without(self._unsaved)
        self._journal.append(End(self._clock.now_ns(), end.reason, end.message))
        self._enter("ended")
        self._journal.sync()
        self._manifest.telemetry = self._telemetry.table()
        ran_s = (self._clock.now_ns() - self._start_ns) / 1e9
        code = await asyncio.to_thread(sum_up, self._directory, self._manifest, end, ran_s)
        _log.info("saved after %.1f s: %s, exit code %d", ran_s, end, code)
        await self._control.close()
        self._journal.close()
        return code

    # writing down

    def _enter(self, state: str) -> None:
        if state != self._state:
            self._state = state
            _log.info("state: %s", state)
            self._journal.append(State(self._clock.now_ns(), state))

    def _note(self, level: str, text: str) -> None:
        _log.info("%s: %s", level, text)
        self._journal.append(Note(self._clock.now_ns(), level, text))
