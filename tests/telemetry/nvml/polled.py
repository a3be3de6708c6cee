"""An `NvmlSource` over the stand-in library, opened and read on a clock that a test sets."""

from __future__ import annotations

from telemetry.nvml.source import NvmlSource
from telemetry.records import GpuDevices, GpuSamples, SourceNote

TICK_NS = 250_000_000


class SetClock:
    """Stands still unless told."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000

    def __call__(self) -> int:
        return self.ns


class Polled:
    """A source that was opened: `records` of opening, then `poll` by `poll`."""

    def __init__(self, **options) -> None:
        self.source = NvmlSource("here", patience_s=60, **options)
        self.clock = SetClock()
        self.records = self.source.open(self.clock)

    def poll(self, times: int = 1) -> list:
        """Records of so many polls, a quarter of a second apart."""
        records = []
        for _ in range(times):
            self.clock.ns += TICK_NS
            records += self.source.sample(self.clock)
        return records


def of(records, kind):
    return [record for record in records if isinstance(record, kind)]


def gpus(records):
    """GPUs of the newest poll."""
    return of(records, GpuSamples)[-1].gpus


def devices(records):
    return of(records, GpuDevices)[-1].devices


def notes(records):
    return [(note.ok, note.message) for note in of(records, SourceNote)]
