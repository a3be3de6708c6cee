"""The load workers of a run, as its supervisor sees them: processes that are started, told and waited for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from loadgen.decoding import ready
from loadgen.worker_config import Address
from sessions.own_process import CannotStart, module_command
from sessions.worker.pipes import LineFeed, Status
from sessions.worker.states import LEAD_NS, START_LEAD_NS, OnExit, OnStatus, WorkerStates

_log = logging.getLogger(__name__)
_status = msgspec.json.Decoder(ready(Status))


class _WorkerPipes(asyncio.SubprocessProtocol):
    def __init__(self, number: int, said: OnStatus, exited: OnExit) -> None:
        self._number, self._exited_with = number, exited
        self._lines = LineFeed(lambda line: said(number, _status.decode(line)), lambda: None)
        self._transport: asyncio.SubprocessTransport | None = None
        self._quiet = self._exited = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 1:
            self._lines.data_received(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1:
            self._quiet = True
            self._tell()

    def process_exited(self) -> None:
        self._exited = True
        self._tell()

    def _tell(self) -> None:
        # The last words of a process may be read after its exit is known.
        if not (self._quiet and self._exited):
            return
        code = self._transport.get_returncode() if self._transport is not None else None
        self._exited_with(self._number, -1 if code is None else code)


class WorkerProcesses:
    """Starts `count` workers here at once; stdin carries configuration and commands, their stderr is ours."""

    start_lead_ns, lead_ns, ready_s = START_LEAD_NS, LEAD_NS, 20.0

    def __init__(
        self, directory: Path, count: int, on_status: OnStatus, on_exit: OnExit, *, debug: bool = False
    ) -> None:
        """`debug`: each worker keeps a log (`sessions.store.debug_log`)."""
        self._directory, self._debug = directory, debug
        self._transports: dict[int, asyncio.SubprocessTransport] = {}
        self.states = WorkerStates(on_status, on_exit, count)

    @property
    def count(self) -> int:
        return self.states.count

    @property
    def unsaved(self) -> list[str]:
        return []

    async def start(self) -> None:
        """Raises:
        CannotStart: the system gives no more processes, or threads that wait for them.
        """
        for number in range(self.count):
            try:
                transport = await self._start(number)
            except (BlockingIOError, RuntimeError):  # of fork(2), and of `threading`
                raise CannotStart from None
            self._transports[number] = transport
            self.states.alive.add(number)
            _log.info("load worker %d started, pid %d", number, transport.get_pid())

    async def _start(self, number: int) -> asyncio.SubprocessTransport:
        transport, _ = await asyncio.get_running_loop().subprocess_exec(
            lambda: _WorkerPipes(number, self.states.said, self._exited),
            *module_command(
                "sessions.worker.process",
                str(self._directory),
                str(number),
                *(["--debug"] if self._debug else []),
            ),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=None,
        )
        return transport

    async def prepare(self, addresses: Sequence[Address], files: Sequence[str]) -> str:
        """Nothing is to be done: workers here find the server, and files, where we do."""
        return ""

    def tell(self, number: int, message: msgspec.Struct) -> None:
        """Hands one worker its configuration or a command; one that is gone is told of by its exit."""
        pipe = self._transports[number].get_pipe_transport(0)
        if number in self.states.alive and isinstance(pipe, asyncio.WriteTransport) and not pipe.is_closing():
            pipe.write(msgspec.json.encode(message) + b"\n")

    def tell_all(self, message: msgspec.Struct) -> None:
        _log.info("to all load workers: %s", message)
        for number in range(self.count):
            self.tell(number, message)

    async def wait_or_kill(self, wait_s: float) -> None:
        """Waits until all have ended; those that have not after `wait_s` are killed."""
        try:
            await asyncio.wait_for(self.states.all_gone.wait(), max(wait_s, 0.01))
        except asyncio.TimeoutError:
            self._kill()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.states.all_gone.wait(), 1.0)
        for transport in self._transports.values():
            transport.close()

    def _kill(self) -> None:
        for number in list(self.states.alive):
            with contextlib.suppress(ProcessLookupError):
                self._transports[number].kill()

    def _exited(self, number: int, code: int) -> None:
        self.states.alive.discard(number)
        if not self.states.alive:
            self.states.all_gone.set()
        self.states.exited(number, code)
