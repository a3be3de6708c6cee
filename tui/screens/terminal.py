"""What the terminal's line can bear, and whether it is still there. Knows Textual's driver, nothing else."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tui.options.exit_codes import INTERRUPTED

RATES_HZ = (10.0, 5.0, 2.0, 1.0)
BYTES_PER_S = 65_536
CLOGGED = 2
"""Writes waiting at the driver above which a frame is left out. At 30 the driver blocks the event loop."""


def queued_writes(driver: Any) -> int:
    """Writes the terminal has not taken yet; 0 where the driver does not say (its attributes are private)."""
    queue = getattr(getattr(driver, "_writer_thread", None), "_queue", None)
    return int(queue.qsize()) if queue is not None else 0


class Meter:
    """Counts what a Textual driver writes, in bytes."""

    def __init__(self) -> None:
        self.sent_bytes = 0

    def watch(self, driver: Any) -> None:
        """From now on. Nothing is counted where the driver cannot write."""
        write = getattr(driver, "write", None)
        if write is None:
            return

        def counted(data: str) -> None:
            self.sent_bytes += len(data.encode("utf-8", "replace"))
            write(data)

        driver.write = counted


@dataclass(frozen=True)
class Pace:
    """How often to draw: slower at once when the line clogs, faster again after 5 s without. Pure.

    And never more than `BYTES_PER_S` over some seconds, however fast a replay runs.
    """

    index: int = 0
    most: int = 0
    """The index of the highest rate that is wanted."""
    clear_since_s: float = 0.0
    drawn_s: float = -1e9
    sent_bytes: int = 0
    """As counted at the last step."""
    stepped_s: float = -1e9
    owed_bytes: float = 0.0
    """What was sent beyond what the time so far allows, less a second's worth at most."""

    @property
    def hz(self) -> float:
        return RATES_HZ[self.index]

    def stepped(self, now_s: float, queued: int, sent_bytes: int = 0) -> tuple[Pace, bool]:
        """The next pace, and whether to draw now. `sent_bytes` were written since the beginning."""
        allowed = BYTES_PER_S * min(now_s - self.stepped_s, 1.0)
        owed = max(self.owed_bytes + sent_bytes - self.sent_bytes - allowed, -BYTES_PER_S)
        pace, due = self._by_queue(now_s, queued)
        pace = replace(pace, sent_bytes=sent_bytes, stepped_s=now_s, owed_bytes=owed)
        if owed > 0 and due:
            return replace(pace, drawn_s=self.drawn_s), False
        return pace, due

    def _by_queue(self, now_s: float, queued: int) -> tuple[Pace, bool]:
        if queued > CLOGGED:
            return replace(self, index=min(self.index + 1, len(RATES_HZ) - 1), clear_since_s=now_s), False
        pace = self
        if self.index > self.most and now_s - self.clear_since_s >= 5.0:
            pace = replace(self, index=self.index - 1, clear_since_s=now_s)
        # Half a tick early is in time: the timer that calls this fires at the highest rate only.
        due = now_s - self.drawn_s >= 1.0 / pace.hz - 0.05
        return (replace(pace, drawn_s=now_s) if due else pace), due


def hung_up(fd: int) -> bool:
    """The terminal behind `fd` is gone (its SSH line was lost, its window closed)."""
    poller = select.poll()
    try:
        poller.register(fd, 0)
        return any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poller.poll(0))
    except (OSError, ValueError):
        return True


class HangUpWatch(threading.Thread):
    """Calls `gone` when the terminal behind `fd` is lost, and ends the process if that does not within 2 s.

    A thread, since the event loop may be stuck writing to that terminal.
    """

    def __init__(
        self, gone: Callable[[], None], fd: int, last: Callable[[], None] = lambda: None, poll_s: float = 0.25
    ) -> None:
        """`last` is called before the process is ended."""
        super().__init__(daemon=True, name="hang-up-watch")
        self._gone = gone
        self._fd = fd
        self._last = last
        self._poll_s = poll_s
        self._end_s: float | None = None
        """When the process is to be ended, by `time.monotonic`."""
        self._stopped = threading.Event()
        self._ending = threading.Lock()

    def run(self) -> None:
        while not self._stopped.wait(self._poll_s):
            if self._end_s is None and hung_up(self._fd):
                self._gone()
                self.exit_soon()
            if self._end_s is not None and time.monotonic() >= self._end_s:
                self._end()

    def exit_soon(self, after_s: float = 2.0) -> None:
        """The last resort: leaves without any clean-up unless `stop` comes first. Nothing is lost by it.

        For signal handlers too: it takes no lock.
        """
        if self._end_s is None:
            self._end_s = time.monotonic() + after_s

    def _end(self) -> None:
        with self._ending:
            if not self._stopped.is_set():
                try:
                    self._last()
                finally:
                    os._exit(INTERRUPTED)

    def stop(self) -> None:
        """Does not return where the last resort has begun: what it frees must not overtake it."""
        with self._ending:
            self._stopped.set()
