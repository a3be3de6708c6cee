"""The cache beside a session that is over: its timeline as columns, so that it opens at once.

The session's lines stay the truth. A cache is believed where it was made by this version, from exactly these
bytes: each source is there with its size and its digest. Else it is none, and the lines are read.
"""

from __future__ import annotations

import contextlib
import os
import stat
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec

from loadgen.version import VERSION
from sessions.store.journal import timeline_paths
from sessions.store.private_file import NotWritten, write_private
from sessions.store.records import AnyRecord
from sessions.timeline.kept import RARE_CAP, NotKept, kept_bytes, rare, timeline_of
from sessions.timeline.timeline import Timeline

FILE = "timeline.cache"
FOLD = 2
"""Of the rules by which records become columns: another one where they change within a version."""
LEAST_BYTES = 1 << 20
"""Of sources; less is read as fast as a cache would be."""
_MAGIC = b"ttftop-cache 1\n"
_HEAD_CAP, _FILE_CAP = 1 << 20, 1 << 29
_SOURCES_CAP = 64


class _Source(NamedTuple):
    name: str
    size: int
    digest: bytes


class _About(msgspec.Struct):
    version: str
    fold: int
    sources: list[_Source]
    digest: bytes
    """Of what follows."""


_decode = msgspec.msgpack.Decoder(_About).decode


class Opened(NamedTuple):
    """A timeline that need not be read."""

    timeline: Timeline
    sizes: dict[str, int]
    """Bytes of each file that it holds all of."""


def opened(directory: Path) -> Opened | None:
    """The timeline of a session that is over, from its cache; None where it has none that can be believed."""
    data = _read(directory / FILE, _FILE_CAP)
    if data is None or not data.startswith(_MAGIC):
        return None
    at = len(_MAGIC) + 4
    told = int.from_bytes(data[len(_MAGIC) : at], "little")
    if told > _HEAD_CAP:
        return None
    try:
        about = _decode(data[at : at + told])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    body = data[at + told :]
    if (about.version, about.fold) != (VERSION, FOLD) or len(about.sources) > _SOURCES_CAP:
        return None
    sizes = {source.name: source.size for source in about.sources}
    if _sizes(directory) != sizes or _digest(body) != about.digest:
        return None
    if _sources(directory, sizes) != about.sources:
        return None
    try:
        return Opened(timeline_of(body), sizes)
    except NotKept:
        return None


class Keeper:
    """Writes a cache of what was read, once all of it was."""

    def __init__(self) -> None:
        self._rare: list[AnyRecord] | None = []

    def note(self, record: AnyRecord) -> None:
        """A record was read."""
        if self._rare is None or (kept := rare(record)) is None:
            return
        self._rare.append(kept)
        if len(self._rare) > RARE_CAP:
            self._rare = None

    def keep(self, directory: Path, timeline: Timeline, sizes: dict[str, int]) -> None:
        """Writes it, of a session that is over, where that is worth it and can be done.

        Args:
            sizes: so many bytes of each file were read.
        """
        if self._rare is None or sum(sizes.values()) < LEAST_BYTES or len(sizes) > _SOURCES_CAP:
            return
        if _sizes(directory) != sizes or (sources := _sources(directory, sizes)) is None:
            return
        body = kept_bytes(timeline, self._rare)
        about = msgspec.msgpack.encode(_About(VERSION, FOLD, sources, _digest(body)))
        head = _MAGIC + len(about).to_bytes(4, "little") + about
        if len(head) + len(body) <= _FILE_CAP:
            with contextlib.suppress(NotWritten):  # a directory that takes none has none
                write_private(directory / FILE, head + body)


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


def _sizes(directory: Path) -> dict[str, int] | None:
    """Of all files with lines of the timeline; None where one cannot be asked."""
    try:
        return {path.name: path.lstat().st_size for path in timeline_paths(directory)}
    except OSError:
        return None


def _sources(directory: Path, sizes: dict[str, int]) -> list[_Source] | None:
    found = []
    for name, size in sorted(sizes.items()):
        data = _read(directory / name, size)
        if data is None or len(data) != size:
            return None
        found.append(_Source(name, size, _digest(data)))
    return found


def _read(path: Path, most: int) -> bytes | None:
    """All of a regular file; None where it is none, or of more bytes."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except (OSError, ValueError):
        return None
    with open(fd, "rb") as file:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode) or about.st_size > most:
            return None
        try:
            return file.read(about.st_size)
        except OSError:
            return None
