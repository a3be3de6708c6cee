"""What a person changes of a session afterwards: its name, tags, a note; or that there is one at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from sessions.store.directory import is_live, is_named_as_session, is_session
from sessions.store.manifest import Manifest, SessionError, read, write
from sessions.store.notes import remove_notes

NOTE_CAP = 2000
"""Characters."""


def rename(directory: Path, name: str) -> None:
    """Gives it another name; its id, and so its directory, stays.

    Raises:
        SessionError: it goes on, or cannot be read or written.
    """
    with _changing(directory) as manifest:
        manifest.session.name = name


def annotate(directory: Path, note: str) -> None:
    """Puts `note` in place of the one it had; an empty one takes it away.

    Raises:
        SessionError: as `rename`.
    """
    if len(note) > NOTE_CAP:
        raise SessionError(f"a note of {len(note):,} characters, allowed are {NOTE_CAP:,}")
    with _changing(directory) as manifest:
        manifest.session.note = note


def tag(directory: Path, tags: Sequence[str]) -> list[str]:
    """Adds `name=value` each, in place of one of that name; an empty value takes it away.

    Returns all that it has then.

    Raises:
        SessionError: as `rename`.
    """
    with _changing(directory) as manifest:
        known: dict[str, str] = {}
        for each in (*manifest.config.tags, *tags):
            key, _, value = each.partition("=")
            known[key] = value
        kept = [f"{key}={value}" for key, value in known.items() if value]
        manifest.config = msgspec.structs.replace(manifest.config, tags=kept)
    return kept


def remove(directory: Path) -> None:
    """Removes it with all its files, and the marks beside it.

    Raises:
        SessionError: it goes on, is a link, is no session, or a file cannot be removed.
    """
    directory = directory.absolute()  # it may be the working directory, or around it, which is gone then
    if directory.is_symlink():
        raise SessionError(f"{directory}: a link, which is not followed")
    if is_live(directory):
        raise SessionError(f"{directory.name}: still going on")
    if not is_session(directory) or (unreadable(directory) and not is_named_as_session(directory)):
        raise SessionError(f"{directory}: no session")
    try:
        shutil.rmtree(directory)
    except OSError as error:
        raise SessionError(f"{error.filename or directory}: {error.strerror}") from None
    remove_notes(directory)


def unreadable(directory: Path) -> str:
    """Why its manifest cannot be read, in one line; empty where it can."""
    try:
        read(directory)
    except SessionError as error:
        return str(error)
    return ""


@contextmanager
def _changing(directory: Path) -> Iterator[Manifest]:
    """Its manifest, written after the block. Who changes it meanwhile waits, and finds this change."""
    with _alone(directory):
        if is_live(directory):
            raise SessionError(
                f"{directory.name}: still going on, and its supervisor writes what it is called"
            )
        manifest = read(directory)
        yield manifest
        write(directory, manifest)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """A lock of the directory itself, where the file system has locks: that of its file says that a run is
    live."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # `read` says what is wrong with it
        yield
        return
    try:
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
