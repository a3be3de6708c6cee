"""A live run: starts workers and telemetry, obeys commands, ends in order, and writes down what it does.

It needs no terminal. SIGINT and SIGTERM end it in order, saved.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from pathlib import Path

from loadgen.clock import MonotonicClock
from loadgen.worker_config import Finish
from sessions.run.asking import PromptFiles
from sessions.run.commands import (
    Ack,
    AddMark,
    Answer,
    Command,
    CommandError,
    EndCommand,
    GoOn,
    LoadCommand,
    Stop,
)
from sessions.run.control_server import ControlServer
from sessions.run.end import DRAIN_SIGNAL_S, EndRequest, RunEnd, drain, end_by, heed_signals, plan_end, sum_up
from sessions.run.launch import Orders, SupervisorAnswer
from sessions.run.load_workers import Heard, LoadRefused, LostNode, files_of, load_workers_of
from sessions.run.lost_nodes import LostNodes
from sessions.run.place import SessionPlace
from sessions.run.preflight import preflight
from sessions.run.run_load import LOAD_OVER, RunLoad
from sessions.run.telemetry import TelemetryRecorder
from sessions.run.worker_configs import server_facts
from sessions.store.disk_reserve import DiskReserve
from sessions.store.journal import SUPERVISOR_FILE, JournalWriter
from sessions.store.manifest import SessionError, read, write
from sessions.store.records import End, Mark, Note, State
from sessions.worker.pipes import Status, say_line

_MARK_CHARS = 200
_MARKS_CAP = 10_000
"""Half of what a reader keeps of all that happened (`sessions.timeline.timeline.EVENTS_CAP`)."""

_log = logging.getLogger(__name__)


class Supervisor:
    """One run, from the probe to the last line."""

    def __init__(self, directory: Path, orders: Orders, place: SessionPlace) -> None:
        self._place, self._parent = place, os.getppid()
        self._directory, self._orders = directory, orders
        self._config = orders.config
        self._manifest = read(directory)
        self._clock = MonotonicClock(self._manifest.clock.origin_monotonic_ns)
        self._journal = JournalWriter(directory / SUPERVISOR_FILE)
        self._reserve = DiskReserve(directory)
        self._unsaved: list[str] = []
        self._control = ControlServer(directory, self._obey)
        told = (self._on_refused, self._on_node_lost, self._note, self._journal.append)
        heard = Heard(self._on_status, self._on_exit, *told)
        self._load_workers = load_workers_of(
            self._config, directory, heard, self._clock.origin_ns, debug=orders.debug
        )
        self._processes = self._load_workers.workers
        self._manifest.client = self._load_workers.client()
        self._ending = EndRequest()
        self._state = ""
        self._load = RunLoad(
            self._config, directory, self._processes, self._clock, self._journal, self._enter
        )
        writing = (self._clock, self._journal.append, self._note)
        self._lost_nodes = LostNodes(self._config, directory, self._processes, self._load, *writing)
        self._telemetry = TelemetryRecorder(self._clock)
        self._prompts = PromptFiles(directory)
        self._failing: set[int] = set()
        """Workers of which all requests have failed so far."""
        self._marks = 0
        self._signalled = False

    async def run(self) -> int:
        """Returns the exit code of the run."""
        _log.info("pid %d, %d load workers: %s", os.getpid(), self._processes.count, self._config)
        heed_signals(self._on_signal)
        await self._processes.start()
        unreachable = await self._control.start()
        self._manifest.host.control_socket = str(self._control.path or "")
        self._manifest.session.pid = os.getpid()
        if unreachable:
            self._note("warning", f"no control socket: no attach, no keys for the load ({unreachable})")
        keeping = asyncio.ensure_future(
            self._place.keep(self._manifest, self._control, self._look_at_journals, self._note)
        )
        try:
            write(self._directory, self._manifest)  # first: it says where this run is commanded
            self._enter("probing")
            refused = await self._begin()
        except SessionError as error:  # the disk is full, say
            refused = SupervisorAnswer("refused", str(error), 1)
        if refused is not None:
            keeping.cancel()
            return await self._refuse(refused)
        say_line(1, SupervisorAnswer("running"))
        await self._until_end_is_wanted()
        return await self._wind_up(keeping)

    # the beginning

    async def _begin(self) -> SupervisorAnswer | None:
        """Probes the server and starts the load; the refusal if that cannot be."""
        probing = asyncio.ensure_future(
            preflight(
                self._config,
                self._orders.api_key,
                lambda text: self._note("warning", text),
                self._prompts,
                self._orders.headers,
            )
        )
        if not await self._ending.comes_after(probing):
            return self._ended_too_soon()
        found = probing.result()
        if isinstance(found, SupervisorAnswer):
            return found
        _log.info("probe: %s", server_facts(found))
        self._manifest.server = server_facts(found)
        ready = asyncio.ensure_future(self._processes.states.all_ready.wait())
        if not await self._ending.comes_after(ready, self._processes.ready_s):
            if self._ending.end is not None:
                return self._ended_too_soon()
            late = f"the load workers did not start within {self._processes.ready_s:g} s"
            return SupervisorAnswer("refused", f"{late}; give --debug, which keeps their logs", 1)
        self._manifest.client = self._load_workers.client()
        try:
            for warning in self._load_workers.check(found):
                self._note("warning", warning)
        except LoadRefused as error:
            return SupervisorAnswer("refused", str(error), 2)
        files = list(files_of(self._config, self._prompts))
        servers = [target.address for target in found.targets] or [found.address]
        preparing = asyncio.ensure_future(self._processes.prepare(servers, files))
        if not await self._ending.comes_after(preparing):
            return self._ended_too_soon()
        if word := preparing.result():
            return SupervisorAnswer("refused", word, 2)
        self._load.begin(found, self._on_plan_over)
        write(self._directory, self._manifest)
        key, secrets = self._orders.api_key, self._orders.secrets()
        self._telemetry.start(self._config, key, self._directory, self._manifest.model, secrets)
        return None

    def _ended_too_soon(self) -> SupervisorAnswer:
        end = self._ending.end
        assert end is not None
        if end.reason in ("worker_lost", "failed"):
            return SupervisorAnswer("refused", end.message, end.exit_code)
        return SupervisorAnswer("refused", "interrupted before any load was sent", 130)

    async def _refuse(self, word: SupervisorAnswer) -> int:
        """Nothing was measured: the directory goes, unless it holds a debug log, and the reason is said."""
        _log.info("refused: %s", word.message)
        self._ending.want(RunEnd("failed", 0.0, word.message))  # nobody wonders then where the workers went
        self._processes.tell_all(Finish(0.0))
        await self._processes.wait_or_kill(0.5)
        self._prompts.remove()
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
        orphan_s, drain_s = self._config.orphan_timeout_s, self._config.drain_s
        alone_since_ns = self._clock.now_ns()
        while not self._ending.wanted.is_set():
            try:
                await asyncio.wait_for(self._ending.wanted.wait(), 0.5)
            except asyncio.TimeoutError:
                now = self._clock.now_ns()
                if self._is_watched or self._load.ends_by_itself(self._state):
                    alone_since_ns = now
                elif (now - alone_since_ns) / 1e9 >= orphan_s:
                    self._ending.want(RunEnd("orphaned", drain_s, f"no screen for {orphan_s:g} s"))
                await self._keep_found(now)
                self._lost_nodes.count()
                end_ns = self._load.end_ns
                if end_ns is not None and now >= end_ns and self._state != "draining":
                    self._enter("draining")
                if end_ns is not None and now >= end_ns + int(drain_s * 1e9):
                    late = f"requests still in flight {drain_s:g} s later (--drain)"
                    self._ending.want(RunEnd("completed", 0.0, late))

    @property
    def _is_watched(self) -> bool:
        if self._control.path is not None:
            return self._control.viewers > 0
        return os.getppid() == self._parent  # who started us cannot say so, but is there

    def _look_at_journals(self) -> None:
        self._journal.look()  # the one that may have nothing to append for hours
        for journal in (self._journal, self._telemetry):
            self._place.written_again(journal.take_written_again())

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
            if self._marks >= _MARKS_CAP:
                raise CommandError(
                    f"{_MARKS_CAP} marks are set already, the most that are kept; leave it out"
                )
            self._marks += 1
            self._journal.append(Mark(received_ns, command.text[:_MARK_CHARS]))
        elif isinstance(command, EndCommand):
            over = self._state == "draining" and not self._load.has_plan
            self._ending.want(end_by(command, self._config.drain_s), load_over=over)
        elif isinstance(command, GoOn):
            self._load.give_back()
        return self._load.ack(received_ns, self._state)

    def _change_load(self, command: LoadCommand, received_ns: int) -> Ack:
        if self._ending.end is not None:
            raise CommandError(LOAD_OVER)
        return self._load.change(command, received_ns)

    def _on_signal(self) -> None:
        again, self._signalled = self._signalled, True
        self._ending.want(RunEnd("interrupted", 0.0 if again else DRAIN_SIGNAL_S))

    def _on_status(self, number: int, status: Status) -> None:
        _log.info("load worker %d: %s", number, status)
        if status.state == "idle" and self._processes.states.all_idle.is_set():
            if self._load.on_idle(status.stage):
                self._ending.want(RunEnd("completed", 0.0))
        elif status.state == "refused":
            self._ending.want(RunEnd("failed", 0.0, status.message))
        elif status.state == "failing":
            self._on_failing(number, status.message)
        elif status.state == "disk":
            if status.message:
                self._reserve.speak()
                self._note("error", status.message)
            else:
                self._note("info", "the disk takes data again")
        elif status.state == "again":
            self._place.written_again(status.message)
        elif status.state == "unsaved":
            self._unsaved.append(f"load worker {number}: {status.message}")

    def _on_failing(self, number: int, why: str) -> None:
        """Once it is so of every worker, more load tells nothing: a person decides, or the run ends."""
        sends = self._state == "running" or (self._state == "draining" and self._load.has_plan)
        if self._ending.end is not None or not sends:
            return
        self._failing.add(number)
        if self._processes.states.alive - self._failing:
            return
        self._failing.clear()
        text = f"the first {self._config.load.give_up} requests all failed, lately with: {why}"
        if not self._config.interactive:
            self._ending.want(RunEnd("gave_up", DRAIN_SIGNAL_S, text))
            return
        with contextlib.suppress(CommandError):  # the load has come to its end meanwhile
            self._change_load(Stop(), self._clock.now_ns())
            how = "space resumes, p goes on with the plan" if self._load.has_plan else "space resumes"
            self._note("error", f"stopped sending: {text}; {how}")

    def _on_plan_over(self, error: BaseException | None) -> None:
        plan = self._config.plan
        waited = plan is not None and (not plan.stages or plan.stages[-1].drain)
        self._ending.want(plan_end(error, 0.0 if waited else self._config.drain_s))

    def _on_exit(self, number: int, code: int) -> None:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        if self._ending.end is None:
            self._note("error", f"load worker {number} ended unexpectedly ({how})")
            self._ending.want(RunEnd("worker_lost", 1.0, f"load worker {number}: {how}"))
        elif code:
            # Also one that we killed, for not ending in time.
            self._unsaved.append(f"load worker {number} ended before all was written ({how})")

    def _on_refused(self, line: str) -> None:
        self._ending.want(RunEnd("failed", 0.0, line, exit_code=2))

    def _on_node_lost(self, node: LostNode) -> None:
        if end := self._lost_nodes.lose(node, ending=self._ending.end is not None):
            self._ending.want(end)

    # the end

    async def _wind_up(self, keeping: asyncio.Future[None]) -> int:
        self._load.end()
        self._lost_nodes.end()
        self._enter("draining")
        load = self._config.load
        at_once = -(-(load.concurrency or load.max_in_flight) // self._processes.count)
        await drain(self._processes, self._ending, at_once)
        self._prompts.remove()
        await asyncio.to_thread(self._telemetry.stop)
        self._reserve.close()
        self._unsaved += self._processes.unsaved
        if lost := self._telemetry.close():
            self._unsaved.append(lost)
        assert self._ending.end is not None
        end = self._ending.end.without(self._unsaved)
        self._journal.append(End(self._clock.now_ns(), end.reason, end.message))
        self._enter("ended")
        self._manifest.telemetry, self._manifest.client = self._telemetry.table(), self._load_workers.client()
        keeping.cancel()
        await asyncio.to_thread(self._place.look, self._manifest)
        self._journal.close()
        self._load.remove_traces()
        ran_s = (self._clock.now_ns() - self._load.start_ns) / 1e9
        code = await asyncio.to_thread(sum_up, self._directory, self._manifest, end, ran_s)
        _log.info("saved after %.1f s: %s, exit code %d", ran_s, end, code)
        await self._control.close()
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
