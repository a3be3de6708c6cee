"""The load workers of a run, as its supervisor sees them: processes that are started, told and waited for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from sessions.own_process import module_command
from sessions.worker.pipes import LineFeed, Status

_log = logging.getLogger(__name__)
_status = msgspec.json.Decoder(Status)

OnStatus = Callable[[int, Status], None]
OnExit = Callable[[int, int], None]


class _WorkerPipes(asyncio.SubprocessProtocol):
    def __init__(self, number: int, on_status: OnStatus, on_exit: OnExit) -> None:
        self._number, self._on_exit = number, on_exit
        self._lines = LineFeed(lambda line: on_status(number, _status.decode(line)), lambda: None)
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
        self._on_exit(self._number, -1 if code is None else code)


class WorkerProcesses:
    """Starts `count` workers at once; their stdin carries configuration and commands, their stderr is ours.

    `on_status` and `on_exit` are called after the events below tell of it.
    """

    def __init__(
        self, directory: Path, count: int, on_status: OnStatus, on_exit: OnExit, *, debug: bool = False
    ) -> None:
        """`debug`: each worker keeps a log (`sessions.store.debug_log`)."""
        self._directory, self.count, self._debug = directory, count, debug
        self._on_status, self._on_exit = on_status, on_exit
        self._transports: dict[int, asyncio.SubprocessTransport] = {}
        self.alive: set[int] = set()
        self._in_state: dict[str, set[int]] = {"ready": set(), "idle": set()}
        self.all_ready, self.all_idle, self.all_gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
        """All wait for their configuration; the load of all has come to its end by itself; none is alive."""
        self._stage: int | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        for number in range(self.count):
            transport, _ = await loop.subprocess_exec(
                lambda n=number: _WorkerPipes(n, self._said, self._exited),  # type: ignore[misc]
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
            self._transports[number] = transport
            self.alive.add(number)
            _log.info("load worker %d started, pid %d", number, transport.get_pid())

    def tell(self, number: int, message: msgspec.Struct) -> None:
        """Hands one worker its configuration or a command; one that is gone is told of by its exit."""
        pipe = self._transports[number].get_pipe_transport(0)
        if number in self.alive and isinstance(pipe, asyncio.WriteTransport) and not pipe.is_closing():
            pipe.write(msgspec.json.encode(message) + b"\n")

    def tell_all(self, message: msgspec.Struct) -> None:
        _log.info("to all load workers: %s", message)
        for number in range(self.count):
            self.tell(number, message)

    def expect_idle(self, stage: int) -> None:
        """From now on `all_idle` is of that stage."""
        self._stage = stage
        self._in_state["idle"].clear()
        self.all_idle.clear()

    async def wait_or_kill(self, wait_s: float) -> None:
        """Waits until all have ended; those that have not after `wait_s` are killed."""
        try:
            await asyncio.wait_for(self.all_gone.wait(), max(wait_s, 0.01))
        except asyncio.TimeoutError:
            self._kill()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.all_gone.wait(), 1.0)
        for transport in self._transports.values():
            transport.close()

    def _kill(self) -> None:
        for number in list(self.alive):
            with contextlib.suppress(ProcessLookupError):
                self._transports[number].kill()

    def _said(self, number: int, status: Status) -> None:
        of_another = status.state == "idle" and status.stage != self._stage
        if not of_another and (known := self._in_state.get(status.state)) is not None:
            known.add(number)
            if len(known) == self.count:
                (self.all_ready if status.state == "ready" else self.all_idle).set()
        self._on_status(number, status)

    def _exited(self, number: int, code: int) -> None:
        self.alive.discard(number)
        _log.info("load worker %d is gone, exit code %d", number, code)
        if not self.alive:
            self.all_gone.set()
        self._on_exit(number, code)
