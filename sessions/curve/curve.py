"""The points of a session up to an instant, and what they say together: the knee, and how far a search is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from sessions.curve.point import Point
from sessions.limit.results import ask_of, read_result, results_of
from sessions.limit.search import Answer, answer
from sessions.store.manifest import Manifest
from sessions.timeline.timeline import Timeline


class Bracket(NamedTuple):
    """Two loads between which something lies; None where that end is not known."""

    low: float | None
    high: float | None


class Curve(NamedTuple):
    points: tuple[Point, ...]
    """Of all loads, by time."""
    closed: bool
    """Its loads are concurrencies, else rates: those of the newest load, or of the search."""
    knee: Bracket | None
    """From the highest load that was steady to the lowest above it under which requests piled up; None until
    both are known."""
    search: Answer | None
    """Of a search for the limit, as far as it has come."""
    said: tuple[tuple[int, str], ...]
    """When each step of a search began, and whether it passed, as `sessions.plan.slo.Verdict`."""

    @property
    def growing(self) -> Point | None:
        """The one whose load is on."""
        last = self.points[-1] if self.points else None
        return last if last is not None and not last.stage.stretch.over else None


def curve_of(timeline: Timeline, manifest: Manifest | None, points: Sequence[Point], at_ns: int) -> Curve:
    config = None if manifest is None else manifest.config
    if config is not None and config.limit is not None:
        closed = config.limit.closed
    else:
        closed = points[-1].stage.closed if points else False
    search: Answer | None = None
    said: dict[int, str] = {}
    if config is not None and config.limit is not None:
        upto = bisect_right(timeline.stages, at_ns, key=lambda change: change.t_ns)
        began_ns, results = 0, results_of(config.limit.before)
        for change in timeline.stages[:upto]:
            began_ns = change.t_ns if change.event == "begin" else began_ns
            if (result := read_result(change.result)) is not None:
                results.append(result)
                said[began_ns] = result.verdict
        search = answer(ask_of(config), results)
    return Curve(tuple(points), closed, None if closed else _knee(points), search, tuple(said.items()))


def _knee(points: Sequence[Point]) -> Bracket | None:
    rates = [point for point in points if not point.stage.closed]
    kept = max((point.stage.load for point in rates if point.is_steady), default=None)
    if kept is None:
        return None
    piled = [point.stage.load for point in rates if point.verdict == "drifting_up"]
    above = min((load for load in piled if load > kept), default=None)
    return None if above is None else Bracket(kept, above)


def aligned(points: Sequence[Point], load: float, closed: bool) -> Point | None:
    """The one of another session whose load is the same within 2 %: the steadiest, then the longest."""
    same = [
        point
        for point in points
        if point.stage.closed == closed and abs(point.stage.load - load) <= 0.02 * max(load, 1e-9)
    ]
    return max(
        same,
        key=lambda point: (point.is_steady, not point.stage.ramp, point.to_ns - point.from_ns),
        default=None,
    )
