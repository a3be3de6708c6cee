"""A small file that a person named: read whole, without ever hanging or filling the memory. All of them are.

A name can lead to a pipe that nobody writes to, to `/dev/zero`, to a directory or to a disk image.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import NamedTuple

from loadgen.clock import monotonic_ns
from loadgen.readable import readable

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


def opened(path: str | os.PathLike[str]) -> int:
    """A descriptor of it, whatever it is, to be read.

    Raises:
        FileError: it cannot be opened.
    """
    try:
        # Without O_NONBLOCK a named pipe that nobody writes to would hang here.
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise FileError(f"cannot read it: {error.strerror}", error.errno or 0) from None
    except ValueError:
        raise FileError("it is no path") from None


def read_small(path: str | os.PathLike[str], most_bytes: int, *, or_pipe: bool = False) -> SmallFile:
    """All of a regular file, or, with `or_pipe`, of a pipe that is closed in time, as `<(pass show key)` is.

    Raises:
        FileError: it is something else, larger than `most_bytes`, or cannot be read.
    """
    descriptor = opened(path)
    try:
        mode = os.fstat(descriptor).st_mode
        pipe = or_pipe and stat.S_ISFIFO(mode)
        if not stat.S_ISREG(mode) and not pipe:
            raise FileError("it is neither a file nor a pipe" if or_pipe else "it is no regular file")
        size = os.fstat(descriptor).st_size
        if size > most_bytes:
            raise FileError(_too_large(most_bytes))
        # A large one in one piece: of many, two copies would be held at once.
        data = _read(descriptor, most_bytes, pipe, max(_PIECE, size + 1))
        return SmallFile(data, stat.S_ISREG(mode) and bool(mode & 0o077))
    except OSError as error:
        raise FileError(f"cannot read it: {error.strerror}", error.errno or 0) from None
    finally:
        os.close(descriptor)


def check_small(path: str | os.PathLike[str], most_bytes: int) -> None:
    """Returns where `read_small` would begin to read a regular file: nothing of it is read.

    Raises:
        FileError: as `read_small`.
    """
    try:
        found = Path(path).stat()
        if not stat.S_ISREG(found.st_mode):
            raise FileError("it is no regular file")
        if found.st_size > most_bytes:
            raise FileError(_too_large(most_bytes))
        if not os.access(path, os.R_OK):
            raise FileError("cannot read it: Permission denied", errno.EACCES)
    except OSError as error:
        raise FileError(f"cannot read it: {error.strerror}", error.errno or 0) from None
    except ValueError:
        raise FileError("it is no path") from None


def _read(descriptor: int, most_bytes: int, pipe: bool, piece_bytes: int) -> bytes:
    deadline_ns = monotonic_ns() + int(PIPE_DEADLINE_S * 1e9)
    pieces: list[bytes] = []
    size = 0
    while True:
        if pipe and not readable(descriptor, (deadline_ns - monotonic_ns()) / 1e9):
            came = "its end did not come" if pieces else "nothing came"
            raise FileError(f"{came} through the pipe in {PIPE_DEADLINE_S:g} s")
        piece = os.read(descriptor, piece_bytes)
        if not piece:
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.append(piece)
        size += len(piece)
        if size > most_bytes:
            raise FileError(_too_large(most_bytes))


def _too_large(most_bytes: int) -> str:
    shift = 30 if most_bytes >= 1 << 30 else 20 if most_bytes >= 1 << 20 else 10
    return f"it is larger than {most_bytes >> shift} {'KMG'[shift // 10 - 1]}iB"
