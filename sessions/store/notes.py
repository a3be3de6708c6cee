"""Marks set in a session that is over, kept beside it: its own files stay as they were recorded.

`<sessions>/notes/<session id>.jsonl`, a line a mark, as a session has them. They go when their session
does (`remove_notes`). The file is untrusted as any other when it is read.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from sessions.store.line_reader import LineReader
from sessions.store.lines import line_of
from sessions.store.parse import BadLine, parse
from sessions.store.records import AnyRecord, Mark

FOLDER = "notes"
TEXT_CAP = 200
FILE_CAP_BYTES = 1 << 20
"""More marks than anybody sets; what is beyond is neither written nor read."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def notes_path(directory: Path) -> Path:
    """Where the marks beside a session stand, or would."""
    whole = directory.absolute()
    return whole.parent / FOLDER / f"{whole.name}.jsonl"


def add_note(directory: Path, t_ns: int, text: str) -> str:
    """Appends a mark at session time `t_ns`, whole or not at all, also beside another process that does.

    Why it could not, in one line; empty when it did.
    """
    path = notes_path(directory)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        folder = os.open(path.parent, _DIRECTORY)  # not a link that leads elsewhere
        try:
            fd = os.open(path.name, _APPEND, 0o600, dir_fd=folder)
        finally:
            os.close(folder)
        try:
            return _append(fd, line_of(Mark(t_ns, text[:TEXT_CAP])))
        finally:
            os.close(fd)
    except OSError as error:
        return f"the mark cannot be kept: {path}: {error.strerror}"


def _append(fd: int, line: bytes) -> str:
    about = os.fstat(fd)
    if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid():
        return "the mark cannot be kept: its file is none of yours"
    if about.st_size + len(line) > FILE_CAP_BYTES:
        return f"the mark cannot be kept: there are {FILE_CAP_BYTES >> 20} MiB of them already"
    if about.st_size and os.pread(fd, 1, about.st_size - 1) != b"\n":
        line = b"\n" + line  # somebody was cut off within a line: it ends here
    written = os.write(fd, line)
    if written != len(line):
        with contextlib.suppress(OSError):
            os.ftruncate(fd, about.st_size)
        return "the mark cannot be kept: the disk is full"
    return ""


def remove_notes(directory: Path) -> None:
    """Of a session that is removed; where there are none, nothing."""
    path = notes_path(directory)
    with contextlib.suppress(OSError):
        path.unlink()
    with contextlib.suppress(OSError):  # which is not empty, or not there
        path.parent.rmdir()


class NotesFollower(LineReader):
    """The marks beside a session, each once, as they come."""

    def __init__(self, directory: Path) -> None:
        self._path = notes_path(directory)
        super().__init__(self._path, _mark)

    def poll(self) -> list[Mark]:
        """What is new; none where the folder is a link, and no line that is no mark."""
        if self.given_up or self._path.parent.is_symlink():
            return []
        data = self._raw.read(FILE_CAP_BYTES - self._raw.offset)
        return [record for record in self.feed(data) if isinstance(record, Mark)] if data else []


def _mark(line: bytes) -> AnyRecord | None:
    record = parse(line)
    if not isinstance(record, Mark):
        raise BadLine("no mark")
    return record
