"""Another session that one is held against: read beside it, a little at a time, and then its points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from sessions.curve.loads import LoadStage, loads_upto
from sessions.curve.point import Point, point_of
from sessions.curve.what_if import ALL_READ, RequestTimes
from sessions.store.directory import find, listing
from sessions.store.manifest import Manifest, SessionError, read
from sessions.summary.digest import Digest, digest
from sessions.summary.slo import asked_of_one
from sessions.timeline.attained import Attained, targets_of
from sessions.timeline.requests import RequestColumns
from sessions.timeline.timeline import Timeline

POINTS_A_POLL = 20
OTHERS_CAP = 60
"""Of which a list tells: each costs a millisecond. Older ones are found by their id or name all the same."""
BATCH_BYTES = 1 << 18
"""Of each file, at a poll: some 50 ms of work."""


class Polled(Protocol):
    """A session as far as it is read: `sessions.frame.session_view.SessionView`."""

    @property
    def timeline(self) -> Timeline: ...

    @property
    def manifest(self) -> Manifest | None: ...

    @property
    def requests(self) -> RequestColumns: ...

    @property
    def live(self) -> bool: ...

    @property
    def behind(self) -> bool: ...

    def poll(self) -> bool: ...

    def close(self) -> None: ...


class Baseline:
    """`points` and `timeline` once `ready`: of the session as it was when it was opened.

    Where ITL is what fewest held, how many requests held it stands in no tick: their lines are read after
    that, and the points come once more.
    """

    def __init__(self, name: str, view: Polled, against: Manifest | None = None) -> None:
        """`against`: of the session that it is held against, whose targets are those of both."""
        self.name, self.against = name, against
        self._view: Polled | None = view
        self._left: list[LoadStage] | None = None
        self._found: list[Point] = []
        self.points: tuple[Point, ...] = ()
        self.timeline: Timeline | None = None
        self.memo: dict[Any, Any] = {}
        """What was made of the timeline, which moves no more, for frames that are drawn again and again."""

    @property
    def ready(self) -> bool:
        return self.timeline is not None

    def poll(self) -> bool:
        """Does a little of what is left; True when that made a difference to see."""
        view = self._view
        if view is None:
            return False
        if self._left is None or self.ready:
            view.poll()
            if view.behind:
                return False
        if self.ready:
            self.points = self._by_requests(view)
            self.close()
            return True
        if self._left is None:
            config = None if view.manifest is None else view.manifest.config
            self._left = loads_upto(view.timeline, config, view.timeline.known_ns)
        now, self._left = self._left[:POINTS_A_POLL], self._left[POINTS_A_POLL:]
        self._found += [point_of(view.timeline, self.against, stage) for stage in now]
        if self._left:
            return False
        self.points, self.timeline = tuple(self._found), view.timeline
        if view.live or not any(point.attained and point.attained.of == "tokens" for point in self.points):
            self.close()
        else:
            _ = view.requests  # asked for: the polls to come read them
        return True

    def _by_requests(self, view: Polled) -> tuple[Point, ...]:
        """The points with the share of requests that held every target, where as good as all are stored."""
        timeline, config = view.timeline, None if self.against is None else self.against.config
        targets = [] if config is None else asked_of_one(targets_of(config))
        found = RequestTimes(view.requests.rows).what_if(targets, self.points, timeline.known_ns)
        ended = float(timeline.ticks["succeeded"].sum() + timeline.ticks["failed"].sum())
        if found.whole.of < ALL_READ * ended:
            return self.points
        return tuple(
            point if held.share is None else point._replace(attained=Attained(held.share))
            for point, held in zip(self.points, found.points, strict=True)
        )

    def close(self) -> None:
        if self._view is not None:
            self._view.close()
            self._view = None


def others(mine: Path) -> list[Digest]:
    """The newest sessions beside `mine` that are there to be read, newest first."""
    found = (digest(path) for path in listing(mine.parent)[: OTHERS_CAP + 1] if path != mine)
    return [one for one in found if one.state != "unreadable"]


def opened(
    text: str, mine: Path, open_view: Callable[[Path], Polled], against: Manifest | None = None
) -> Baseline:
    """The session that a person means, of those beside `mine`: as `sessions.store.directory.find`, but that
    `last` is the newest other one.

    Raises:
        SessionError: there is none, or it is no session that this version reads.
    """
    text = text.strip()
    if text in ("", "last"):
        others = [path for path in listing(mine.parent) if path != mine]
        if not others:
            raise SessionError(f"{mine.parent}: no other session yet")
        directory = others[0]
    else:
        directory = find(mine.parent, text)
    manifest = read(directory)
    return Baseline(manifest.session.name or directory.name, open_view(directory), against)
