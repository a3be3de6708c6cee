"""A file made for a person, for that person alone: mode 0600, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path


class NotWritten(Exception):
    """One line: which file, and why it could not be written. `full`: for want of room."""

    def __init__(self, message: str, number: int | None = None) -> None:
        super().__init__(message)
        self.full = number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_private(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Puts `data`, whole or in pieces, in place of what `path` was, which may be a file, and nothing else.

    Raises:
        NotWritten: it is something else, or the disk refused.
    """
    fresh = path.with_name(f".{path.name[:100]}.{os.getpid()}.part")
    try:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(path.lstat().st_mode):
                raise NotWritten(f"{path}: there is something else than a file; need another name")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with open(fd, "wb") as file:
                file.writelines([data] if isinstance(data, bytes) else data)
            fresh.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise
    except (OSError, ValueError) as error:
        raise NotWritten(
            f"{path}: {getattr(error, 'strerror', None) or 'no path'}", getattr(error, "errno", None)
        ) from None


def make_private_directory(path: Path) -> None:
    """A new directory of mode 0700, or one that is there.

    Raises:
        NotWritten: it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except (OSError, ValueError) as error:
        raise NotWritten(
            f"{path}: {getattr(error, 'strerror', None) or 'no path'}", getattr(error, "errno", None)
        ) from None
