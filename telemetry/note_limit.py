"""Sentences that a source says again and again: told at first, then seldom, the last one always."""

from __future__ import annotations

import re

from telemetry.records import SourceNote, TelemetryRecord

TOLD_AT_ONCE = 5
AGAIN_NS = 60_000_000_000
SELDOM = "; said again and again, so once a minute from now on"
_FRACTION = re.compile(r"\d+\.\d+")
_MOST_TEXTS = 1000


class NoteLimit:
    """For one source. Things that differ are never held back: eight GPUs may be lost at once."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[int, int]] = {}
        """For each sentence how often it was told of late, and when last."""
        self._held: SourceNote | None = None

    def through(self, records: list[TelemetryRecord], now_ns: int) -> list[TelemetryRecord]:
        """`records` without notes that have been told too often; one held for a minute comes late."""
        passed: list[TelemetryRecord] = []
        if self._held is not None and now_ns - self._held.t_ns >= AGAIN_NS:
            passed += self.rest()
        for record in records:
            if isinstance(record, SourceNote):
                if not self._may_be_told(record):
                    self._held = record
                    continue
                self._held = None
            passed.append(record)
        return passed

    def rest(self) -> list[TelemetryRecord]:
        """The source's last word, where it was held back: to be asked at the end."""
        held, self._held = self._held, None
        return [] if held is None else [held]

    def _may_be_told(self, note: SourceNote) -> bool:
        text = f"{note.source} {_FRACTION.sub('#', note.message)}"
        times, last_ns = self._told.get(text, (0, note.t_ns))
        # Each minute of quiet wipes one telling out.
        times = max(0, times - (note.t_ns - last_ns) // AGAIN_NS)
        if times >= TOLD_AT_ONCE:
            return False
        if len(self._told) >= _MOST_TEXTS:
            self._told.clear()
        self._told[text] = (times + 1, note.t_ns)
        if times + 1 == TOLD_AT_ONCE:
            note.message += SELDOM
        return True
