"""What a telemetry source is. `telemetry.poller` runs them, `telemetry.discover` makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from telemetry.records import TelemetryRecord

NowNs = Callable[[], int]
"""Nanoseconds on the monotonic clock since the session's origin: every `t_ns` of a record is read from it."""


class TelemetryError(Exception):
    """Wrong `--telemetry`: one line saying what was got and what is allowed."""


class Source(Protocol):
    """One thing that can be asked about GPUs or the server.

    `open`, `sample` and `close` are called by one thread, in this order, and may block: only this
    source's own samples suffer. An absent or lost thing is a `SourceNote`, never an exception.
    """

    @property
    def name(self) -> str:
        """Short and unique in a session; no credentials in it. It is the `source` of every record."""

    @property
    def interval_ns(self) -> int | None:
        """Nanoseconds between samples, read anew before each; None: nothing (more) to sample here."""

    def open(self, now_ns: NowNs) -> list[TelemetryRecord]:
        """Looks for the thing; returns what was found, or a `SourceNote` with `ok=False` and the reason.

        A first sample may stand among the records.
        """

    def sample(self, now_ns: NowNs) -> list[TelemetryRecord]:
        """Asks once. What did not answer is None in the record, or no record at all: a gap."""

    def close(self) -> None:
        """Gives back what `open` took. Called once, even when `open` found nothing."""


def unchanged(text: str) -> str:
    """Where there is no key to hide."""
    return text


def bug(err: Exception) -> str:
    """A fault of our own in a few words: the type of `err` and the line that raised it.

    Not its text: that of an HTTP library's error may hold a header with a key.
    """
    if isinstance(err, ModuleNotFoundError) and err.name:
        return f"the package {plain(err.name, 40)} is missing in this Python"
    trace = err.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return f"a bug in ttftop ({type(err).__name__})"
    file = trace.tb_frame.f_code.co_filename.replace("\\", "/").rsplit("/", 1)[-1]
    return f"a bug in ttftop ({type(err).__name__} at {file}:{trace.tb_lineno})"


@runtime_checkable
class Interruptible(Protocol):
    """A source whose `open` or `sample` may hang in what it has started, and can be made to return."""

    def interrupt(self) -> None:
        """Called from another thread when polling is to end, before `close`."""


def plain(text: str, most: int = 120) -> str:
    """`text` safe to print, at most `most` long.

    Control, bidi and other invisible characters become `?`, and so does what was no UTF-8.
    """
    return "".join(char if char.isprintable() and char != "\ufffd" else "?" for char in text[:most])
