"""A live run in a process without terminal: starts workers and telemetry, obeys commands, ends in order.

`python -m sessions.run.supervisor`, with `sessions.run.launch.Orders` on stdin. It ignores SIGHUP, so a
lost login does not end a run; SIGINT and SIGTERM end it in order, saved.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from loadgen.clock import MonotonicClock
from loadgen.worker_config import Finish
from sessions.run.control_socket import ControlServer, socket_path
from sessions.run.end import DRAIN_S, RunEnd, sum_up
from sessions.run.launch import LOG_FILE, Orders, SupervisorAnswer
from sessions.run.load_control import LEAD_NS, LoadControl, LoadControlError
from sessions.run.preflight import preflight
from sessions.run.telemetry import TelemetryRecorder
from sessions.run.worker_configs import descriptors_short, planned_client, server_facts, worker_configs
from sessions.store.directory import hold_lock
from sessions.store.disk_reserve import DiskReserve
from sessions.store.journal import HOST_FILE, JournalWriter
from sessions.store.manifest import SessionError, read, write
from sessions.store.records import End, Mark, Note, State
from sessions.worker.pipes import Status, say_line
from sessions.worker.processes import WorkerProcesses

if TYPE_CHECKING:
    from loadgen.probe.result import ProbeResult
    from loadgen.worker_config import Address

DRAIN_SIGNAL_S = 2.5
"""The same after SIGINT or SIGTERM: all must be saved within 5 s."""
_START_LEAD_NS = 10_000_000
"""What the plan takes to the workers, and they to obey it."""
_WORKERS_READY_S = 20.0
_KILL_AFTER_S = 1.5

_log = logging.getLogger("sessions.run.supervisor")  # it runs as __main__


class Supervisor:
    """One run, from the probe to the last line."""

    def __init__(self, directory: Path, orders: Orders) -> None:
        self._directory, self._orders = directory, orders
        self._config = orders.config
        self._manifest = read(directory)
        self._clock = MonotonicClock(self._manifest.clock.origin_monotonic_ns)
        self._journal = JournalWriter(directory / HOST_FILE)
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
        self._ready: set[int] = set()
        self._idle: set[int] = set()
        self._all_ready, self._all_gone = asyncio.Event(), asyncio.Event()
        self._run_end: RunEnd | None = None
        self._end_wanted = asyncio.Event()
        self._hurry = asyncio.Event()
        self._load_control: LoadControl | None = None
        self._watch = TelemetryRecorder(self._clock)
        self._state = ""
        self._start_ns = 0

    async def run(self) -> int:
        """Returns the exit code of the run."""
        if self._orders.debug:
            self._open_debug_log()
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
        return await self._end()

    # the beginning

    async def _begin(self) -> SupervisorAnswer | None:
        """Probes, plans and starts the load; the refusal if that cannot be."""
        scouting = asyncio.ensure_future(
            preflight(self._config, self._orders.api_key, lambda text: self._note("warning", text))
        )
        if not await self._comes_before_the_end(scouting):
            return self._ended_too_soon()
        found = scouting.result()
        if isinstance(found, SupervisorAnswer):
            return found
        _log.info("probe: %s", server_facts(found.probed))
        self._manifest.server = server_facts(found.probed)
        ready = asyncio.ensure_future(self._all_ready.wait())
        if not await self._comes_before_the_end(ready, _WORKERS_READY_S):
            if self._run_end is not None:
                return self._ended_too_soon()
            return SupervisorAnswer("refused", "the load workers did not start", 1)
        self._start_load(found.probed, found.address)
        write(self._directory, self._manifest)
        self._watch.start(self._config, self._orders.api_key, self._directory)
        return None

    async def _comes_before_the_end(self, task: asyncio.Future[Any], timeout_s: float | None = None) -> bool:
        """Whether `task` is done before an end is wanted, and within `timeout_s`; if not, it is cancelled."""
        wanted = asyncio.ensure_future(self._end_wanted.wait())
        await asyncio.wait({task, wanted}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        wanted.cancel()
        done = task.done()
        if not done:
            task.cancel()
        return done

    def _ended_too_soon(self) -> SupervisorAnswer:
        assert self._run_end is not None
        if self._run_end.reason in ("worker_lost", "failed"):
            return SupervisorAnswer("refused", self._run_end.message, 1)
        return SupervisorAnswer("refused", "interrupted before any load was sent", 130)

    def _start_load(self, probed: ProbeResult, address: Address) -> None:
        load = self._config.load
        self._start_ns = self._clock.now_ns() + _START_LEAD_NS
        self._load_control = LoadControl(load, self._start_ns)
        if warning := descriptors_short(load, probed, self._processes.count):
            self._note("warning", warning)
        plans = worker_configs(
            self._config,
            probed,
            address,
            self._processes.count,
            origin_ns=self._clock.origin_ns,
            start_ns=self._start_ns,
            end_ns=self._end_ns(),
        )
        for number, plan in enumerate(plans):
            self._processes.tell(number, plan)
        self._journal.append(self._load_control.started())
        self._enter("running")

    def _end_ns(self) -> int | None:
        duration_s = self._config.load.duration_s
        return None if duration_s is None else self._start_ns + int(duration_s * 1e9)

    async def _refuse(self, word: SupervisorAnswer) -> int:
        """Nothing was measured: the directory goes, unless it holds a debug log, and the reason is said."""
        _log.info("refused: %s", word.message)
        self._processes.tell_all(Finish(0.0))
        await self._gone_or_killed(0.5)
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
        while not self._end_wanted.is_set():
            try:
                await asyncio.wait_for(self._end_wanted.wait(), 0.5)
            except asyncio.TimeoutError:
                now = self._clock.now_ns()
                if self._control.viewers or self._config.has_end:
                    alone_since_ns = now
                elif (now - alone_since_ns) / 1e9 >= orphan_s:
                    self._want_end(RunEnd("orphaned", DRAIN_S, f"no screen for {orphan_s:g} s"))
                await self._keep_found(now)
                end_ns = self._end_ns()
                if end_ns is not None and now >= end_ns and self._state != "draining":
                    self._enter("draining")
                if end_ns is not None and now >= end_ns + int(DRAIN_S * 1e9):
                    self._want_end(RunEnd("completed", 0.0, f"requests still in flight {DRAIN_S:g} s later"))

    async def _keep_found(self, now_ns: int) -> None:
        """What telemetry found stands in the manifest soon, so that a run that is killed has it too."""
        if self._watch.news(now_ns):
            self._manifest.telemetry = self._watch.table()
            with contextlib.suppress(SessionError):  # a full disk is told by those who lose something
                await asyncio.to_thread(write, self._directory, self._manifest)

    def _obey(self, command: dict[str, object]) -> dict[str, object]:
        received_ns = self._clock.now_ns()
        name = command.get("cmd")
        if name == "mark":
            text = str(command.get("text", ""))[:200]
            self._journal.append(Mark(received_ns, text))
            return {"ok": True, "applied_ns": received_ns}
        if name == "finish":
            self._want_end(RunEnd("finished", DRAIN_S))
            return {"ok": True, "applied_ns": received_ns}
        if name in ("abort", "interrupt"):
            ending = RunEnd("aborted", 0.0) if name == "abort" else RunEnd("interrupted", DRAIN_SIGNAL_S)
            self._want_end(ending)
            return {"ok": True, "applied_ns": received_ns}
        if self._load_control is None or self._run_end is not None:
            return {"ok": False, "error": "the load is not running"}
        try:
            step = self._load_control.obey(command, received_ns)
        except LoadControlError as error:
            return {"ok": False, "error": str(error)}
        self._processes.tell_all(step.command)
        self._journal.append(step.change)
        self._enter(step.state)
        return {"ok": True, "applied_ns": received_ns + LEAD_NS}

    def _want_end(self, ending: RunEnd) -> None:
        """The first wish counts, and a later one only if it is in more of a hurry, then with its reason."""
        _log.info("end wanted: %s", ending)
        if self._run_end is None:
            self._run_end = ending
            self._end_wanted.set()
        elif ending.drain_s < self._run_end.drain_s:
            self._run_end = ending
            self._hurry.set()

    def _on_signal(self) -> None:
        again = self._run_end is not None
        self._want_end(RunEnd("interrupted", 0.0 if again else DRAIN_SIGNAL_S))

    def _on_status(self, number: int, status: Status) -> None:
        _log.info("load worker %d: %s", number, status)
        if status.state == "ready":
            self._ready.add(number)
            if len(self._ready) == self._processes.count:
                self._all_ready.set()
        elif status.state == "idle":
            self._idle.add(number)
            if len(self._idle) == self._processes.count:
                self._want_end(RunEnd("completed", 0.0))
        elif status.state == "refused":
            self._want_end(RunEnd("failed", 0.0, status.message))
        elif status.state == "disk":
            if status.message:
                self._reserve.speak()
                self._note("error", status.message)
            else:
                self._note("info", "the disk takes data again")
        elif status.state == "unsaved":
            self._unsaved.append(f"load worker {number}: {status.message}")

    def _on_exit(self, number: int, code: int) -> None:
        if not self._processes.alive:
            self._all_gone.set()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        if self._run_end is None:
            self._note("error", f"load worker {number} ended unexpectedly ({how})")
            self._want_end(RunEnd("worker_lost", 1.0, f"load worker {number}: {how}"))
        elif code:
            # Also one that we killed, for not ending in time.
            self._unsaved.append(f"load worker {number} ended before all was written ({how})")

    # the end

    async def _end(self) -> int:
        assert self._run_end is not None
        self._enter("draining")
        self._processes.tell_all(Finish(self._run_end.drain_s))
        gone = asyncio.ensure_future(self._all_gone.wait())
        hurry = asyncio.ensure_future(self._hurry.wait())
        await asyncio.wait(
            {gone, hurry},
            timeout=self._run_end.drain_s + _KILL_AFTER_S,
            return_when=asyncio.FIRST_COMPLETED,
        )
        gone.cancel()
        hurry.cancel()
        if self._hurry.is_set():
            self._processes.tell_all(Finish(self._run_end.drain_s))
            await self._gone_or_killed(self._run_end.drain_s + _KILL_AFTER_S)
        else:
            await self._gone_or_killed(0.0)
        await asyncio.to_thread(self._watch.stop)
        self._reserve.close()
        if lost := self._watch.close():
            self._unsaved.append(lost)
        self._run_end = self._run_end.without(self._unsaved)
        self._journal.append(End(self._clock.now_ns(), self._run_end.reason, self._run_end.message))
        self._enter("ended")
        self._journal.sync()
        self._manifest.telemetry = self._watch.table()
        ran_s = (self._clock.now_ns() - self._start_ns) / 1e9
        code = await asyncio.to_thread(sum_up, self._directory, self._manifest, self._run_end, ran_s)
        _log.info("saved after %.1f s: %s, exit code %d", ran_s, self._run_end, code)
        await self._control.close()
        self._journal.close()
        return code

    async def _gone_or_killed(self, wait_s: float) -> None:
        try:
            await asyncio.wait_for(self._all_gone.wait(), max(wait_s, 0.01))
        except asyncio.TimeoutError:
            self._processes.kill()
            try:
                await asyncio.wait_for(self._all_gone.wait(), 1.0)
            except asyncio.TimeoutError:
                pass
        self._processes.close()

    # writing down

    def _enter(self, state: str) -> None:
        if state != self._state:
            self._state = state
            _log.info("state: %s", state)
            self._journal.append(State(self._clock.now_ns(), state))

    def _note(self, level: str, text: str) -> None:
        _log.info("%s: %s", level, text)
        self._journal.append(Note(self._clock.now_ns(), level, text))

    def _open_debug_log(self) -> None:
        from loadgen.target.redaction import Redactor
        from sessions.store.debug_log import open_debug_log

        redactor = Redactor(self._orders.api_key or "")
        open_debug_log(self._directory, "supervisor", self._clock.origin_ns, redactor)
        _log.info("pid %d, %d load workers: %s", os.getpid(), self._processes.count, self._config)


def _locked(directory: Path) -> int:
    """The session's lock. A reader that asks whether we live holds it for a moment: try again."""
    import time

    for _ in range(50):
        try:
            return hold_lock(directory)
        except SessionError:
            time.sleep(0.02)
    return hold_lock(directory)


def _complain_in(path: Path) -> None:
    """Our stderr, and with it that of our workers, was a terminal's until now."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(log, 2)
    os.close(log)


def main() -> int:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    said = sys.stdin.buffer.read()
    if not said:  # whoever started us found that there is nothing to run
        return 0
    orders = msgspec.json.decode(said, type=Orders)
    directory = Path(orders.directory)
    _complain_in(directory / LOG_FILE)
    lock = _locked(directory)
    try:
        return asyncio.run(Supervisor(directory, orders).run())
    except SessionError as error:
        # The disk refused: before the load this refuses the run, later only the log can tell.
        say_line(1, SupervisorAnswer("refused", str(error), 1))
        print(error, file=sys.stderr)
        return 1
    except Exception:
        # The log is the only place left to speak; locals stay out of it, one of them is the key.
        traceback.print_exc()
        return 1
    finally:
        os.close(lock)


if __name__ == "__main__":
    sys.exit(main())
