"""Runs telemetry sources, each in a daemon thread of its own, on absolute ticks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from telemetry.note_limit import NoteLimit
from telemetry.records import SourceNote, TelemetryRecord
from telemetry.source import Interruptible, NowNs, Source, bug

Emit = Callable[[TelemetryRecord], None]

_log = logging.getLogger(__name__)


def next_tick_ns(tick_ns: int, now_ns: int, interval_ns: int) -> int:
    """The first whole multiple of `interval_ns` later than both `tick_ns` (the last one served) and `now_ns`.

    Ticks that passed while a source was busy are skipped: no burst afterwards.
    """
    return (max(tick_ns, now_ns) // interval_ns + 1) * interval_ns


class Poller:
    """Polls `sources` until `stop`.

    `emit` is called from the sources' threads, never by two of them at once, and not after `stop` has
    returned; it should be quick, and must not raise: an exception ends that source's polling.
    """

    def __init__(self, sources: Iterable[Source], emit: Emit, now_ns: NowNs) -> None:
        self._emit_record = emit
        self._now_ns = now_ns
        self._stopping = threading.Event()
        self._emitting = threading.Lock()
        self._closed = False
        sources = list(sources)
        self._sources = sources
        self._interruptible = [source for source in sources if isinstance(source, Interruptible)]
        self._threads = [
            threading.Thread(target=self._run, args=(source,), name=f"telemetry {source.name}", daemon=True)
            for source in sources
        ]

    def start(self) -> None:
        """Starts every source's thread; returns at once. One for which the system gives none is told."""
        for source, thread in zip(self._sources, self._threads, strict=True):
            try:
                thread.start()
            except RuntimeError:
                why = "not asked, for no thread can be started; need more memory or processes (ulimit -a)"
                self._emit([SourceNote(self._now_ns(), source.name, False, f"{source.name}: {why}")])
            else:
                _log.info("%s: asked from now on", thread.name)

    def stop(self, timeout_s: float = 2.0) -> list[str]:
        """Ends all polling, waiting at most about `timeout_s` in all.

        Returns:
            The names of threads still blocked in their source. They are daemons and their late answers
            are dropped.
        """
        deadline = time.monotonic() + timeout_s
        self._stopping.set()
        for source in self._interruptible:
            source.interrupt()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        # Without the lock a late thread could pass its check and write to a journal closed meanwhile.
        held = self._emitting.acquire(timeout=max(0.05, deadline - time.monotonic()))
        self._closed = True
        if held:
            self._emitting.release()
        blocked = [thread.name.removeprefix("telemetry ") for thread in self._threads if thread.is_alive()]
        _log.info("stopped%s", f"; still blocked: {', '.join(blocked)}" if blocked else "")
        return blocked

    def _emit(self, records: list[TelemetryRecord]) -> None:
        with self._emitting:
            if not self._closed:
                for record in records:
                    self._emit_record(record)
                    if isinstance(record, SourceNote):
                        _log.info("%s", record.message)

    def _run(self, source: Source) -> None:
        faults, limit = _Faults(source.name, self._now_ns), NoteLimit()
        try:
            self._emit(limit.through(faults.guarded(source.open), self._now_ns()))
            tick_ns = -1
            while (interval_ns := source.interval_ns) is not None:
                tick_ns = next_tick_ns(tick_ns, self._now_ns(), interval_ns)
                # Event.wait may return a little early.
                while (wait_ns := tick_ns - self._now_ns()) > 0:
                    if self._stopping.wait(wait_ns / 1e9):
                        return
                if self._stopping.is_set():
                    return
                self._emit(limit.through(faults.guarded(source.sample), self._now_ns()))
        finally:
            self._emit(limit.rest())
            source.close()


class _Faults:
    """Turns an exception that a source should not have raised into one note per run of failures."""

    def __init__(self, name: str, now_ns: NowNs) -> None:
        self._name = name
        self._now_ns = now_ns
        self._failing = False

    def guarded(self, ask: Callable[[NowNs], list[TelemetryRecord]]) -> list[TelemetryRecord]:
        try:
            records = ask(self._now_ns)
        except Exception as err:
            if self._failing:
                return []
            self._failing = True
            message = f"{self._name}: no values because of {bug(err)}"
            return [SourceNote(self._now_ns(), self._name, False, message)]
        self._failing = False
        return records
