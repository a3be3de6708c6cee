"""A session's debug log: with `--debug` each process writes what it did to a file of its own under `log/`.

Modules say what they do to `logging.getLogger(__name__)`, at level `INFO` and never above: what is above is
printed by Python where nobody listens, on a terminal that may be Textual's. Without `--debug` nobody listens.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from pathlib import Path

from loadgen.clock import Clock, MonotonicClock
from loadgen.errors import printable
from loadgen.target.redaction import Redactor
from sessions.store.manifest import SessionError

DIRECTORY = "log"
PACKAGES = ("loadgen", "telemetry", "sessions", "tui")
_LINE_CAP = 2000
_CLOSE_S = 1.0
"""So long a disk that hangs holds up the end of a process."""


class DebugLog(logging.Handler):
    """Lines `SECONDS PROCESS LOGGER: TEXT`, seconds of session time, written by a thread of their own.

    What the disk refuses is lost: a log that cannot be written disturbs no run.
    """

    def __init__(self, fd: int, process: str, clock: Clock, redactor: Redactor) -> None:
        super().__init__(logging.INFO)
        self._fd, self._process, self._clock, self._redactor = fd, process, clock, redactor
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="debug log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(self._redactor.text(self.format(record)).split())
        start = f"{self._clock.now_ns() / 1e9:12.6f} {self._process} {record.name}: "
        self._lines.put(f"{start}{printable(text, _LINE_CAP)}\n".encode("utf-8", "replace"))

    def close(self) -> None:
        """Writes what is left; called when the interpreter ends."""
        self._lines.put(None)
        self._thread.join(_CLOSE_S)
        super().close()

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                os.write(self._fd, line)
            except OSError:
                pass


def open_debug_log(directory: Path, process: str, origin_ns: int, redactor: Redactor) -> None:
    """From now on this process's log lines go to `log/PROCESS.log` of the session in `directory`.

    Args:
        process: its name, unique in the session: one writer a file.
        origin_ns: `time.monotonic_ns()` at session time 0.
        redactor: hides the API key, should a line hold it.

    Raises:
        SessionError: the file cannot be made.
    """
    path = directory / DIRECTORY / f"{process}.log"
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SessionError(f"{path}: {error.strerror}") from None
    handler = DebugLog(fd, process, MonotonicClock(origin_ns), redactor)
    for package in PACKAGES:
        logger = logging.getLogger(package)
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        logger.propagate = False
