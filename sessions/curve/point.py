"""What one load came to: latency, throughput and who held the targets, each with how sure it is.

First tokens, gaps and tokens count where they came, in the part of the stretch that is measured
(`sessions.steady`), once what was due before it is answered (`sessions.curve.cleared`): what is known of an
instant is the same live and in a replay. Figures are of sketches, within 1 %; the exact ones of a stage, by
when its requests were due, are a summary's.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from loadgen.sketch import GROWTH
from sessions.compare.blocks import Counts, Estimate, Quantity, Sums, estimate
from sessions.compare.student import t_quantile
from sessions.curve.cleared import cleared_ns
from sessions.curve.loads import LoadStage
from sessions.metrics import THIN_FLOORS, itl_is_known
from sessions.steady.stretch import window
from sessions.store.manifest import Manifest
from sessions.timeline.attained import Attained, attained
from sessions.timeline.columns import Floats
from sessions.timeline.load_gpus import powered
from sessions.timeline.sketches import VALUES_NS, Sketches
from sessions.timeline.timeline import Timeline

CELLS = (8, 64)
_CELL_NS = 500_000_000
_TAIL = 0.025
"""On each side of an interval."""
RAMP = "ramp"
BEHIND = "no answers yet but of the load before"


class Figure(NamedTuple):
    """A figure and the interval in which it lies in 95 of 100 cases, by a bootstrap over blocks of time."""

    value: float | None = None
    """None where nothing was observed."""
    low: float | None = None
    high: float | None = None
    """None where the stretch is too short to tell, or where that is still to be found out."""
    thin: bool = False
    """It rests on too few samples."""


class Point(NamedTuple):
    """One load. Latencies in ms."""

    stage: LoadStage
    from_ns: int
    to_ns: int
    """The part that the figures are of."""
    verdict: str
    """As `sessions.steady.verdict.Verdict`, or `ramp`."""
    why: str
    first_tokens: int
    due: int
    """Requests that were due while the load was on, in the measured part or not."""

    ttft_p50: float | None
    ttft_p95: Figure
    ttft_p99: float | None
    itl_p50: float | None
    itl_p95: Figure
    itl_is_gap: bool
    """Only the gaps between chunks are known, and stand in its place."""
    output_tps: Figure
    """None where no tokens are known."""
    done_rps: float | None
    """Answers that succeeded, per second; None, as all other figures, while there is no part to measure."""
    user_tps: float | None
    """Tokens per second of one who reads along: 1 over the mean ITL; None where no ITL is known."""
    gpus: int
    """On which the load ran; 0 where that is not known."""
    attained: Attained | None
    """Of the target which fewest held; None without targets."""
    only_input: bool = False
    """Answers have no tokens (embeddings): `ttft_*` and `first_tokens` are of whole answers, E2E from due,
    and `output_tps` is of the tokens of prompts."""
    due_rps: float | None = None
    """Requests that were due in the measured part, per second; None of a load whose requests wait for others
    (closed loop), or where nothing was measured."""

    @property
    def is_steady(self) -> bool:
        return self.verdict == "steady"

    @property
    def goodput_rps(self) -> float | None:
        if self.attained is None or self.attained.of != "requests" or self.done_rps is None:
            return None
        # More may end than is due while a queue is worked off: those are answers to the load before.
        rate = self.done_rps if self.due_rps is None else min(self.done_rps, self.due_rps)
        return self.attained.share * rate

    @property
    def gpu_tps(self) -> float | None:
        tps = self.output_tps.value
        return tps / self.gpus if tps is not None and self.gpus else None


def point_of(timeline: Timeline, manifest: Manifest | None, stage: LoadStage) -> Point:
    """Without intervals: `with_intervals` has what they cost."""
    stretch = stage.stretch
    judged = None if stage.ramp else window(timeline, stretch)
    from_ns, to_ns = stretch.begin_ns, stretch.end_ns
    # What is left behind a warm-up may be too little to show anything of; all of it then is hollow.
    if judged is not None and (judged.to_ns - judged.from_ns) * 2 >= to_ns - from_ns:
        from_ns, to_ns = judged.from_ns, judged.to_ns
    clear_ns = cleared_ns(timeline, stage.since_ns, to_ns)
    from_ns = to_ns if clear_ns is None else min(max(from_ns, clear_ns), to_ns)
    span = (from_ns, to_ns)
    ttft, itl, gaps = (timeline.sketches(name, span) for name in ("ttft_from_due", "itl", "chunk_gap"))
    is_gap = not itl_is_known(itl.total, gaps.total, 0, 0)
    whole = timeline.sketches("e2e", span)
    only_input = not (ttft.total or gaps.total or itl.total) and whole.total > 0
    ttft = whole if only_input else ttft
    shown = gaps if is_gap else itl
    seconds = max(to_ns - from_ns, 1) / 1e9
    ticks = timeline.ticks
    begin, a, b = ticks.upto(np.array([stretch.begin_ns, *span], dtype=np.float64)).tolist()
    tokens = float(ticks["input_tokens" if only_input else "output_tokens"][a:b].sum())
    mean_ns = None if is_gap or not itl.total else _mean_ns(itl)
    ttft_p50, ttft_p95, ttft_p99 = _ms(ttft)
    itl_p50, itl_p95, _ = _ms(shown)
    why = "the load moves" if stage.ramp else "" if judged is None else judged.why
    return Point(
        stage=stage,
        from_ns=from_ns,
        to_ns=to_ns,
        verdict=RAMP if stage.ramp else "settling" if judged is None else judged.verdict,
        why=BEHIND if from_ns == to_ns else why,
        first_tokens=ttft.total,
        due=int(ticks["due"][begin:b].sum()),
        ttft_p50=ttft_p50,
        ttft_p95=Figure(ttft_p95, thin=ttft.total < THIN_FLOORS["p95"]),
        ttft_p99=ttft_p99,
        itl_p50=itl_p50,
        itl_p95=Figure(itl_p95, thin=shown.total < THIN_FLOORS["p95"]),
        itl_is_gap=is_gap,
        output_tps=Figure(tokens / seconds if tokens else None),
        done_rps=float(ticks["succeeded"][a:b].sum()) / seconds if to_ns > from_ns else None,
        user_tps=1e9 / mean_ns if mean_ns else None,
        gpus=len(powered(timeline.gpus, to_ns)),
        attained=attained(timeline, manifest, span),
        only_input=only_input,
        due_rps=float(ticks["due"][a:b].sum()) / seconds if to_ns > from_ns and not stage.closed else None,
    )


def with_intervals(timeline: Timeline, point: Point) -> Point:
    """The same, with how sure its figures are: some milliseconds of work."""
    length_ns = point.to_ns - point.from_ns
    if not length_ns:
        return point
    cells = int(min(max(length_ns // _CELL_NS, CELLS[0]), CELLS[1]))
    edges = np.linspace(point.from_ns, point.to_ns, cells + 1)
    cell_s = length_ns / 1e9 / cells
    least = max(1, math.ceil(_stream_s(timeline, point) / max(cell_s, 1e-9)))
    ticks = timeline.ticks
    counted = "input_tokens" if point.only_input else "output_tokens"
    tokens: Floats = ticks.sums((counted,), ticks.upto(edges))[0].sum(axis=1)
    gaps = "chunk_gap" if point.itl_is_gap else "itl"
    first = "e2e" if point.only_input else "ttft_from_due"
    return point._replace(
        ttft_p95=_sure(point.ttft_p95, _counts(timeline.sketches(first, edges)), least),
        itl_p95=_sure(point.itl_p95, _counts(timeline.sketches(gaps, edges)), least),
        output_tps=_sure(point.output_tps, Sums(tokens, np.full(cells, cell_s)), least),
    )


def _sure(figure: Figure, quantity: Quantity, least: int) -> Figure:
    found: Estimate | None = None if figure.value is None else estimate(quantity, least, figure.value)
    if found is None or found.error is None or figure.value is None:
        return figure
    reach = math.exp(min(found.error * t_quantile(_TAIL, max(found.blocks - 1, 1.0)), 50.0))
    return figure._replace(low=figure.value / reach, high=figure.value * reach)


def _counts(found: Sketches) -> Counts:
    """Buckets that were hit, and no others: the draws cost by how many there are."""
    hit = np.flatnonzero(found.counts.any(axis=0))
    values_ms = np.maximum(VALUES_NS[found.low + hit], 1.0) / 1e6
    return Counts(values_ms, found.counts[:, hit].astype(np.float32), 0.95, math.log(GROWTH))


def _stream_s(timeline: Timeline, point: Point) -> float:
    """How long an answer usually streams: requests that are in a batch together share their fate."""
    _, e2e = timeline.quantiles("e2e", point.from_ns, point.to_ns, (0.5,))
    whole_s = float(e2e[0]) / 1e9
    return max(whole_s - (point.ttft_p50 or 0.0) / 1e3, 0.0) if math.isfinite(whole_s) else 0.0


def _mean_ns(found: Sketches) -> float:
    """Summed up exactly: how many buckets beside these were ever hit must leave no trace."""
    hit = np.flatnonzero(found.counts[0])
    weighed = found.counts[0, hit] * VALUES_NS[found.low + hit]
    return math.fsum(weighed.tolist()) / found.total


def _ms(found: Sketches) -> list[float | None]:
    """p50, p95 and p99."""
    return [None if math.isnan(ns) else ns / 1e6 for ns in found.quantiles_ns((0.5, 0.95, 0.99))[0].tolist()]
