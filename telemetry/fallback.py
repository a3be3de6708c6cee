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
        records = first.open(now_ns)
        # Nothing found, and that is well: it was left alone for a reason.
        if _has_gpus(records) or any(isinstance(r, SourceNote) and r.ok for r in records):
            self._found = first
            return records
        why = "; ".join(record.message for record in records if isinstance(record, SourceNote))
        for other in others:
            records = other.open(now_ns)
            if _has_gpus(records):
                self._found = other
                first.close()
                text = f"{why}; its GPUs are read from {other.name} instead"
                return [SourceNote(now_ns(), self.name, True, text), *records]
            other.close()
        if first.interval_ns is not None:  # it may come yet
            self._found = first
        else:
            first.close()
        tried = " or ".join(other.name for other in others)
        text = f"{why}; no {self._others} at {tried} either" if others else why
        return [SourceNote(now_ns(), self.name, False, text)]

    def sample(self, now_ns: NowNs) -> list[TelemetryRecord]:
        return [] if self._found is None else self._found.sample(now_ns)

    def close(self) -> None:
        if self._found is not None:
            self._found.close()


def _has_gpus(records: Sequence[TelemetryRecord]) -> bool:
    return any(isinstance(record, GpuDevices) for record in records)
