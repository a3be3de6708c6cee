"""The first of several sources that has GPUs."""

from __future__ import annotations

from collections.abc import Sequence

from telemetry.records import GpuDevices, SourceNote, TelemetryRecord
from telemetry.source import NowNs, Source


class FallbackSource:
    """Opens `sources` in turn until one has GPUs, and is then that one. Says what was tried.

    Args:
        others: how a person calls the sources after the first, such as `dcgm-exporter`.
    """

    def __init__(self, sources: Sequence[Source], others: str) -> None:
        self._sources = sources
        self._others = others
        self._found: Source | None = None
        self.name = sources[0].name

    @property
    def interval_ns(self) -> int | None:
        return None if self._found is None else self._found.interval_ns

    def open(self, now_ns: NowNs) -> list[TelemetryRecord]:
        first, *others = self._sources
        records, found = self._opened(first, now_ns)
        # Nothing found, and that is well: it was left alone for a reason.
        if found or any(isinstance(r, SourceNote) and r.ok for r in records):
            return records
        why = "; ".join(record.message for record in records if isinstance(record, SourceNote))
        for other in others:
            records, found = self._opened(other, now_ns)
            if found:
                text = f"{why}; its GPUs are read from {other.name} instead"
                return [SourceNote(now_ns(), self.name, True, text), *records]
        tried = " or ".join(other.name for other in others)
        text = f"{why}; no {self._others} at {tried} either" if others else why
        return [SourceNote(now_ns(), self.name, False, text)]

    def sample(self, now_ns: NowNs) -> list[TelemetryRecord]:
        return [] if self._found is None else self._found.sample(now_ns)

    def close(self) -> None:
        if self._found is not None:
            self._found.close()

    def _opened(self, source: Source, now_ns: NowNs) -> tuple[list[TelemetryRecord], bool]:
        records = source.open(now_ns)
        found = any(isinstance(record, GpuDevices) for record in records)
        if found:
            self._found = source
        else:
            source.close()
        return records, found
