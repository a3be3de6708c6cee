"""A session to look at: reads what was appended since the last time, draws nothing, waits for nobody."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.records import TICK_NS, Request
from sessions.store.collector import no_collection
from sessions.store.directory import LOCK_FILE, is_live, is_running
from sessions.store.follow import SessionFollower
from sessions.store.line_reader import POLL_CAP_BYTES
from sessions.store.manifest import FILE, Manifest, SessionError, read
from sessions.store.notes import NotesFollower, add_note
from sessions.store.parse import parse_packed
from sessions.store.request_line import Looked, RequestLookup, Sought

if TYPE_CHECKING:
    from sessions.curve.memory import CurveMemory
    from sessions.frame.request_list import RequestList
    from sessions.frame.schema import Frame
    from sessions.timeline.cache import Keeper, Opened
    from sessions.timeline.requests import RequestColumns


HELD_POLLS = 32
"""Polls that found anything, after which what they took on the way is given back."""


class SessionView:
    """Live run and replay alike. Files that are not there yet are no error: the state is `starting`."""

    def __init__(self, directory: Path, known: Opened | None = None, most: int = POLL_CAP_BYTES) -> None:
        """`known`: what was read of it already, and is not read again. `most`: bytes, about, that one poll
        takes of each file."""

        from sessions.bottleneck.history import BottleneckHistory
        from sessions.frame.request_list import RequestList
        from sessions.steady.stretch import WindowNow
        from sessions.timeline.cache import Keeper, opened
        from sessions.timeline.timeline import Timeline  # numpy: not before somebody looks

        self.directory = directory
        self.manifest: Manifest | None = None
        """None until it can be read."""
        self.trouble = ""
        """Why the manifest cannot be read, in one line; empty when it can."""
        self._manifest_stamp: tuple[int, int] | None = None
        self._files = SessionFollower(directory, requests=False, parse=parse_packed, most=most)
        is_over = not is_live(directory)
        kept = opened(directory) if is_over and known is None else known
        if kept is not None:
            self._files.begin_at(kept.sizes)
        self.timeline = Timeline() if kept is None else kept.timeline
        """All that was read so far. Not to be written to."""
        self._keeper = Keeper() if is_over and kept is None else None
        """Of a session without a cache, until one is written."""
        self.keeping: threading.Thread | None = None
        """Writes it, since the poll that found nothing more."""
        self._notes = NotesFollower(directory)
        self._request_list = RequestList(self.timeline.requests)
        self._lookup, self._looking = RequestLookup(directory), False
        self._history = BottleneckHistory(self.timeline)
        self._windows = WindowNow(self.timeline)
        self.locked = False
        """A supervisor held the session's lock when it was polled last."""
        self._heard = kept is not None
        self._curve: CurveMemory | None = None
        self._polls = 0

    def poll(self) -> bool:
        """Reads what is new, a bounded amount at a time; True when a frame could look different now."""
        from sessions.timeline.paged import hold_less

        # The lock is asked first: a supervisor that was gone before the reading has written all it ever will.
        locked = is_live(self.directory) or self._is_being_made_again()
        changed = self._read_manifest()
        with no_collection():
            records = self._files.poll()
            for record in records:
                self.timeline.apply(record)
                if self._keeper is not None:
                    self._keeper.note(record)
                if not isinstance(record, Request):
                    self._history.noted(record.t_ns)
        self._polls += bool(records)
        hold_less(freed=self._polls >= HELD_POLLS)
        self._polls %= HELD_POLLS
        notes = self._notes.poll()
        for mark in notes:
            self.timeline.set_beside(mark)
        self._heard = self._heard or bool(records)
        if records and not locked:
            locked = is_live(self.directory)  # it began between the question and the reading
        changed = changed or bool(records) or bool(notes) or locked != self.locked or self._looking
        self._looking = False  # unless the next frame asks again
        if self._curve is not None and not self.behind:
            changed = self._curve.poll() or changed
        self.locked = locked
        if not records and not locked and self._keeper is not None and not self.live:
            self._keep(self._keeper)
        return changed

    def _keep(self, keeper: Keeper) -> None:
        """Beside the screen, which somebody waits for: the timeline of what is over moves no more."""
        from sessions.timeline.kept import put_in_place

        self._keeper = None
        put_in_place(self.timeline)
        arguments = (self.directory, self.timeline, self._files.sizes)
        self.keeping = threading.Thread(target=keeper.keep, args=arguments, daemon=True)
        self.keeping.start()

    def read_all(self, told: Callable[[float], None] = lambda share: None) -> None:
        """Polls until there is no more to read at once; `told` of the share that is read, again and again."""
        self.poll()
        while self.behind:
            told(self.read_share)
            self.poll()

    def _is_being_made_again(self) -> bool:
        """The run was live, and its directory is gone while its supervisor is not: it makes it again."""
        if not self.locked or self.manifest is None or os.path.lexists(self.directory / LOCK_FILE):
            return False
        return is_running(self.manifest.session.pid)

    def _read_manifest(self) -> bool:
        try:
            status = (self.directory / FILE).stat()
        except OSError:
            return False
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp == self._manifest_stamp:
            return False
        self._manifest_stamp = stamp
        try:
            self.manifest, self.trouble = read(self.directory), ""
        except SessionError as error:
            self.trouble = str(error)
        return True

    @property
    def _ended(self) -> bool:
        return self.timeline.end is not None or (self.manifest is not None and self.manifest.end is not None)

    @property
    def live(self) -> bool:
        """The run is still going on, or has not begun yet."""
        if self._ended:
            return False
        return self.locked or not (self._heard or (self.directory / LOCK_FILE).exists())

    @property
    def behind(self) -> bool:
        """There is more to read at once: `poll` again."""
        return self._files.behind

    @property
    def read_share(self) -> float:
        """How much of what is there is read, 0 to 1; request lines count once they are asked for."""
        return self._files.read_share

    @property
    def state(self) -> str:
        """The newest state that the run told of; `starting` before any."""
        return self.timeline.state(self.timeline.newest_ns)[0]

    @property
    def first_ns(self) -> int:
        """Session time at which load began; 0 when it has not."""
        return self.timeline.first_ns

    @property
    def last_ns(self) -> int:
        """The newest session time that can be shown."""
        return self.timeline.known_ns

    @property
    def requests(self) -> RequestColumns:
        """The requests that ended, as far as they are read: the polls after the first call read their lines,
        and nothing else again. A screen without a view that asks never pays for them.
        """
        self._files.want_requests()
        return self.timeline.requests

    @property
    def curve(self) -> CurveMemory:
        """How its figures go with the load. From the first call on, polls go on with what that takes."""
        if self._curve is None:
            from sessions.curve.baseline import BATCH_BYTES
            from sessions.curve.memory import CurveMemory

            self._curve = CurveMemory(self, self.directory, lambda path: SessionView(path, most=BATCH_BYTES))
        return self._curve

    @property
    def request_list(self) -> RequestList:
        """The same, chosen and put in order. A view that asks has their lines read, as above."""
        self._files.want_requests()
        return self._request_list

    @property
    def requests_read(self) -> float:
        """How much of their lines is read, 0 to 1."""
        return self._files.requests_read

    def request(self, sought: Sought) -> Looked:
        """One of them with all that its line says, looked up again in the files; over several polls where
        that takes long."""
        looked = self._lookup.look(sought)
        self._looking = not looked.over
        return looked

    def set_mark(self, at_ns: int, text: str) -> str:
        """Keeps a mark beside the session, in none of its files; why it cannot, empty when it does."""
        return add_note(self.directory, at_ns, text)

    def frame(self, at_ns: int, window_ns: int, slots: int, start_ns: int | None = None) -> Frame:
        """The session as it was at `at_ns`: `slots` columns of `window_ns // slots` each, of which the first
        begins at `start_ns`; where that is None, the last holds `at_ns`.

        Columns that are a whole part of a tick show the tick that they lie in, where `start_ns` is one of
        its edges.
        """
        from sessions.frame.build import build
        from sessions.frame.stretched import stretched

        narrow_ns = window_ns // max(slots, 1)
        by = 1
        if start_ns is not None and 0 < narrow_ns < TICK_NS and not TICK_NS % narrow_ns:
            by = TICK_NS // narrow_ns
        ticks = -(-slots // by)
        frame = build(
            self.timeline,
            self.manifest,
            at_ns=at_ns,
            window_ns=window_ns if by == 1 else ticks * TICK_NS,
            slots=ticks,
            live=self.live,
            killed=not self.live and not self._ended,
            session=self.directory.name,
            history=self._history,
            windows=self._windows,
            start_ns=start_ns,
        )
        return frame if by == 1 else stretched(frame, by, slots)

    def close(self) -> None:
        if self._curve is not None:
            self._curve.close_baseline()
        self._files.close()
        self._notes.close()
