"""The one way to tell a live run something: JSON lines over a Unix socket, each answered.

A connection that said `hello` as a viewer counts as somebody watching for as long as it stands, so that
a killed screen is missed at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SOCKET_FILE = "control.sock"
_PATH_MOST = 100
"""sun_path holds 108 bytes (unix(7)), and a session's directory may be deeper than that."""
_LINE_MOST = 65536

Command = dict[str, Any]
Obey = Callable[[Command], Command]


class ControlError(OSError):
    """The run cannot be reached: one line."""


def socket_path(directory: Path) -> Path:
    """Where the socket of a session goes: in its directory, or where that is too deep, in a private one."""
    path = directory / SOCKET_FILE
    if len(os.fsencode(path)) <= _PATH_MOST:
        return path
    return Path(tempfile.mkdtemp(prefix="ttftop-")) / SOCKET_FILE


class ControlServer:
    """The host's end. `obey` takes a command and returns the answer; both are JSON objects."""

    def __init__(self, path: Path, obey: Obey) -> None:
        self.path, self._obey = path, obey
        self.viewers = 0
        self._server: asyncio.AbstractServer | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, str(self.path), limit=_LINE_MOST)
        finally:
            os.umask(before)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.close()
        with contextlib.suppress(OSError):
            self.path.unlink()
            if self.path.parent.name.startswith("ttftop-"):
                self.path.parent.rmdir()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        watching = False
        try:
            while line := await reader.readline():
                command = _object(line)
                if command is None:
                    answer: Command = {"ok": False, "error": "not a JSON object"}
                elif command.get("cmd") == "hello":
                    if command.get("viewer") and not watching:
                        watching = True
                        self.viewers += 1
                    answer = {"ok": True}
                else:
                    answer = self._obey(command)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):  # gone, or a line beyond the limit
            pass
        finally:
            self.viewers -= watching
            self._writers.discard(writer)
            writer.close()


def _object(line: bytes) -> Command | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _find(directory: Path) -> Path:
    """The socket of a session, which must be ours.

    Raises:
        ControlError: there is none.
    """
    path = directory / SOCKET_FILE
    if not path.exists():
        from sessions.store.manifest import SessionError, read

        try:
            path = Path(read(directory).host.control_socket)
        except SessionError as error:
            raise ControlError(str(error)) from error
    try:
        about = path.stat()
    except OSError:
        raise ControlError(f"{directory.name}: the run is not live (no control socket)") from None
    if not stat.S_ISSOCK(about.st_mode) or about.st_uid != os.geteuid():
        raise ControlError(f"{path}: not a control socket of yours")
    return path


class ControlClient:
    """A screen's end, on its event loop. It connects when first used, and again after a break."""

    def __init__(self, directory: Path, *, viewer: bool = True) -> None:
        self._directory, self._viewer = directory, viewer
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._lock = asyncio.Lock()

    async def send(self, command: Mapping[str, Any]) -> Command:
        """The answer: `{"ok": true, "applied_ns": ...}` or `{"ok": false, "error": "one line"}`.

        `{"cmd": "hello"}` does nothing but make this screen known as a viewer.

        Raises:
            ControlError: the run is not there, or went away before it answered.
        """
        async with self._lock:
            if self._writer is None:
                await self._connect()
            answer = await self._ask(command)
            if answer is None:
                self.close()
                raise ControlError(f"{self._directory.name}: the run has ended")
            return answer

    async def stay(self, every_s: float = 1.0) -> None:
        """Runs for ever: this screen is known as a viewer once the run is there, and again after a break."""
        while True:
            with contextlib.suppress(ControlError):
                await self.send({"cmd": "hello", "viewer": self._viewer})
            await asyncio.sleep(every_s)

    async def _connect(self) -> None:
        try:
            self._reader, self._writer = await asyncio.open_unix_connection(
                str(_find(self._directory)), limit=_LINE_MOST
            )
        except ControlError:
            raise
        except OSError as error:
            raise ControlError(f"{self._directory.name}: the run is not live ({error.strerror})") from error
        await self._ask({"cmd": "hello", "viewer": self._viewer})

    async def _ask(self, command: Mapping[str, Any]) -> Command | None:
        assert self._reader is not None
        assert self._writer is not None
        try:
            self._writer.write(json.dumps(dict(command)).encode() + b"\n")
            await self._writer.drain()
            return _object(await self._reader.readline())
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def send_once(directory: Path, command: Command, timeout_s: float = 5.0) -> Command:
    """One command from a place without an event loop.

    Raises:
        ControlError: the run is not there or does not answer.
    """
    path = _find(directory)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(timeout_s)
        try:
            link.connect(str(path))
            link.sendall(json.dumps(command).encode() + b"\n")
            with link.makefile("rb") as lines:
                answer = _object(lines.readline(_LINE_MOST))
        except OSError as error:
            raise ControlError(f"{directory.name}: the run does not answer ({error})") from error
    if answer is None:
        raise ControlError(f"{directory.name}: the run has ended")
    return answer
