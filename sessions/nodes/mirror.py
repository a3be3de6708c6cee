"""What a node has measured, written into the session as if it had been measured here."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from sessions.nodes.node_files import LOG_FILE, MEASURED
from sessions.store.append_file import AppendFile
from sessions.store.journal import request_file, worker_file
from sessions.store.manifest import SessionError

SYNC_S = 1.0
MOST_LOG_BYTES = 1 << 20
"""Of a node's own complaints."""
_DEBUG_LOG = re.compile(r"log/worker-(\d+)\.log")

Chunk = tuple[str, int, bytes]


def telemetry_file(node: str) -> str:
    """Name of the telemetry lines of a node, there and here."""
    return f"telemetry-{node}.jsonl.gz"


class Mirror:
    """The files of one node. All methods may wait for the disk, and are called by one thread at a time, but
    for `take` and `close`: who waited for the one may be cancelled while its thread goes on.

    Where the disk refuses, what it has refused is kept, and nothing more is taken: it stays on the node.
    """

    def __init__(self, directory: Path, node: str, workers: Iterable[int] = ()) -> None:
        self._directory, self._node = directory, node
        self._workers = set(workers)
        self._lock = threading.Lock()
        self._closed = False
        self._files: dict[str, AppendFile] = {}
        self._changed: set[AppendFile] = set()
        self._synced_s = time.monotonic()
        self.have: dict[str, int] = {}
        """As `Read.have`."""
        self.error = ""
        """One line while the disk refuses."""
        self.taken_bytes = 0

    def expect(self, workers: Iterable[int]) -> None:
        """These workers run there: their files are taken."""
        self._workers.update(workers)

    def take(self, chunks: Sequence[Chunk]) -> bool:
        """Writes what follows on what is had; False where the disk did not take all, or it is closed."""
        with self._lock:
            return not self._closed and self._take(chunks)

    def _take(self, chunks: Sequence[Chunk]) -> bool:
        self._retry()
        whole = not self.error
        for name, at, data in chunks:
            if self.error or at != self.have.get(name, 0) or not self._is_ours(name):
                whole = whole and not self._is_ours(name)
                continue
            if name == LOG_FILE and at + len(data) > MOST_LOG_BYTES:
                self.have[name] = at + len(data)
                continue
            try:
                file = self._files.get(name) or self._open(name)
            except (OSError, SessionError) as error:
                self.error, whole = str(error), False
                continue
            file.append(data)
            self._changed.add(file)
            self.have[name] = at + len(data)
            self.taken_bytes += len(data)
            if file.error is not None:
                self.error, whole = file.error, False
        if time.monotonic() - self._synced_s >= SYNC_S:
            self.sync()
        return whole

    def take_written_again(self) -> list[str]:
        """Names of files that were removed and are there again, since this was asked last."""
        return [again for file in self._files.values() if (again := file.take_written_again())]

    def sync(self) -> None:
        for file in self._changed:
            file.sync()
        self._changed.clear()
        self._synced_s = time.monotonic()

    def close(self) -> list[str]:
        """Writes and syncs what is left; a sentence for each file that is not where it belongs."""
        with self._lock:
            self._closed = True
            for file in self._files.values():
                file.close()
            return [file.unsaved for file in self._files.values() if file.unsaved]

    def _retry(self) -> None:
        if self.error:
            for file in self._files.values():
                file.append()
            self.error = next((file.error for file in self._files.values() if file.error), "")

    def _is_ours(self, name: str) -> bool:
        """A node says what it likes: it writes no file but its own."""
        if not MEASURED.fullmatch(name):
            return False
        if name in (LOG_FILE, telemetry_file(self._node)):
            return True
        if (match := _DEBUG_LOG.fullmatch(name)) is not None:
            return int(match[1]) in self._workers
        return any(name in (worker_file(number), request_file(number)) for number in self._workers)

    def _open(self, name: str) -> AppendFile:
        path = self._directory / (f"log/node-{self._node}.log" if name == LOG_FILE else name)
        if path.parent != self._directory:
            path.parent.mkdir(mode=0o700, exist_ok=True)
        file = self._files[name] = AppendFile(path)
        return file
