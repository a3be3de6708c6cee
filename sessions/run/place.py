"""The directory of a live run: seen to be there, and made again where somebody removed or moved it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from sessions.run.control_server import ControlServer
from sessions.store.directory import LOCK_FILE, hold_lock, make_again
from sessions.store.manifest import FILE, Manifest, SessionError, write

LOOK_S = 1.0
_QUIET_LOOKS = 3
"""After the directory was made again its files are not told of: each writer takes a second for its own."""

Tell = Callable[[str, str], None]
"""A level (`sessions.store.records.Note`) and a sentence."""


class SessionPlace:
    """Holds the session's lock, by which it knows the directory from another one of that name.

    Each writer of a file sees to its own (`sessions.store.append_file`); this sees to the rest.
    """

    def __init__(self, directory: Path, lock: int) -> None:
        """`lock`: the descriptor that `hold_lock` gave; closed with this."""
        self._directory, self._lock = directory, lock
        self.trouble = ""
        """Why the directory is not there; empty while it is."""
        self._files: set[str] = set()

    def written_again(self, file: str) -> None:
        """A writer had to write its file again; an empty name is none."""
        if file:
            self._files.add(file)

    def look(self, manifest: Manifest) -> bool:
        """Makes again what is missing; True where the directory or its lock was. See `trouble`, too."""
        again = not self._is_there()
        try:
            if again:
                make_again(self._directory)
                lock = hold_lock(self._directory)
                os.close(self._lock)
                self._lock = lock
            if not os.path.lexists(self._directory / FILE):
                write(self._directory, manifest)
        except (OSError, SessionError) as error:
            self.trouble = getattr(error, "strerror", None) or str(error)
            return False
        self.trouble = ""
        return again

    async def keep(
        self, manifest: Manifest, control: ControlServer, look: Callable[[], None], tell: Tell
    ) -> None:
        """Looks for ever: a session that is removed or moved is there again within a second, and told.

        `look` sees to what our own process writes, before anything is told.
        """
        missing, quiet = "", 0
        while True:
            again = await asyncio.to_thread(self.look, manifest)  # a disk that hangs must not hold up the run
            look()
            if again:
                tell("warning", f"session removed or moved: written again, whole, in {self._directory}")
                quiet = _QUIET_LOOKS
            elif self.trouble != missing and self.trouble:
                gone = f"session removed, and cannot be made again ({self.trouble})"
                tell("error", f"{gone}: kept, and saved elsewhere at the end; it was in {self._directory}")
            missing = self.trouble
            if not missing and await control.keep():
                manifest.host.control_socket = str(control.path or "")
                with contextlib.suppress(SessionError):
                    await asyncio.to_thread(write, self._directory, manifest)
            if self._files and not quiet:
                tell(
                    "warning",
                    f"removed while the run writes it, and written again: {', '.join(sorted(self._files))}",
                )
            quiet = max(0, quiet - 1)
            self._files.clear()
            await asyncio.sleep(LOOK_S)

    def _is_there(self) -> bool:
        try:
            return os.path.samestat((self._directory / LOCK_FILE).lstat(), os.fstat(self._lock))
        except OSError:
            return False

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._lock)
