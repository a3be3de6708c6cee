"""Where the home screen gets what it shows, and what was chosen there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from sessions.summary.digest import Digest
from telemetry.local_servers import LocalServer
from tui.controls import run_form
from tui.controls.home_list import HomeList

if TYPE_CHECKING:
    from sessions.frame.course import Course


@dataclass(frozen=True)
class HomeChoice:
    """What a person chose on the home screen, and how it was left, to open it so again."""

    how: str = "quit"
    """`quit`, `interrupted`, `session` or `run`."""
    directory: Path | None = None
    words: tuple[str, ...] = ()
    """Of the command line that starts a run."""
    home: HomeList = field(default_factory=HomeList)
    cursor: str = ""
    """The key of the line that the cursor is on; empty: the first session."""


@dataclass(frozen=True)
class HomeSources:
    """Where the home screen gets what it shows. None of it may raise."""

    sessions: Callable[[], Sequence[Path]]
    """Directories, newest first."""
    read: Callable[[Path], Digest]
    servers: Callable[[Callable[[Sequence[LocalServer]], None]], None]
    """Tells what it found, perhaps twice: without GPUs, then with. May block; called on a thread."""
    check: Callable[[Mapping[str, str]], run_form.Checked]
    """What a form, filled in so, would start."""
    look_again: Callable[[Sequence[LocalServer], Callable[[Sequence[LocalServer]], None]], None] = (
        lambda known, tell: None
    )
    """Tells what is there now, where that is not what is known. May block; called on a thread."""
    course: Callable[[Path], Course | None] = lambda _: None
    """Of a session that is over. May take a while; called on a thread."""


_KEPT = 64
"""Courses of so many sessions."""


class Courses:
    """The course of the session under the cursor, read beside the screen once the cursor rests there."""

    def __init__(self, read: Callable[[Path], Course | None]) -> None:
        self._read = read
        self._known: dict[Path, Course | None] = {}
        self._found: SimpleQueue[tuple[Path, Course | None]] = SimpleQueue()
        self._reading: Thread | None = None
        self._rests_on: Path | None = None

    def of(self, digest: Digest | None) -> Course | None:
        """None while it is not read yet, and where there is none."""
        return None if digest is None else self._known.get(digest.directory)

    def look(self, digest: Digest | None) -> bool:
        """Once a tick: whether one came since. One at a time is read, of what the cursor rested on for a
        tick and nobody writes to any more."""
        came = False
        try:
            while True:
                directory, found = self._found.get_nowait()
                if len(self._known) >= _KEPT:
                    del self._known[next(iter(self._known))]
                self._known[directory], came = found, True
        except Empty:
            pass
        wanted = digest.directory if digest is not None and digest.state in ("ended", "killed") else None
        rests, self._rests_on = wanted == self._rests_on, wanted
        busy = self._reading is not None and self._reading.is_alive()
        if wanted is not None and rests and not busy and wanted not in self._known:
            self._reading = Thread(target=self._read_one, args=(wanted,), name="home course", daemon=True)
            self._reading.start()
        return came

    def _read_one(self, directory: Path) -> None:
        self._found.put((directory, self._read(directory)))
