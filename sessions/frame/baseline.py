"""Another session's figures beside those of a frame: under the same load, or as long after its load began.

By load they are of the baseline's steady part under the load that is on (`sessions.curve.curve.aligned`); by
time of the same seconds, counted from where each load began. What was found stays in `Baseline.memo`: a frame
that is drawn again looks it up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from sessions.curve.baseline import Baseline
from sessions.curve.curve import aligned
from sessions.curve.loads import LoadStage
from sessions.curve.memory import CurveMemory
from sessions.curve.point import Point
from sessions.frame.latency import METRICS
from sessions.frame.schema import Frame, Series, Stat
from sessions.timeline.attained import Attained, attained
from sessions.timeline.sketches import Sketches

Align = Literal["load", "time"]
Span = tuple[int, int]
T = TypeVar("T")

EQUAL = 0.05
"""Relative: what is nearer than this is about equal, however many requests say otherwise."""
EQUAL_POINTS = 1.0
_SIGMAS = 2.0
_COVERED = 0.8
"""Of a window, so much has to lie within the baseline for the two to be compared."""
_MEMO_CAP = 200
_OVER = ("ended", "killed")


class Delta(NamedTuple):
    change: float
    """Relative: 0.12 is 12 % more; of a share the difference in points."""
    sense: Literal["worse", "equal", "better"]
    """`equal`: within `EQUAL`, or what so few requests leave open."""


def latency_delta(stat: Stat, quantile: str, of: Sketches) -> Delta | None:
    """One percentile over that of `of` (one row). None where either is not known.

    About equal is what lies between the baseline's own quantiles at q - d and q + d, where d is two standard
    errors of a share of q in samples as large as both.
    """
    now_ms: float | None = getattr(stat, f"{quantile}_ms")
    n, q = of.total, float(quantile[1:]) / 100
    if now_ms is None or quantile in stat.bounds or not n or not stat.count:
        return None
    off = _SIGMAS * math.sqrt(q * (1 - q) * (1 / n + 1 / stat.count))
    found = of.quantiles_ns((q, max(q - off, 0.0), min(q + off, 1.0)))[0] / 1e6
    was_ms, low_ms, high_ms = found.tolist()
    if not was_ms:
        return None
    change = now_ms / was_ms - 1
    equal = abs(change) <= EQUAL or low_ms <= now_ms <= high_ms
    return Delta(change, "equal" if equal else "worse" if change > 0 else "better")


def rate_delta(now: float | None, was: float | None, n: int, n_was: int) -> Delta | None:
    """Of tokens a second, which are better the more there are; `n` requests each."""
    if now is None or not was or not n or not n_was:
        return None
    change = now / was - 1
    equal = abs(change) <= max(EQUAL, _SIGMAS * math.sqrt(1 / n + 1 / n_was))
    return Delta(change, "equal" if equal else "better" if change > 0 else "worse")


def share_delta(now: float | None, was: float | None, n: int, n_was: int) -> Delta | None:
    """Of the share that held its targets, in points."""
    if now is None or was is None or not n or not n_was:
        return None
    points, both = 100 * (now - was), (now * n + was * n_was) / (n + n_was)
    noise = 100 * _SIGMAS * math.sqrt(max(both * (1 - both), 0.0) * (1 / n + 1 / n_was))
    equal = abs(points) <= max(EQUAL_POINTS, noise)
    return Delta(points, "equal" if equal else "better" if points > 0 else "worse")


@dataclass(frozen=True)
class Against:
    """A frame and what it is held against. Metrics are names of `sessions.frame.latency.METRICS`."""

    baseline: Baseline
    curve: CurveMemory
    frame: Frame
    by: Align

    @property
    def name(self) -> str:
        """Not safe to print as it stands."""
        return self.baseline.name

    @property
    def ready(self) -> bool:
        return self.baseline.ready

    @cached_property
    def load(self) -> LoadStage | None:
        """The one whose figures the frame's last ones are; of a run that is over its only one. None where
        there is none."""
        stages = self.curve.loads(self.frame.at_ns)
        if self.frame.state in _OVER:
            return stages[0] if len(stages) == 1 else None
        return stages[-1] if stages and not stages[-1].stretch.over else None

    @cached_property
    def several(self) -> bool:
        """The run is over and its figures are of more than one load: none of them is comparable by load."""
        return self.frame.state in _OVER and len(self.curve.loads(self.frame.at_ns)) > 1

    @cached_property
    def point(self) -> Point | None:
        """The baseline's, under the same load."""
        load = self.load
        return None if load is None else aligned(self.baseline.points, load.load, load.closed)

    @cached_property
    def span(self) -> Span | None:
        """Of the baseline's session time, that its figures are of; None where it has no such load or time."""
        timeline = self.baseline.timeline
        if timeline is None:
            return None
        if self.by == "load":
            point = self.point
            return None if point is None or point.to_ns <= point.from_ns else (point.from_ns, point.to_ns)
        to_ns, first_ns = self.frame.at_ns, self.frame.first_ns
        from_ns = max(to_ns - round(self.frame.recent_s * 1e9), first_ns)
        moved_ns = timeline.first_ns - first_ns
        end_ns = min(to_ns + moved_ns, timeline.known_ns)
        if end_ns - (from_ns + moved_ns) < _COVERED * max(to_ns - from_ns, 1):
            return None
        return from_ns + moved_ns, end_ns

    def latencies(self, metric: str, stat: Stat) -> dict[str, Delta | None]:
        """By `p50`, `p95` and `p99`: `stat` of the frame over the baseline's."""
        found = self._sketched(metric)
        names = ("p50", "p95", "p99")
        return {name: None if found is None else latency_delta(stat, name, found) for name in names}

    @cached_property
    def output_tps(self) -> Delta | None:
        """Of the tokens that came out; where answers have none, that went in."""
        frame = self.frame
        now = frame.input_tps if frame.only_input else frame.output_tps
        return rate_delta(now, self._tps(), self._requests(), self._requests_then())

    @cached_property
    def attained(self) -> Delta | None:
        now, then = self.frame.attained, self._share()
        if now is None or then is None or now.of != then.of:
            return None
        return share_delta(now.share, then.share, self._requests(), self._requests_then())

    def ghost(self, metric: str, frame: Frame) -> Series | None:
        """The baseline's p95 in each column of a frame's axis, ms: by time its course over the same seconds,
        by load what it had under the load that was on in the column. None where there is none at all."""
        baseline = self.baseline
        if baseline.timeline is None:
            return None
        at_ns = frame.at_ns if self.by == "load" else 0
        key = ("ghost", self.by, metric, at_ns, frame.first_ns, frame.start_ns, frame.slot_ns, frame.slots)
        made = self._by_load if self.by == "load" else self._by_time
        return _kept(baseline, key, lambda: made(metric, frame))

    def _by_time(self, metric: str, frame: Frame) -> Series | None:
        timeline = self.baseline.timeline
        if timeline is None:
            return None
        moved_ns = timeline.first_ns - frame.first_ns
        edges = frame.start_ns + moved_ns + np.arange(frame.slots + 1, dtype=np.float64) * frame.slot_ns
        edges = np.clip(edges, 0, timeline.known_ns)
        values: Series = timeline.sketches(METRICS[metric], edges).quantiles_ns((0.95,))[:, 0] / 1e6
        return values if np.isfinite(values).any() else None

    def _by_load(self, metric: str, frame: Frame) -> Series | None:
        begins = frame.start_ns + np.arange(frame.slots, dtype=np.float64) * frame.slot_ns
        middles = np.minimum(begins + frame.slot_ns / 2, frame.at_ns)
        out = np.full(frame.slots, np.nan)
        for stage in self.curve.loads(frame.at_ns):
            end_ns = stage.stretch.end_ns if stage.stretch.over else math.inf
            within = (middles >= stage.stretch.begin_ns) & (middles < end_ns) & (begins < frame.at_ns)
            if within.any():
                out[within] = self._level(metric, aligned(self.baseline.points, stage.load, stage.closed))
        return out if np.isfinite(out).any() else None

    def _level(self, metric: str, point: Point | None) -> float:
        """p95 in ms; NaN where it is not known."""
        timeline = self.baseline.timeline
        if point is None or timeline is None:
            return math.nan
        span = (point.from_ns, point.to_ns)
        name = METRICS[metric]

        def p95() -> float:
            return float(timeline.sketches(name, span).quantiles_ns((0.95,))[0, 0]) / 1e6

        return _kept(self.baseline, ("level", name, span), p95)

    def _sketched(self, metric: str) -> Sketches | None:
        span, timeline = self.span, self.baseline.timeline
        if span is None or timeline is None:
            return None
        return _kept(self.baseline, (metric, span), lambda: timeline.sketches(METRICS[metric], span))

    def _tps(self) -> float | None:
        span, timeline = self.span, self.baseline.timeline
        if span is None or timeline is None:
            return None
        name, ticks = "input_tokens" if self.frame.only_input else "output_tokens", timeline.ticks

        def rate() -> float:
            a, b = ticks.upto(np.array(span, dtype=np.float64)).tolist()
            return float(ticks[name][a:b].sum()) / max((span[1] - span[0]) / 1e9, 1e-9)

        return _kept(self.baseline, (name, span), rate)

    def _share(self) -> Attained | None:
        span, timeline = self.span, self.baseline.timeline
        if span is None or timeline is None:
            return None
        return _kept(
            self.baseline, ("attained", span), lambda: attained(timeline, self.baseline.against, span)
        )

    def _requests(self) -> int:
        stat = self.frame.e2e_recent if self.frame.e2e_recent is not None else self.frame.ttft_recent
        return stat.count

    def _requests_then(self) -> int:
        found = self._sketched("e2e" if self.frame.only_input else "ttft")
        return 0 if found is None else found.total


def against(curve: CurveMemory, frame: Frame, by: Align) -> Against | None:
    """None where no baseline is loaded."""
    return None if curve.baseline is None else Against(curve.baseline, curve, frame, by)


def charted(frame: Frame) -> Mapping[str, str]:
    """The latency that each of the two charts of the overview is of."""
    if frame.e2e is not None:
        return {"ttft": "e2e"}
    return {"ttft": "ttft", "itl": "chunk_gap" if frame.itl_is_chunk_gap else "itl"}


def _kept(baseline: Baseline, key: object, made: Callable[[], T]) -> T:
    memo = baseline.memo
    if key not in memo:
        if len(memo) >= _MEMO_CAP:
            memo.clear()
        memo[key] = made()
    found: T = memo[key]
    return found
