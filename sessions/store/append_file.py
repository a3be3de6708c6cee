"""A file that is appended to for as long as a run goes on, whatever becomes of its disk and its directory."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections import deque
from pathlib import Path

from sessions.store.directory import make_again, make_refuge
from sessions.store.manifest import SessionError

KEPT_CAP_BYTES = 64 << 20
LOOK_S = 1.0
"""So often is looked whether the file is still where it was made."""
_OPEN = os.O_APPEND | os.O_CREAT | os.O_RDWR | os.O_CLOEXEC


class AppendFile:
    """Blocks appended whole to one file, in order; what the disk refuses is kept and tried again.

    `error` is one line while the disk refuses, else None. `dropped_bytes` counts what was lost to the cap
    on what is kept. A block that was written in part is cut off again before it is retried, and the retry
    writes the same bytes: a reader that had seen the torn part reads on as if nothing had been.

    A file that is removed or replaced while it is open is written again, whole, within a second of the next
    block: its descriptor still holds it. Where that cannot be, it is saved elsewhere when it is closed.
    """

    def __init__(self, path: Path) -> None:
        """Raises:
        SessionError: there can be no such file.
        """
        self.path = path
        self.error: str | None = None
        self.dropped_bytes = 0
        self._written_again = self._away = ""
        self.apart = ""
        """After `close`: which file has what the disk did not take, and why; empty when it took all."""
        try:
            self._fd = os.open(path, _OPEN, 0o600)
        except OSError as error:
            raise SessionError(f"{path}: {error.strerror}") from None
        self._looked_s = time.monotonic()
        self._size = os.fstat(self._fd).st_size
        self._torn = self._short = False
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0

    def append(self, block: bytes = b"") -> None:
        """Writes what was kept, then `block`. Disk trouble does not raise: see `error`."""
        if block:
            if self._kept_bytes + len(block) > KEPT_CAP_BYTES:
                self.dropped_bytes += len(block)
            else:
                self._kept.append(block)
                self._kept_bytes += len(block)
        due = time.monotonic() - self._looked_s >= LOOK_S
        if due:
            self.look()
        if not self._kept and not self._torn and not due:
            return
        try:
            self._cut()
            while self._kept:
                self._write_first()
        except OSError as error:
            self.error = f"{self.path}: {error.strerror}; {self._kept_bytes} bytes kept in memory"
            try:
                self._cut()
            except OSError:
                pass  # tried again before the next write
        else:
            self.error = self._away or None

    def take_written_again(self) -> str:
        """The file's name where it had to be written again since this was asked last, else empty."""
        again, self._written_again = self._written_again, ""
        return again and self.path.name

    @property
    def size(self) -> int:
        """Bytes of whole blocks on the disk."""
        return self._size

    @property
    def unsaved(self) -> str:
        """After `close`: a sentence about what is not where it belongs; empty where all is."""
        lost = self._kept_bytes + self.dropped_bytes
        why = (self.error or "cut off by somebody").partition(";")[0]
        return f"{lost} bytes of {self.path.name} were lost ({why})" if lost else self.apart

    def _cut(self) -> None:
        if self._torn:
            os.ftruncate(self._fd, self._size)
            self._torn = False

    def _write_first(self) -> None:
        block = self._kept[0]
        rest = memoryview(block)
        while rest:
            written = os.write(self._fd, rest)
            self._torn = True
            rest = rest[written:]
        self._torn = False
        self._size += len(block)
        self._kept.popleft()
        self._kept_bytes -= len(block)

    def look(self) -> None:
        """Writes the file again if it is not where it belongs; counts what somebody cut off from it."""
        self._looked_s = time.monotonic()
        try:
            mine = os.fstat(self._fd)
        except OSError:  # a server that has forgotten it (NFS)
            mine = None
        if mine is not None and stat.S_ISREG(mine.st_mode):
            short, self._short = self._short, mine.st_size < self._size
            if short and self._short:  # seen twice: a file system may be late with a size
                self.dropped_bytes += self._size - mine.st_size
                self._size, self._short = mine.st_size, False
        try:
            there = self.path.stat()
        except OSError:
            there = None
        self._away = ""
        if there is None or (mine is not None and not os.path.samestat(there, mine)):
            try:
                self._write_again(self.path)
            except OSError as error:
                self._away = f"{self.path}: removed, and cannot be made again: {error.strerror}"

    def _write_again(self, path: Path) -> None:
        make_again(path.parent)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fd = os.open(fresh, _OPEN | os.O_TRUNC, 0o600)
        try:
            copied = _copy(self._fd, fd, self._size)
            if copied < self._size and path.exists():
                raise OSError(errno.EIO, "what was written cannot be read back")
            fresh.replace(path)
        except OSError:
            os.close(fd)
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise
        os.close(self._fd)
        self._fd, self._torn, self._written_again = fd, False, str(path)
        self.dropped_bytes += self._size - copied
        self._size = copied

    def sync(self) -> None:
        """Asks the kernel to put the file on the disk; trouble is in `error`."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            self.error = f"{self.path}: {error.strerror}"

    def close(self) -> None:
        """Writes what is left, syncs, closes. Calling it again does nothing."""
        if self._fd >= 0:
            self._looked_s = -LOOK_S
            self.append()
            if self.error is not None:
                self._save_elsewhere()
            if self.error is None:
                self.sync()
            os.close(self._fd)
            self._fd = -1

    def _save_elsewhere(self) -> None:
        try:
            place = make_refuge(self.path.parent)
        except OSError:
            self._give_up()
            return
        try:
            self._write_again(place / self.path.name)
            while self._kept:
                self._write_first()
        except OSError:
            self._give_up()
            for left in (place, place.parent):
                with contextlib.suppress(OSError):  # others of the session's files may be there
                    left.rmdir()
        else:
            if self.path.parent.is_dir():  # then what is there lacks this
                why = (self.error or "").partition(";")[0]
                self.apart = f"{self._written_again} alone has all of {self.path.name} ({why})"
            self.error = None

    def _give_up(self) -> None:
        try:
            nowhere = os.fstat(self._fd).st_nlink == 0
        except OSError:
            nowhere = True
        if nowhere:
            self.dropped_bytes += self._size


def _copy(source: int, target: int, size: int) -> int:
    """Writes the first `size` bytes of one descriptor to another; how many of them could be read."""
    done = 0
    while done < size:
        try:
            data = os.pread(source, min(size - done, 1 << 20), done)
        except OSError:  # of a server that has removed the file (NFS), or a disk that is gone
            break
        if not data:
            break
        done += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(target, rest) :]
    return done
