"""JSON lines over a worker's pipes: its configuration and commands in, a few words out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import msgspec

LINE_MOST_BYTES = 16 << 20


class Status(msgspec.Struct, tag_field="event", tag="status", omit_defaults=True):
    """What a worker tells its supervisor: rare, never a measurement."""

    state: str
    """`ready`, `started`, `idle` (the load came to its end by itself), `failing` (its first requests all
    failed), `ended`, `refused`, `disk` (it refuses; without a message, it takes again), `again` (a file was
    removed, and is written again), `unsaved` (it refused to the end)."""
    message: str = ""
    stage: int | None = None
    """With `idle`: the stage that is over; None for the load of a run without stages."""


class LineFeed(asyncio.Protocol):
    """Gives each line of a pipe to `on_line`, and its end to `on_end`."""

    def __init__(self, on_line: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        self._on_line, self._on_end = on_line, on_end
        self._tail = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._tail = (self._tail + data).split(b"\n")
        if len(self._tail) > LINE_MOST_BYTES:
            self._tail = b""
        for line in lines:
            if line.strip():
                self._on_line(line)

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_end()


def say_line(fd: int, word: msgspec.Struct) -> None:
    """Writes one line; a listener that is gone is no trouble of the speaker's."""
    try:
        os.write(fd, msgspec.json.encode(word) + b"\n")
    except OSError:
        pass
