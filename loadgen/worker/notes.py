"""What a worker wants known, as records: of itself, or of one of its targets."""

from __future__ import annotations

import logging
from collections.abc import Callable

from loadgen.clock import Clock
from loadgen.records import WorkerNote
from loadgen.worker_config import WorkerConfig

_log = logging.getLogger(__name__)


class Notes:
    def __init__(self, config: WorkerConfig, clock: Clock, emit: Callable[[WorkerNote], None]) -> None:
        self._worker, self._clock, self._emit = config.worker, clock, emit
        self._names = [target.name for target in config.targets]

    def note(self, event: str, message: str = "", target: int | None = None) -> None:
        _log.info("%s %s", event, message)
        self._emit(WorkerNote(self._clock.now_ns(), self._worker, event, message, target))

    def note_of(self, target: int, event: str, message: str) -> None:
        """Of one target: it is named where there are several."""
        if not self._names:
            self.note(event, message)
            return
        name = self._names[target]
        self.note(event, f"{name}: {message}" if message else name, target)
