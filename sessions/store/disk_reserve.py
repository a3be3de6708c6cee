"""Room on the disk kept aside by a run, so that a full disk can still be told, and the end still written."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_WORD, _WORD_BYTES = "reserve-word", 16 << 10
_END, _END_BYTES = "reserve-end", 384 << 10
"""For the last lines and a manifest of the largest size."""


class DiskReserve:
    """Two files of a session that hold nothing but their place; none on a disk that has no room for them."""

    def __init__(self, directory: Path) -> None:
        self._word = _hold(directory / _WORD, _WORD_BYTES)
        self._end = _hold(directory / _END, _END_BYTES)

    def speak(self) -> None:
        """Frees room for a few lines, once: what is written right after this finds it."""
        _free(self._word)

    def close(self) -> None:
        """Frees all."""
        self.speak()
        _free(self._end)


def _free(path: Path) -> None:
    with contextlib.suppress(OSError):  # gone with its directory, say
        path.unlink()


def _hold(path: Path, size: int) -> Path:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        return path
    try:
        # Bytes that no file system can fold away, on those that have no fallocate too.
        os.write(fd, os.urandom(size))
    except OSError:
        pass
    finally:
        os.close(fd)
    return path
