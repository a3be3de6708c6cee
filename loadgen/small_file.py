"""A small file that a person named: read whole, without ever hanging or filling the memory. All of them are.

A name can lead to a pipe that nobody writes to, to `/dev/zero`, to a directory or to a disk image.
"""

from __future__ import annotations

import os
import select
import stat
from typing import NamedTuple

from loadgen.clock import monotonic_ns

PIPE_DEADLINE_S = 10.0
_PIECE = 1 << 16


class FileError(Exception):
    """It cannot be read: a phrase without its name, which may be a secret by mistake.

    `number` is the errno, or 0.
    """

    def __init__(self, message: str, number: int = 0) -> None:
        super().__init__(message)
        self.number = number


class SmallFile(NamedTuple):
    data: bytes
    readable_by_others: bool


def read_small(path: str | os.PathLike[str], most_bytes: int, *, or_pipe: bool = False) -> SmallFile:
    """All of a regular file, or, with `or_pipe`, of a pipe that is closed in time, as `<(pass show key)` is.

    Raises:
        FileError: it is something else, larger than `most_bytes`, or cannot be read.
    """
    try:
        # Without O_NONBLOCK a named pipe that nobody writes to would hang here.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise FileError(f"cannot read it: {error.strerror}", error.errno or 0) from None
    except ValueError:
        raise FileError("it is no path") from None
    try:
        mode = os.fstat(descriptor).st_mode
        pipe = or_pipe and stat.S_ISFIFO(mode)
        if not stat.S_ISREG(mode) and not pipe:
            raise FileError("it is neither a file nor a pipe" if or_pipe else "it is no regular file")
        data = _read(descriptor, most_bytes, pipe)
        return SmallFile(data, stat.S_ISREG(mode) and bool(mode & 0o077))
    except OSError as error:
        raise FileError(f"cannot read it: {error.strerror}", error.errno or 0) from None
    finally:
        os.close(descriptor)


def _read(descriptor: int, most_bytes: int, pipe: bool) -> bytes:
    deadline_ns = monotonic_ns() + int(PIPE_DEADLINE_S * 1e9)
    data = b""
    while True:
        if (
            pipe
            and not select.select([descriptor], [], [], max(0.0, (deadline_ns - monotonic_ns()) / 1e9))[0]
        ):
            came = "its end did not come" if data else "nothing came"
            raise FileError(f"{came} through the pipe in {PIPE_DEADLINE_S:g} s")
        piece = os.read(descriptor, _PIECE)
        if not piece:
            return data
        data += piece
        if len(data) > most_bytes:
            raise FileError(f"it is larger than {most_bytes >> 10} KiB")
