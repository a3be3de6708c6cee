"""What a screen that draws many frames of a session keeps of its curve: each point is found once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from sessions.curve.baseline import Baseline, Polled, opened, others
from sessions.curve.curve import Curve, curve_of
from sessions.curve.loads import SECOND_NS, LoadStage, loads_upto
from sessions.curve.point import Point, point_of, with_intervals
from sessions.curve.what_if import ALL_READ, Held, RequestTimes, WhatIf
from sessions.plan.slo import Target
from sessions.store.manifest import Manifest, SessionError
from sessions.summary.digest import Digest
from sessions.summary.slo import asked_of_one
from sessions.timeline.attained import targets_of
from sessions.timeline.requests import RequestColumns
from sessions.timeline.timeline import Timeline

KNOWN_CAP = 1200
POINTS_A_FRAME, POINTS_A_POLL, INTERVALS_A_POLL = 30, 10, 2
"""Some 2 ms each, an interval some 10."""
_Key = tuple[LoadStage, int]


class Looked(Protocol):
    """A session that is looked at."""

    @property
    def timeline(self) -> Timeline: ...

    @property
    def manifest(self) -> Manifest | None: ...

    @property
    def requests(self) -> RequestColumns: ...

    @property
    def live(self) -> bool: ...


class CurveMemory:
    """`directory` and `open_view`: where other sessions are, and how one is opened; None where there are
    none."""

    def __init__(
        self,
        session: Looked,
        directory: Path | None = None,
        open_view: Callable[[Path], Polled] | None = None,
    ) -> None:
        self._session, self._directory, self._open_view = session, directory, open_view
        self._loads: tuple[object, list[LoadStage]] | None = None
        self._known: dict[_Key, Point] = {}
        self._left: list[_Key] = []
        """Those of the newest curve whose points are still to be found."""
        self._unsure: list[_Key] = []
        """Those of the newest curve whose intervals are still to be found."""
        self._times: RequestTimes | None = None
        self._asked: tuple[object, WhatIf, float] | None = None
        self.baseline: Baseline | None = None
        self.offered: Sequence[Digest] = ()
        """What `others` told last."""

    def loads(self, at_ns: int) -> list[LoadStage]:
        """`loads_upto`, once a second and at each change."""
        timeline, manifest = self._session.timeline, self._session.manifest
        config = None if manifest is None else manifest.config
        loads, stages = (
            bisect_right(of, at_ns, key=lambda each: each.t_ns) for of in (timeline.loads, timeline.stages)
        )
        states = bisect_right(timeline.states, at_ns, key=lambda state: state[0])
        # No stretch goes beyond the last of these.
        ends = [at_ns // SECOND_NS * SECOND_NS]
        ends += [change.t_ns for change in timeline.loads[:loads][-1:]]
        ends += [t_ns for t_ns, _, _ in timeline.states[:states][-1:]]
        if config is not None and config.load.duration_s is not None:
            ends += [t for t in (timeline.first_ns + round(config.load.duration_s * 1e9),) if t <= at_ns]
        stamp = (*ends, int(timeline.ticks.upto(max(ends))), loads, stages, states, config is None)
        if self._loads is None or self._loads[0] != stamp:
            self._loads = stamp, loads_upto(timeline, config, at_ns)
        return self._loads[1]

    def at(self, at_ns: int) -> Curve:
        """The curve as it was at an instant. Intervals come with later polls, and so do the oldest points of
        a session that has put on very many loads."""
        timeline, manifest = self._session.timeline, self._session.manifest
        ticks, stages = timeline.ticks, self.loads(at_ns)
        ends = np.array([stage.stretch.end_ns for stage in stages], dtype=np.float64)
        keys = list(zip(stages, ticks.upto(ends).tolist(), strict=True))
        fresh = [key for key in keys if key not in self._known]
        if fresh:
            self._unsure = list(dict.fromkeys([*(key for key in self._unsure if key in keys), *fresh]))
        self._left = fresh[:-POINTS_A_FRAME]
        for key in fresh[-POINTS_A_FRAME:]:
            self._known[key] = point_of(timeline, manifest, key[0])
        if len(self._known) > KNOWN_CAP:
            self._known = {key: self._known[key] for key in keys if key in self._known}
        return curve_of(timeline, manifest, [self._known[key] for key in keys if key in self._known], at_ns)

    def poll(self) -> bool:
        """Goes on with what takes longer than a frame; True when something is to be seen of it."""
        changed = self.baseline is not None and self.baseline.poll()
        changed = self._look_again() or changed
        if self._left:
            timeline, manifest = self._session.timeline, self._session.manifest
            for _ in range(min(POINTS_A_POLL, len(self._left))):
                key = self._left.pop()
                self._known[key] = point_of(timeline, manifest, key[0])
            return True
        for _ in range(INTERVALS_A_POLL):
            if not self._unsure:
                break
            key = self._unsure.pop()
            if key in self._known:
                self._known[key] = with_intervals(self._session.timeline, self._known[key])
                changed = True
        return changed

    # -- other targets

    @property
    def targets(self) -> list[Target]:
        """Those of the run."""
        manifest = self._session.manifest
        return [] if manifest is None else targets_of(manifest.config)

    def what_if(self, targets: Sequence[Target], at_ns: int) -> tuple[WhatIf, float]:
        """What `targets` would have said at an instant, and the share of its requests that are read. Of a run
        that goes on it is that of the last requests that were looked at, of which `poll` takes in more."""
        if self._times is None or (not self._session.live and self._come() >= 2 * self._times.count):
            self._times = RequestTimes(self._session.requests.rows)
        times, points = self._times, self.at(at_ns).points
        if self._session.live:
            at_ns = min(at_ns, times.last_ns)
        stamp = (id(times), tuple(targets), at_ns, points)
        if self._asked is None or self._asked[0] != stamp:
            ticks = self._session.timeline.ticks
            row = int(ticks.upto(at_ns))
            ended = int(ticks["succeeded"][:row].sum() + ticks["failed"][:row].sum())
            found = times.what_if(targets, points, at_ns)
            self._asked = stamp, found, min(found.whole.of / ended, 1.0) if ended else 1.0
        return self._asked[1:]

    def _come(self) -> int:
        """Requests that no answer of `what_if` knows of yet."""
        return len(self._session.requests) - (0 if self._times is None else self._times.count)

    def _look_again(self) -> bool:
        """Takes in requests that came since, once they are one in a hundred: what that costs grows with all
        there are."""
        if self._times is None or not (more := self._come()):
            return False
        if self._session.live and more < max(1, self._times.count // 100):
            return False
        self._times = RequestTimes(self._session.requests.rows)
        return True

    def held(self, at_ns: int) -> tuple[Held, ...] | None:
        """Of each point how many requests held every target of the run, as a summary counts them. None where
        the targets ask nothing of one request, and while requests are still being read."""
        asking = asked_of_one(self.targets)
        if not asking:
            return None
        found, share_read = self.what_if(asking, at_ns)
        return found.points if found.whole.of and share_read >= ALL_READ else None

    # -- another session

    def others(self) -> Sequence[Digest]:
        """Sessions that this one may be held against, newest first."""
        self.offered = [] if self._directory is None else others(self._directory)
        return self.offered

    def open_baseline(self, text: str) -> None:
        """Raises:
        SessionError: no such session: one line that says so.
        """
        if self._directory is None or self._open_view is None:
            raise SessionError("there are no other sessions here")
        found = opened(text, self._directory, self._open_view, self._session.manifest)
        self.close_baseline()
        self.baseline = found

    def close_baseline(self) -> None:
        if self.baseline is not None:
            self.baseline.close()
            self.baseline = None
