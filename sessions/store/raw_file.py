"""The bytes of a file of a session that somebody may still be appending to."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

FILE_CAP_BYTES = 2 << 30


class RawFile:
    """New bytes of a file that may not exist yet; a regular file, or nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self._fd = -1
        self.refused = ""
        """Why the file, which is there, cannot be read; empty when it can."""

    def read(self, most: int) -> bytes:
        if self._fd < 0:
            try:
                # A FIFO planted in a session must not hang whoever opens it, nor a link lead out of it.
                fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
            except OSError as error:
                self.refused = "" if error.errno == errno.ENOENT else error.strerror or str(error)
                return b""
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                os.close(fd)
                self.refused = "not a regular file"
                return b""
            self._fd, self.refused = fd, ""
        try:
            data = os.pread(self._fd, min(most, max(0, FILE_CAP_BYTES - self.offset)), self.offset)
        except OSError as error:
            self.refused = error.strerror or str(error)
            return b""
        if not data:
            self._look()
        self.offset += len(data)
        return data

    def read_share(self, left: int) -> float:
        """How much of the file as it is now was used, 0 to 1: what was read but for `left` bytes."""
        try:
            size = os.fstat(self._fd).st_size if self._fd >= 0 else self.path.lstat().st_size
        except OSError:
            return 1.0
        return min((self.offset - left) / size, 1.0) if size else 1.0

    def _look(self) -> None:
        """A writer whose file was removed writes it again, whole: it is read on there."""
        try:
            moved = not os.path.samestat(self.path.lstat(), os.fstat(self._fd))
        except OSError:  # removed: what is open is all there is
            return
        if moved:
            self.close()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()  # whoever reads no further because of an error: nobody else knows the descriptor
