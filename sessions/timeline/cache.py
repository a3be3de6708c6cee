"""The cache beside a session that is over: its timeline as columns, so that it opens at once.

The session's lines stay the truth. A cache is believed where it was made by this version, from exactly these
bytes: each source is there with its size and its digest. Else it is none, and the lines are read.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from loadgen.version import VERSION
from sessions.store.journal import timeline_paths
from sessions.store.private_file import NotWritten, write_private
from sessions.store.records import AnyRecord
from sessions.timeline import paged
from sessions.timeline.kept import RARE_CAP, NotKept, keep, rare, timeline_of
from sessions.timeline.timeline import Timeline

FILE = "timeline.cache"
FOLD = 3
"""Of the rules by which records become columns: another one where they change within a version."""
LEAST_BYTES = 1 << 20
"""Of sources; less is read as fast as a cache would be."""
_MAGIC = b"ttftop-cache 1\n"
_HEAD_CAP, _FILE_CAP = 1 << 20, 1 << 29
_SOURCES_CAP = 64
_PIECE = 1 << 20


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
    file = _opened(directory / FILE)
    if file is None:
        return None
    with file:
        try:
            return _believed(file, directory)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, NotKept, OSError):
            return None


def _believed(file: BinaryIO, directory: Path) -> Opened | None:
    if os.fstat(file.fileno()).st_size > _FILE_CAP or file.read(len(_MAGIC)) != _MAGIC:
        return None
    told = int.from_bytes(file.read(4), "little")
    if told > _HEAD_CAP:
        return None
    about = _decode(file.read(told))
    if (about.version, about.fold) != (VERSION, FOLD) or len(about.sources) > _SOURCES_CAP:
        return None
    sizes, body = {source.name: source.size for source in about.sources}, file.tell()
    if _sizes(directory) != sizes or _digest(pieces(file)) != about.digest:
        return None
    if _sources(directory, sizes) != about.sources:
        return None
    file.seek(body)
    return Opened(timeline_of(file), sizes)


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
        none = contextlib.suppress(NotWritten, OSError)  # a directory that takes none has none
        with none, tempfile.TemporaryFile(dir=paged.place()) as columns:
            head = keep(timeline, self._rare, columns)
            columns.seek(0)
            digest = _digest(chain([head], pieces(columns)))
            about = msgspec.msgpack.encode(_About(VERSION, FOLD, sources, digest))
            head = _MAGIC + len(about).to_bytes(4, "little") + about + head
            if len(head) + columns.tell() <= _FILE_CAP:
                columns.seek(0)
                write_private(directory / FILE, chain([head], pieces(columns)))


def pieces(file: BinaryIO, most: int = 1 << 62) -> Iterator[bytes]:
    """What is left of a file, `most` bytes of it, in pieces of a size that memory hardly feels."""
    while most > 0 and (piece := file.read(min(most, _PIECE))):
        most -= len(piece)
        yield piece


def _digest(data: Iterable[bytes]) -> bytes:
    digest = blake2b(digest_size=16)
    for piece in data:
        digest.update(piece)
    return digest.digest()


def _sizes(directory: Path) -> dict[str, int] | None:
    """Of all files with lines of the timeline; None where one cannot be asked."""
    try:
        return {path.name: path.lstat().st_size for path in timeline_paths(directory)}
    except OSError:
        return None


def _sources(directory: Path, sizes: dict[str, int]) -> list[_Source] | None:
    found = []
    for name, size in sorted(sizes.items()):
        file = _opened(directory / name)
        if file is None:
            return None
        with file:
            try:
                found.append(_Source(name, size, _digest(pieces(file, size))))
                if file.tell() != size:
                    return None
            except OSError:
                return None
    return found


def _opened(path: Path) -> BinaryIO | None:
    """A regular file; None where it is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except (OSError, ValueError):
        return None
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return open(fd, "rb")  # whoever asked closes it
    os.close(fd)
    return None
