"""A node's directory: what is measured there until the host has it, and files that workers there read."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from sessions.nodes.messages import READ_MOST_BYTES, Put
from sessions.store.directory import refuge

LOG_FILE = "node.log"
"""What the agent and the workers there complain of."""
MEASURED = re.compile(
    r"worker-\d{1,6}\.jsonl\.gz|requests-\d{1,6}\.jsonl\.gz|telemetry-[A-Za-z0-9._-]{1,100}\.jsonl\.gz"
    r"|node\.log|log/[A-Za-z0-9._-]{1,100}\.log"
)
"""Names of files that the host is given; nothing else in the directory is."""
_PUT = "put"


class NodeFiles:
    """Files are read by name, anew each time: one that was removed and written again has the same bytes."""

    def __init__(self, below: Path | None = None) -> None:
        """Makes the directory, for its owner alone.

        Raises:
            OSError: it cannot be made.
        """
        self.directory = Path(tempfile.mkdtemp(prefix="ttftop-node-", dir=below))
        self._elsewhere = refuge(self.directory)

    def put(self, question: Put) -> None:
        """Writes a part of a file that workers read; the same again changes nothing.

        Raises:
            ValueError: it has no plain name.
            OSError: the disk refused.
        """
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,100}", question.name):
            raise ValueError(f"no name for a file: {question.name[:40]!r}; need a plain one")
        place = self.directory / _PUT
        place.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(place / question.name, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            rest, at = memoryview(question.data), question.at
            while rest:
                written = os.pwrite(fd, rest, at)
                rest, at = rest[written:], at + written
        finally:
            os.close(fd)

    def forget_put(self) -> None:
        """No worker reads them any more; one of them may be a private key."""
        shutil.rmtree(self.directory / _PUT, ignore_errors=True)

    def behind(self, have: dict[str, int]) -> int:
        """How many bytes there are that are not had yet."""
        return sum(max(0, size - have.get(name, 0)) for name, (_, size) in self._measured().items())

    def chunks(self, have: dict[str, int]) -> tuple[list[tuple[str, int, bytes]], int]:
        """What is behind what is had, at most `READ_MOST_BYTES` in all, and how many bytes that leaves.

        Lines of the timeline come first, since a screen waits for them; then whose reader has least.
        """
        measured = self._measured()
        left, behind = READ_MOST_BYTES, 0
        found: list[tuple[str, int, bytes]] = []
        for name in sorted(
            measured, key=lambda name: (not name.startswith("worker-"), have.get(name, 0), name)
        ):
            path, size = measured[name]
            at = max(0, have.get(name, 0))
            if size <= at:
                continue
            data = _read(path, at, min(left, size - at)) if left else b""
            if data:
                found.append((name, at, data))
                left -= len(data)
            behind += size - at - len(data)
        return found, behind

    def remove(self) -> None:
        """All of it."""
        for place in (self.directory, self._elsewhere):
            shutil.rmtree(place, ignore_errors=True)
        with contextlib.suppress(OSError):  # others may have left something there
            self._elsewhere.parent.rmdir()

    def _measured(self) -> dict[str, tuple[Path, int]]:
        """Name to path and size. What a writer had to save elsewhere is read there."""
        found: dict[str, tuple[Path, int]] = {}
        for place in (self.directory, self._elsewhere):
            for below in ("", "log/"):
                try:
                    entries = list(os.scandir(place / below))
                except OSError:
                    continue
                for entry in entries:
                    name = below + entry.name
                    if not MEASURED.fullmatch(name):
                        continue
                    with contextlib.suppress(OSError):
                        size = entry.stat(follow_symlinks=False).st_size
                        if name not in found or found[name][1] < size:
                            found[name] = (Path(entry.path), size)
        return found


def _read(path: Path, at: int, most: int) -> bytes:
    """Nothing where it is gone: its writer makes it again, with the same bytes."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        return os.pread(fd, most, at)
    except OSError:
        return b""
    finally:
        os.close(fd)
