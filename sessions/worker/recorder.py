"""Writes a worker's records from a thread, so that the load never waits for a disk."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from loadgen.records import Request
from sessions.own_process import CannotStart
from sessions.store.journal import JournalWriter, RequestJournalWriter, request_file, worker_file

_FLUSH_S = 0.25


class Recorder:
    """`emit` takes records in the load's thread and returns at once; a thread of its own writes them.

    Lines of the timeline are written as they come, request lines as one compressed block four times a
    second; all is synced once a second. `on_trouble` is called, in that thread, once with a line when the
    disk refuses and once with an empty one when it takes again; `on_written_again` with the name of a file
    that was removed and is there again.
    """

    def __init__(
        self,
        directory: Path,
        worker: int,
        on_trouble: Callable[[str], None],
        on_written_again: Callable[[str], None] = lambda path: None,
    ) -> None:
        self._timeline = JournalWriter(directory / worker_file(worker))
        self._requests = RequestJournalWriter(directory / request_file(worker))
        self._on_trouble, self._trouble = on_trouble, ""
        self._on_written_again = on_written_again
        self._queue: queue.SimpleQueue[msgspec.Struct | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            raise CannotStart from None

    def emit(self, record: msgspec.Struct) -> None:
        if isinstance(record, Request):
            self._requests.append(record)
        else:
            self._queue.put(record)

    def close(self, timeout_s: float = 4.0) -> str:
        """Writes and syncs what is left, waiting no longer than `timeout_s` for a disk that hangs.

        Returns one line about what could not be saved; an empty one when all was.
        """
        self._queue.put(None)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return f"the disk did not answer for {timeout_s:g} s"
        return "; ".join(filter(None, (self._timeline.unsaved, self._requests.unsaved)))

    def _write(self) -> None:
        rounds = 0
        ended = False
        while not ended:
            batch: list[msgspec.Struct] = []
            try:
                record = self._queue.get(timeout=_FLUSH_S)
                while True:
                    if record is None:
                        ended = True
                        break
                    batch.append(record)
                    record = self._queue.get_nowait()
            except queue.Empty:
                pass
            self._timeline.append(batch)
            self._requests.flush()
            rounds += 1
            if rounds % 4 == 0:
                self._timeline.sync()
                self._requests.sync()
            self._tell()
        self._timeline.close()
        self._requests.close()
        self._tell()

    def _tell(self) -> None:
        for journal in (self._timeline, self._requests):
            if again := journal.take_written_again():
                self._on_written_again(again)
        trouble = self._timeline.error or self._requests.error or ""
        news = bool(trouble) != bool(self._trouble)
        self._trouble = trouble  # how much is kept grows all the time
        if news:
            self._on_trouble(trouble)
