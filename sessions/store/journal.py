"""Appending records to a session's files (`sessions.store.follow` reads them, also while they grow).

One writer a file. Files hold JSON lines; those named `.gz` are a row of whole gzip members, which `zcat`
reads as one. What is appended reaches the kernel in one `write` a batch, so a killed process loses at most
the batch it had not handed over, and a torn tail at worst.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec

from loadgen.records import Request
from sessions.store.append_file import AppendFile
from sessions.store.gap_codec import encode_gaps
from sessions.store.lines import line_of, members

SUPERVISOR_FILE = "host.jsonl"
"""What the supervisor writes, under the name that it had once (docs/format/session.md)."""
TELEMETRY_FILE = "telemetry.jsonl.gz"


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
    def unsaved(self) -> str:
        """As `AppendFile.unsaved`."""
        return self._file.unsaved

    def take_written_again(self) -> str:
        """As `AppendFile.take_written_again`."""
        return self._file.take_written_again()

    def look(self) -> None:
        """As `AppendFile.look`, for a journal that may have nothing to append for long."""
        self._file.look()

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
    def unsaved(self) -> str:
        """As `AppendFile.unsaved`."""
        return self._file.unsaved

    def take_written_again(self) -> str:
        """As `AppendFile.take_written_again`."""
        return self._file.take_written_again()

    def sync(self) -> None:
        self.flush()
        self._file.sync()

    def close(self) -> None:
        self.flush()
        self._file.close()
