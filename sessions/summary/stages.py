"""A run cut at its load changes: how latency went with the rate. A ramp is cut into pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np

from sessions.metrics import bears_tokens, ttft_from_due
from sessions.steady.stretch import Stretch, moves, window
from sessions.steady.verdict import Window
from sessions.summary.arithmetic import ms
from sessions.summary.cost import per_million
from sessions.summary.energy import energy_use
from sessions.summary.load_span import LoadSpan
from sessions.summary.plan_schema import window_since
from sessions.summary.schema import Stage
from sessions.timeline.columns import Floats, Ints
from sessions.timeline.energy import EnergyCurve
from sessions.timeline.requests import NONE
from sessions.timeline.sketches import quantiles_ns
from sessions.timeline.streamed import streamed
from sessions.timeline.timeline import Timeline

SHORTEST_NS = 1_000_000_000
PIECES = 12
"""Into which a ramp is cut at most."""
PIECE_SHORTEST_NS = 2_000_000_000
STAGES_CAP = 500
_QS = (0.5, 0.95, 0.99)


def stages(
    timeline: Timeline,
    span: LoadSpan,
    curves: Sequence[EnergyCurve] = (),
    per_hour: float | None = None,
    arrivals: str | None = None,
    live: bool = False,
) -> list[Stage]:
    """One for each stretch of constant load within `span`, in order.

    Those without load or shorter than a second are left out. What was sent is counted exactly, unless some
    requests are still under way: their time is known to a tick only.

    Args:
        curves: of the GPUs that the load runs on; joules are over exactly the stage.
        per_hour: what those GPUs cost; None where that is not known.
        arrivals: of an open loop, `poisson` or `constant`; None: it is not judged here whether a stage was
            steady.
        live: the last stage may go on.
    """
    whole = _whole_run(timeline)
    found: list[Stage] = []
    for from_ns, to_ns, constant in _stretches(timeline, span.start_ns, span.load_end_ns):
        stage = _stage(timeline, whole, span, from_ns, to_ns, curves, per_hour)
        if stage is None:
            continue
        if constant and arrivals is not None and len(found) < STAGES_CAP:
            over = not live or to_ns < span.load_end_ns
            judged = _window(timeline, from_ns, to_ns, over, arrivals == "poisson")
            stage = msgspec.structs.replace(stage, window=window_since(judged, span.start_ns))
        found.append(stage)
    return found[:STAGES_CAP]


def _window(timeline: Timeline, from_ns: int, to_ns: int, over: bool, by_chance: bool) -> Window | None:
    """None while nothing is offered."""
    change = timeline.load(from_ns)
    if change is None or not (change.rate_rps or change.concurrency):
        return None
    return window(timeline, Stretch(from_ns, to_ns, over, change.concurrency is None, by_chance))


class _WholeRun(NamedTuple):
    """What each stage takes its part of."""

    due_ns: Ints
    """When the requests were due that succeeded and have a TTFT; ascending."""
    ttft_ns: Floats
    """TTFT from due of the same requests."""
    sent_ns: Ints | None
    """When each request was sent, ascending; None while some that were sent have not ended."""
    knows_itl: bool
    bears_tokens: bool


def _whole_run(timeline: Timeline) -> _WholeRun:
    ticks, rows = timeline.ticks, timeline.requests.rows
    good = rows[rows["error"] == NONE]
    ttft_ns = ttft_from_due(good)
    known = np.isfinite(ttft_ns)
    sent_ns = np.sort(rows["sent_ns"][rows["sent_ns"] != NONE])
    all_ended = len(sent_ns) >= int(ticks["sent"].sum())
    knows_itl = streamed(timeline, np.inf).itl_is_known
    return _WholeRun(
        good["due_ns"][known], ttft_ns[known], sent_ns if all_ended else None, knows_itl, bears_tokens(good)
    )


def _stretches(timeline: Timeline, start_ns: int, end_ns: int) -> Iterator[tuple[int, int, bool]]:
    """Between changes of load, a ramp in pieces; and whether it is none."""
    cuts = sorted({start_ns, end_ns, *(load.t_ns for load in timeline.loads)})
    cuts = [cut for cut in cuts if start_ns <= cut <= end_ns]
    for from_ns, to_ns in pairwise(cuts):
        if to_ns - from_ns < SHORTEST_NS:
            continue
        ticks = timeline.ticks
        a, b = ticks.upto(np.array([from_ns, to_ns], dtype=np.float64)).tolist()
        pieces = 1
        if moves(ticks["rate_rps"][a:b]):
            pieces = max(1, min(PIECES, (to_ns - from_ns) // PIECE_SHORTEST_NS))
        bounds = [from_ns + (to_ns - from_ns) * i // pieces for i in range(pieces + 1)]
        yield from ((*bound, pieces == 1) for bound in pairwise(bounds))


def _stage(
    timeline: Timeline,
    whole: _WholeRun,
    span: LoadSpan,
    from_ns: int,
    to_ns: int,
    curves: Sequence[EnergyCurve],
    per_hour: float | None,
) -> Stage | None:
    ticks = timeline.ticks
    a, b = ticks.upto(np.array([from_ns, to_ns], dtype=np.float64)).tolist()
    seconds = (to_ns - from_ns) / 1e9
    rates, slots = _offered(ticks["rate_rps"][a:b]), _offered(ticks["concurrency"][a:b])
    # At a low rate nothing may be due for a while: that is load all the same.
    busy = ticks["due"][a:b].any() or ticks["in_flight"][a:b].any() or len(rates) or len(slots)
    if b <= a or not busy:
        return None
    change = timeline.load(from_ns)
    if change is not None and not (change.rate_rps or change.concurrency):
        # Held. The tick in which that began may still show what was offered before.
        held = np.zeros(1)
        rates, slots = (held, slots[:0]) if change.concurrency is None else (rates[:0], held)
    if whole.sent_ns is None:
        sent = int(ticks["sent"][a:b].sum())
    else:
        sent = int(np.diff(np.searchsorted(whole.sent_ns, (from_ns, to_ns)))[0])
    ttft_ns = whole.ttft_ns[slice(*np.searchsorted(whole.due_ns, (from_ns, to_ns)))]
    ttft = np.percentile(ttft_ns, (50, 95, 99)) if len(ttft_ns) else np.full(3, np.nan)
    gaps, itl = (timeline.counts(name, (from_ns, to_ns)) for name in ("chunk_gap", "itl"))
    gap_p50, gap_p95, gap_p99 = quantiles_ns(gaps, _QS)[0]
    itl_p50, itl_p95, itl_p99 = quantiles_ns(itl, _QS)[0] if whole.knows_itl else np.full(3, np.nan)
    output_tps = float(ticks["output_tokens"][a:b].sum()) / seconds
    energy = energy_use(curves, from_ns, min(to_ns, span.measured_end_ns), output_tps * seconds)
    return Stage(
        from_s=round((from_ns - span.start_ns) / 1e9, 3),
        to_s=round((to_ns - span.start_ns) / 1e9, 3),
        offered_rps=_mean(rates),
        concurrency=_mean(slots),
        achieved_rps=sent / seconds,
        output_tps=output_tps if whole.bears_tokens else None,
        count=len(ttft_ns),
        ttft_p50_ms=ms(ttft[0]),
        ttft_p95_ms=ms(ttft[1]),
        ttft_p99_ms=ms(ttft[2]),
        chunk_gap_p50_ms=ms(gap_p50),
        chunk_gap_p95_ms=ms(gap_p95),
        chunk_gap_p99_ms=ms(gap_p99),
        itl_p50_ms=ms(itl_p50),
        itl_p95_ms=ms(itl_p95),
        itl_p99_ms=ms(itl_p99),
        joules=energy.joules,
        mean_w=energy.mean_w,
        j_per_output_token=energy.j_per_output_token,
        output_tps_per_w=energy.output_tps_per_w,
        cost_per_million_output_tokens=None if per_hour is None else per_million(per_hour, output_tps),
    )


def _offered(values: Floats) -> Floats:
    """What was offered while there was load: a worker's last tick may find it over already."""
    return values[values > 0]


def _mean(values: Floats) -> float | None:
    finite = np.sort(values[np.isfinite(values)])
    return float(finite.mean()) if len(finite) else None
