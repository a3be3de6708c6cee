"""A session that is not whole made readable to the end: lines that are none are left out, originals kept."""

from __future__ import annotations

import os
import shutil
from itertools import count
from pathlib import Path

from sessions.store.directory import is_live
from sessions.store.follow import following
from sessions.store.journal import request_paths, timeline_paths
from sessions.store.lines import members
from sessions.store.manifest import SessionError
from sessions.store.parse import parse_packed
from sessions.store.records import AnyRecord

_KEPT = ".damaged"
"""Ends the name of an original."""


def repair(directory: Path) -> list[str]:
    """What was done, a sentence each: [] where every file was whole.

    Raises:
        SessionError: it goes on, or a file cannot be written.
    """
    if is_live(directory):
        raise SessionError(f"{directory.name}: still going on; wait for its end, or give another")
    return [
        said
        for path in (*timeline_paths(directory), *request_paths(directory))
        if (said := _mended(path)) is not None
    ]


def _mended(path: Path) -> str | None:
    lines: list[bytes] = []

    def keep(line: bytes) -> AnyRecord | None:
        record = parse_packed(line)
        lines.append(line + b"\n")  # also of a kind that a newer version writes
        return record

    follower = following(path, keep)
    while True:
        follower.poll()
        if not follower.behind:
            break
    follower.close()
    if follower.refused:
        return f"{path.name}: left as it is: {follower.refused}"
    if not (follower.torn or follower.corrupt_count):
        return None
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(_new(fresh), "wb") as file:
            file.write(b"".join(members(lines) if path.suffix == ".gz" else lines))
        original = _keep(path)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise SessionError(f"{path}: {error.strerror}") from None
    lost = follower.corrupt_count + (follower.torn_bytes > 0)
    return f"{path.name}: {len(lines):,} lines kept, {lost:,} left out; what it was is {original.name}"


def _keep(path: Path) -> Path:
    """A second name for the file as it is, or a copy where the file system has none (FAT): one that is free.

    Raises:
        OSError: the disk refused.
    """
    for number in count(1):
        original = path.with_name(f"{path.name}{_KEPT}" if number == 1 else f"{path.name}{_KEPT}-{number}")
        if os.path.lexists(original):
            continue
        try:
            os.link(path, original)
        except FileExistsError:
            continue  # another process was quicker
        except OSError:
            with path.open("rb") as whole, open(_new(original), "wb") as copy:
                shutil.copyfileobj(whole, copy)
        return original
    raise AssertionError


def _new(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
