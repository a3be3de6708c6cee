"""A result file of another tool, read whole within bounds, and values taken from it whatever they are.

Such a file may come from anybody: it may be huge, deep, no JSON, or hold a text where a number should be.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from loadgen.errors import printable
from sessions.interchange.keys_in_files import hide, keys_in, keys_in_yaml

NEED = "need what one of the tools wrote (see ttftop import --help)"
MOST_BYTES = 256 << 20
"""Of one file; as Python's values it takes about ten times as much memory."""
MOST_FILES, MOST_DEPTH = 2000, 5
"""Of a directory that is looked through."""
MOST_SECONDS = 1e10
"""A time beyond it is none: unix seconds are well below."""
SETTINGS = ("profile_export_aiperf.json", "benchmark_args.json", "experiment_metadata.json", "config.yaml")
"""Files of tools that tell how they were called."""
SQLITE = b"SQLite format 3\0"


class ImportFailed(Exception):
    """One line: which file, and why nothing can be made of it."""


Told = dict[Path, set[str]]
"""The keys that each file of settings tells: many results lie beside the same ones, which are read once."""


class Document(NamedTuple):
    """A file's JSON values: one, or one a line."""

    path: Path
    values: list[Any]
    is_sqlite: bool = False
    told: Told | None = None
    """Kept for the files beside it."""

    @property
    def first(self) -> dict[str, Any]:
        """The first value where it is an object, else an empty one."""
        return table(self.values[0]) if self.values else {}


def read_document(path: Path, told: Told | None = None) -> Document:
    """The values in `path`: JSON, or JSON lines, with the `Infinity` and `NaN` that Python's writers put in.
    API keys that it tells, or the tool's settings beside it, are hidden in them. What settings tell is
    remembered in `told`.

    Raises:
        ImportFailed: it cannot be read, is too large, or is neither.
    """
    told = {} if told is None else told
    document = _read(path)._replace(told=told)
    own = keys_in(document.values)
    if path.name in SETTINGS and not path.is_symlink():
        told[path] = own
    keys = own.union(*(_told_by(place, told) for place in map(path.with_name, SETTINGS)))
    if keys:
        hide(document.values, keys)
    return document


def _told_by(settings: Path, told: Told) -> set[str]:
    if settings not in told:
        told[settings] = set()
        if not settings.is_symlink() and settings.is_file():
            with contextlib.suppress(ImportFailed):
                if settings.suffix == ".json":
                    told[settings] = keys_in(_read(settings).values)
                else:
                    told[settings] = keys_in_yaml(_bytes(settings).decode("utf-8", "replace"))
    return told[settings]


def _read(path: Path) -> Document:
    data = _bytes(path)
    if data.startswith(SQLITE):
        return Document(path, [], is_sqlite=True)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ImportFailed(f"{name_of(path)}: neither JSON nor JSON lines (not UTF-8); {NEED}") from None
    try:
        return Document(path, [json.loads(text)])
    except RecursionError:
        raise ImportFailed(f"{name_of(path)}: JSON nested too deep; {NEED}") from None
    except ValueError:
        pass
    values = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            values.append(json.loads(line))
        except (ValueError, RecursionError):
            said = f"line {number} is none" if values else "nor JSON lines"
            raise ImportFailed(f"{name_of(path)}: neither JSON {said}; {NEED}") from None
    return Document(path, values)


def read_beside(document: Document, name: str) -> Document:
    """The same of the file of that name beside it, which may be missing: empty then, and where it is a link.

    Raises:
        ImportFailed: it is there, and cannot be read or is no JSON.
    """
    path = document.path.with_name(name)
    if path.is_symlink() or not path.is_file():
        return Document(path, [])
    return read_document(path, document.told)


def known_beside(document: Document, name: str) -> dict[str, Any]:
    """Its first object; an empty one also where it cannot be read: what only adds to a result spoils none."""
    try:
        return read_beside(document, name).first
    except ImportFailed:
        return {}


def files_below(directory: Path) -> Iterator[Path]:
    """Regular files below it, by name; no link is followed.

    Raises:
        ImportFailed: there are too many of them, or it cannot be listed.
    """
    waiting, seen = [(directory, 0)], 0
    while waiting:
        place, depth = waiting.pop()
        try:
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError as error:
            raise ImportFailed(f"{name_of(place)}: {error.strerror}") from None
        seen += len(entries)
        if seen > MOST_FILES:
            raise ImportFailed(
                f"{name_of(directory)}: more than {MOST_FILES} files; give the ones that are meant"
            )
        deeper = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
        if depth < MOST_DEPTH:
            waiting += [(path, depth + 1) for path in reversed(deeper)]
        yield from (Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False))


def _bytes(path: Path) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise ImportFailed(f"{name_of(path)}: {getattr(error, 'strerror', None) or 'no path'}") from None
    with open(fd, "rb") as file:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode):
            raise ImportFailed(f"{name_of(path)}: not a regular file; {NEED}")
        try:
            data = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise ImportFailed(f"{name_of(path)}: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise ImportFailed(f"{name_of(path)}: larger than {MOST_BYTES >> 20} MiB; need one run a file")
    return data


def name_of(path: Path) -> str:
    return printable(str(path), 200)


def table(value: Any) -> dict[str, Any]:
    """`value` where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: Any) -> list[Any]:
    """`value` where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def number(value: Any) -> float | None:
    """A finite number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def numbers(value: Any) -> list[float]:
    """The finite numbers of a list."""
    return [known for one in rows(value) if (known := number(one)) is not None]


def whole(value: Any) -> int | None:
    """A number of 0 or more, such as of tokens; None for anything else."""
    known = number(value)
    return int(known) if known is not None and 0 <= known < 2**31 else None


def text(value: Any, most: int = 200) -> str:
    """A text, in one line that no terminal interprets; empty for anything else."""
    return printable(value, most) if isinstance(value, str) else ""


def nanoseconds(seconds: float | None) -> int | None:
    """None where it is none, or no time that can be meant."""
    return round(seconds * 1e9) if seconds is not None and abs(seconds) < MOST_SECONDS else None
