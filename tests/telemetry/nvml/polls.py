"""NVML opened and polled on a clock that stands still, through the real pynvml onto a stand-in library."""

from __future__ import annotations

import threading

from telemetry.nvml.source import NvmlSource
from telemetry.records import GpuEvent, GpuSamples, SourceNote


class Clock:
    """Stands still unless told; each reading of it costs 10 ns, so durations show."""

    def __init__(self) -> None:
        self.ns = 0
        self._lock = threading.Lock()

    def __call__(self) -> int:
        with self._lock:
            self.ns += 10
            return self.ns


def of(records, kind):
    return [record for record in records if isinstance(record, kind)]


def gpus(records):
    return of(records, GpuSamples)[-1].gpus


def notes(records):
    return [(note.ok, note.message) for note in of(records, SourceNote)]


def opened(**options):
    source, clock = NvmlSource("here", patience_s=60, **options), Clock()
    return source, clock, source.open(clock)


class SetClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000

    def __call__(self) -> int:
        return self.ns


FIELDS = (
    "field185 200000; field82 71; field74 0; field269 0; field270 0; field271 0; field197 0; field198 0; "
    "field138 0; field139 0; field3 0; field4 0; field143 0; field145 0"
)
GPM = "gpm 1; gpm2 63500; gpm5 41250; gpm10 87000; gpm20 2000; gpm21 1000; gpm60 3000; gpm61 4000"


def with_fields(fake, **options):
    fake.says(f"count 1; {FIELDS}")
    source, clock = NvmlSource("here", patience_s=60, **options), SetClock()
    return source, clock, source.open(clock)


def after(fake, source, clock, text, seconds=0.25):
    """The only GPU's sample, so many seconds later, when the library says `text` on top."""
    fake.says(f"count 1; {FIELDS}; {text}")
    clock.ns += int(seconds * 1e9)
    return gpus(source.sample(clock))[0]


def events(records):
    return [(event.gpu, event.event, event.code, event.count, event.text) for event in of(records, GpuEvent)]


def waited_for(source, clock):
    """Samples until an event is there."""
    for _ in range(3000):
        found = events(source.sample(clock))
        if found:
            return found
        threading.Event().wait(0.01)
    raise AssertionError("no event within 30 s")
