"""Appending records to a session's files (`sessions.store.follow` reads them, also while they grow).

One writer a file. Files hold JSON lines; those named `.gz` are a row of whole gzip members, which `zcat`
reads as one. What is appended reaches the kernel in one `write` a batch, so a killed process loses at most
the batch it had not handed over, and a torn tail at worst.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec

from loadgen.records import Request
from sessions.store.gap_codec import encode_gaps
from sessions.store.lines import line_of, members

SUPERVISOR_FILE = "host.jsonl"
"""What the supervisor writes, under the name that it had once (docs/format/session.md)."""
TELEMETRY_FILE = "telemetry.jsonl.gz"
KEPT_CAP_BYTES = 64 << 20


def worker_file(worker: int) -> str:
    """Name of the timeline lines of one load worker."""
    return f"worker-{worker}.jsonl.gz"


def request_file(worker: int) -> str:
    """Name of the request lines of one load worker."""
    return f"requests-{worker}.jsonl.gz"


def timeline_paths(directory: Path) -> list[Path]:
    """All files of timeline lines that a session holds now, sorted by name."""
    found = [*directory.glob("*.jsonl"), *directory.glob("*.jsonl.gz")]
    return sorted(path for path in found if not path.name.startswith("requests-"))


def request_paths(directory: Path) -> list[Path]:
    """All files of request lines that a session holds now, sorted by name."""
    return sorted(directory.glob("requests-*.jsonl.gz"))


class AppendFile:
    """Blocks appended whole to one file, in order; what the disk refuses is kept and tried again.

    `error` is one line while the disk refuses, else None. `dropped_bytes` counts what was lost to the cap
    on what is kept. A block that was written in part is cut off again before it is retried, and the retry
    writes the same bytes: a reader that had seen the torn part reads on as if nothing had been.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error: str | None = None
        self.dropped_bytes = 0
        self._fd = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._fd).st_size
        self._torn = False
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0

    def append(self, block: bytes = b"") -> None:
        """Writes what was kept, then `block`. Disk trouble does not raise: see `error`."""
        if block:
            if self._kept_bytes + len(block) > KEPT_CAP_BYTES:
                self.dropped_bytes += len(block)
            else:
                self._kept.append(block)
                self._kept_bytes += len(block)
        if not self._kept and not self._torn:
            return
        try:
            self._cut()
            while self._kept:
                self._write_first()
        except OSError as error:
            self.error = f"{self.path}: {error.strerror}; {self._kept_bytes} bytes kept in memory"
            try:
                self._cut()
            except OSError:
                pass  # tried again before the next write
        else:
            self.error = None

    @property
    def size(self) -> int:
        """Bytes of whole blocks on the disk."""
        return self._size

    @property
    def unsaved_bytes(self) -> int:
        """Bytes handed over that are not on the disk, kept or lost."""
        return self._kept_bytes + self.dropped_bytes

    def _cut(self) -> None:
        if self._torn:
            os.ftruncate(self._fd, self._size)
            self._torn = False

    def _write_first(self) -> None:
        block = self._kept[0]
        rest = memoryview(block)
        while rest:
            written = os.write(self._fd, rest)
            self._torn = True
            rest = rest[written:]
        self._torn = False
        self._size += len(block)
        self._kept.popleft()
        self._kept_bytes -= len(block)

    def sync(self) -> None:
        """Asks the kernel to put the file on the disk; trouble is in `error`."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            self.error = f"{self.path}: {error.strerror}"

    def close(self) -> None:
        """Writes what is left, syncs, closes. Calling it again does nothing."""
        if self._fd >= 0:
            self.append()
            if self.error is None:
                self.sync()
            os.close(self._fd)
            self._fd = -1


class JournalWriter:
    """Timeline lines: each `append` is one write of whole lines, compressed where the path ends in `.gz`."""

    def __init__(self, path: Path) -> None:
        self._file = AppendFile(path)
        self._packed = path.suffix == ".gz"
        if self._file.size and not self._packed:  # an earlier writer may have left a torn line: end it
            self._file.append(b"\n")

    def append(self, records: msgspec.Struct | Sequence[msgspec.Struct]) -> None:
        """Writes one record or a batch of them. Disk trouble does not raise: see `error`."""
        batch = [records] if isinstance(records, msgspec.Struct) else records
        if batch:
            lines = map(line_of, batch)
            self._file.append(b"".join(members(lines) if self._packed else lines))

    @property
    def error(self) -> str | None:
        """One line while the disk refuses what is written, else None."""
        return self._file.error

    @property
    def unsaved_bytes(self) -> int:
        """Bytes of lines that are not on the disk."""
        return self._file.unsaved_bytes

    def sync(self) -> None:
        self._file.append()
        self._file.sync()

    def close(self) -> None:
        self._file.close()


class RequestJournalWriter:
    """Request lines, gathered by `append` and written by `flush` as gzip members.

    `append` is cheap and may run in another thread than `flush`, which compresses outside the GIL.
    """

    def __init__(self, path: Path) -> None:
        self._file = AppendFile(path)
        self._lines: deque[bytes] = deque()

    def append(self, requests: Request | Sequence[Request]) -> None:
        for request in [requests] if isinstance(requests, Request) else requests:
            gaps = encode_gaps(request.gaps_us)
            if gaps is not None:
                request = msgspec.structs.replace(request, gaps_us=[], gaps=gaps)
            self._lines.append(line_of(request))

    def flush(self) -> None:
        """Writes what was gathered; call it about every 0.5 s. Disk trouble does not raise: see `error`."""
        gathered = []
        while self._lines:
            gathered.append(self._lines.popleft())
        self._file.append(b"".join(members(gathered)))

    @property
    def error(self) -> str | None:
        """One line while the disk refuses what is written, else None."""
        return self._file.error

    @property
    def unsaved_bytes(self) -> int:
        """Bytes of lines that are not on the disk."""
        return self._file.unsaved_bytes

    def sync(self) -> None:
        self.flush()
        self._file.sync()

    def close(self) -> None:
        self.flush()
        self._file.close()
