"""A disk at fault: full, of limited files, read-only, broken, torn in mid-write, slow.

`Disk` is one for the files under a directory as this process writes them; `limit_files` makes one for the files of a
process; `FULL` is the kernel's own that is always full. A directory that is removed is removed: `shutil.rmtree`.
"""

from __future__ import annotations

import errno
import os
import resource
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FULL = Path("/dev/full")
KINDS = {
    "full": errno.ENOSPC,
    "over its quota": errno.EDQUOT,
    "read-only": errno.EROFS,
    "broken": errno.EIO,
    "forgotten by its server": errno.ESTALE,
}
_CALLS = ("write", "pwrite", "fsync", "ftruncate")


class Disk:
    """What `os` does to descriptors of files under `root`; all others are as ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self._root, self._true = f"{root.resolve()}/", {name: getattr(os, name) for name in _CALLS}
        self._refused: dict[str, int] = {}
        self._whole_bytes: int | None = None
        self._goes_on = threading.Event()
        self._goes_on.set()
        self.waiting = threading.Event()
        """Set once something waits for a disk that hangs."""
        for name in _CALLS:
            monkeypatch.setattr(os, name, self._call(name))

    def refuses(self, error: int, *calls: str) -> None:
        """From now on these calls, by default all, fail with that `errno`."""
        self._refused = dict.fromkeys(calls or _CALLS, error)

    def tears(self, whole_bytes: int, error: int = errno.ENOSPC, *calls: str) -> None:
        """It takes so many bytes more, the last write of them in part, and then refuses `calls`, by default
        to write."""
        self._whole_bytes = whole_bytes
        self.refuses(error, *(calls or ("write", "pwrite")))

    def hangs(self) -> None:
        """Every call waits until the disk `takes_again`."""
        self._goes_on.clear()

    def takes_again(self) -> None:
        self._refused, self._whole_bytes = {}, None
        self._goes_on.set()

    def _call(self, name: str) -> Callable[..., Any]:
        def called(fd: int, *arguments: Any) -> Any:
            if not self._is_ours(fd):
                return self._true[name](fd, *arguments)
            if not self._goes_on.is_set():
                self.waiting.set()
                assert self._goes_on.wait(30), "the test forgot the disk"
            left = self._whole_bytes
            if left and name in ("write", "pwrite"):
                part = bytes(arguments[0])[:left]
                self._whole_bytes = left - len(part)
                return self._true[name](fd, part, *arguments[1:])
            if name in self._refused:
                raise OSError(self._refused[name], os.strerror(self._refused[name]))
            return self._true[name](fd, *arguments)

        return called

    def _is_ours(self, fd: int) -> bool:
        try:
            return str(Path(f"/proc/self/fd/{fd}").readlink()).startswith(self._root)
        except OSError:
            return False


def limit_files(pid: int, most_bytes: int | None) -> None:
    """From now on files that the process writes cannot grow beyond so many bytes; None: as far as they may."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if most_bytes is None else most_bytes, hard))
