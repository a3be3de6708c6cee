"""The run's end of the one way to tell it something: JSON lines over a Unix socket, each answered.

A connection that said `Hello(viewer=True)` counts as somebody watching for as long as it stands, so that a
killed screen is missed at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from sessions.run.commands import (
    LINE_LIMIT_BYTES,
    Answer,
    Command,
    CommandError,
    Hello,
    Refusal,
    decode_command,
)

SOCKET_FILE = "control.sock"
PRIVATE_PREFIX = "ttftop-control-"
_PATH_LIMIT_BYTES = 100
"""sun_path holds 108 bytes (unix(7)), and a session's directory may be deeper than that."""

_CLOSE_S = 0.5
"""So long a client may take to read its last answer when the run is over."""

_log = logging.getLogger(__name__)


def places(directory: Path) -> Iterator[Path]:
    """Where the socket of a session may go: in its directory, else in private ones, which this makes.

    A path may be too long for a socket, a file system may have none (CIFS, sshfs, some NFS), a disk be full.
    """
    path = directory / SOCKET_FILE
    if len(os.fsencode(path)) <= _PATH_LIMIT_BYTES:
        yield path
    # None: where temporary files go, if there is such a place.
    for parent in dict.fromkeys((os.environ.get("XDG_RUNTIME_DIR") or None, None)):
        with contextlib.suppress(OSError):
            yield Path(tempfile.mkdtemp(prefix=PRIVATE_PREFIX, dir=parent)) / SOCKET_FILE


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        if path.parent.name.startswith(PRIVATE_PREFIX):
            path.parent.rmdir()


class ControlServer:
    """`obey` takes one command at a time, in the order in which they are read, and returns the answer."""

    def __init__(self, directory: Path, obey: Callable[[Command], Answer]) -> None:
        self._directory, self._obey = directory, obey
        self.path: Path | None = None
        """Where it listens; None where there can be no socket."""
        self.viewers = 0
        """Connections of those who watch."""
        self._server: asyncio.AbstractServer | None = None
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self) -> str:
        """Listens where it can; why it cannot anywhere, or nothing."""
        why = "no directory for it"
        for path in places(self._directory):
            try:
                await self._listen(path)
            except OSError as error:
                why = f"{path}: {error.strerror or error}"
                _remove(path)
            else:
                self.path = path
                return ""
        return f"{why}; set TMPDIR to a place for one"

    async def _listen(self, path: Path) -> None:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, str(path), limit=LINE_LIMIT_BYTES)
        finally:
            os.umask(before)

    async def keep(self) -> bool:
        """Listens anew where the socket was removed; True where it had to. Connections stand."""
        if self.path is None or await asyncio.to_thread(os.path.lexists, self.path):
            return False
        if self._server is not None:
            self._server.close()
        _remove(self.path)  # what is left of a private place
        await self.start()
        return True

    async def close(self) -> None:
        """Closes every connection: who waits for an answer learns that the run is gone."""
        if self._server is not None:
            self._server.close()
        for writer in self._serving.values():
            writer.close()
        # Each ends by reading the end; one that the end of the loop has to cancel is a traceback in the log.
        for _ in range(2):
            if self._serving:
                await asyncio.wait(self._serving, timeout=_CLOSE_S)
            for writer in self._serving.values():
                writer.transport.abort()  # a client that does not read
        if self.path is not None:
            _remove(self.path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving[task] = writer
        watches = False
        try:
            while line := await reader.readline():
                answer: Answer
                command: Command | None = None
                try:
                    command = decode_command(line)
                    if isinstance(command, Hello) and command.viewer and not watches:
                        watches = True
                        self.viewers += 1
                    answer = self._obey(command)
                except CommandError as error:
                    answer = Refusal(str(error))
                if not isinstance(command, Hello):
                    _log.info("%s: %s", command or line, answer)
                writer.write(msgspec.json.encode(answer) + b"\n")
                await writer.drain()
        except (OSError, ValueError):  # gone, or a line beyond the limit
            pass
        finally:
            self.viewers -= watches
            del self._serving[task]
            writer.close()
