"""How a live run is told something by those who know its session's directory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from pathlib import Path

import msgspec

from sessions.run.commands import LINE_LIMIT_BYTES, Answer, Command, Hello, decode_answer
from sessions.run.control_server import PRIVATE_PREFIX, SOCKET_FILE
from sessions.store.directory import LOG_FILE


class ControlError(OSError):
    """The run cannot be reached: one line."""


class ControlClient:
    """For an event loop. It connects when first used, and again after a break; one command at a time."""

    def __init__(self, directory: Path, *, viewer: bool = True) -> None:
        self._directory, self._hello = directory, Hello(viewer)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._lock = asyncio.Lock()

    async def send(self, command: Command) -> Answer:
        """What the run answers.

        Whoever stops waiting cannot know whether the command was obeyed; the connection is closed then, so
        that a late answer is not taken for the next command's.

        Raises:
            ControlError: the run is not there, or went away before it answered.
        """
        async with self._lock:
            answer = None
            try:
                if self._writer is None:
                    await self._connect()
                answer = await self._ask(command)
            finally:
                if answer is None:
                    self.close()
            if answer is None:
                raise ControlError(_over(self._directory))
            return answer

    async def stay(self, every_s: float = 1.0) -> None:
        """Runs for ever: this screen is known as a viewer once the run is there, and again after a break."""
        while True:
            with contextlib.suppress(ControlError):
                await self.send(self._hello)
            await asyncio.sleep(every_s)

    async def _connect(self) -> None:
        path = _find(self._directory)
        try:
            self._reader, self._writer = await asyncio.open_unix_connection(str(path), limit=LINE_LIMIT_BYTES)
        except OSError as error:
            raise ControlError(_not_live(self._directory, error.strerror or str(error))) from error
        await self._ask(self._hello)

    async def _ask(self, command: Command) -> Answer | None:
        assert self._reader is not None
        assert self._writer is not None
        try:
            self._writer.write(msgspec.json.encode(command) + b"\n")
            await self._writer.drain()
            return decode_answer(await self._reader.readline())
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def send_once(directory: Path, command: Command, timeout_s: float = 5.0) -> Answer:
    """One command from a place without an event loop.

    Raises:
        ControlError: the run is not there or does not answer.
    """
    path = _find(directory)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(timeout_s)
        try:
            link.connect(str(path))
        except OSError as error:
            raise ControlError(_not_live(directory, error.strerror or str(error))) from error
        try:
            link.sendall(msgspec.json.encode(command) + b"\n")
            with link.makefile("rb") as lines:
                answer = decode_answer(lines.readline(LINE_LIMIT_BYTES))
        except OSError as error:
            late = isinstance(error, socket.timeout)
            why = f"within {timeout_s:g} s" if late else f"({error.strerror or error})"
            log = directory / LOG_FILE
            raise ControlError(f"{directory.name}: the run does not answer {why}; see {log}") from error
    if answer is None:
        raise ControlError(_over(directory))
    return answer


def _not_live(directory: Path, why: str) -> str:
    return f"{directory.name}: the run is not live ({why}); ttftop replay shows it"


def _over(directory: Path) -> str:
    return f"{directory.name}: the run has ended; ttftop replay shows it"


def _find(directory: Path) -> Path:
    """The socket of a session, which must be ours.

    Raises:
        ControlError: there is none.
    """
    path = directory / SOCKET_FILE
    if not os.path.lexists(path):
        from sessions.store.manifest import SessionError, read

        try:
            path = Path(read(directory).host.control_socket)
        except SessionError as error:
            raise ControlError(str(error)) from error
        # A session may come from a stranger: what it names is no other socket of ours, an ssh agent's say.
        if path.name != SOCKET_FILE or not path.parent.name.startswith(PRIVATE_PREFIX):
            why = f"{directory.name}: the run is not live, or has no control socket"
            raise ControlError(f"{why}; ttftop replay shows it")
    try:
        about, around = path.lstat(), path.parent.lstat()
    except OSError:
        raise ControlError(_not_live(directory, "no control socket")) from None
    if not stat.S_ISSOCK(about.st_mode) or {about.st_uid, around.st_uid} != {os.geteuid()}:
        raise ControlError(f"{path}: not a control socket of yours; need that of a run of your own")
    return path
