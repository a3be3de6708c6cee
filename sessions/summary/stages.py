"""A run cut at its load changes: how latency went with the rate. A ramp is cut into pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from sessions.metrics import itl_is_known
from sessions.summary.prices import per_million
from sessions.timeline.columns import Floats
from sessions.timeline.energy import EnergyCurve, described, used
from sessions.timeline.sketches import quantiles_ns
from sessions.timeline.timeline import Timeline

SHORTEST_NS = 1_000_000_000
PIECES = 12
PIECE_SHORTEST_NS = 2_000_000_000
STEPS_CAP = 500


def steps(
    timeline: Timeline,
    start_ns: int,
    end_ns: int,
    due_ns: Floats,
    ttft_ns: Floats,
    sent_ns: Floats,
    meters: Sequence[EnergyCurve] = (),
    per_hour: float | None = None,
) -> list[dict[str, object]]:
    """One object a stage of constant load within `[start_ns, end_ns]`, seconds counted from `start_ns`.

    `due_ns` and `ttft_ns` are those of the requests that succeeded, `sent_ns` of all that ended, in any
    order. TTFT is exact, by when a request was due; ITL and chunk gaps come from the sketches (1 %), by when
    a token came; ITL is None where only the gaps are known. What was sent is counted exactly, unless requests
    are still under way: their time is known to a tick only. Stages without load or shorter
    than a second are left out. `meters` are those of the GPUs that the load runs on, `per_hour` what they
    cost; joules and money are over exactly the stage.
    """
    knows_itl = _knows_itl(timeline)
    exact = len(sent_ns) >= int(timeline.ticks["sent"].sum())
    sent_ns = np.sort(sent_ns)
    order = np.lexsort((ttft_ns, due_ns))
    due_ns, ttft_ns = due_ns[order], ttft_ns[order]
    found: list[dict[str, object]] = []
    for from_ns, to_ns in _spans(timeline, start_ns, end_ns):
        ttft = ttft_ns[slice(*np.searchsorted(due_ns, (from_ns, to_ns)))]
        sent = int(np.diff(np.searchsorted(sent_ns, (from_ns, to_ns)))[0]) if exact else None
        step = _step(timeline, start_ns, from_ns, to_ns, ttft, sent, knows_itl)
        if step is not None:
            found.append({**step, **_used(step, from_ns, to_ns, meters, per_hour)})
    return found[:STEPS_CAP]


def _spans(timeline: Timeline, start_ns: int, end_ns: int) -> Iterator[tuple[int, int]]:
    cuts = sorted({start_ns, end_ns, *(load.t_ns for load in timeline.loads)})
    cuts = [cut for cut in cuts if start_ns <= cut <= end_ns]
    for from_ns, to_ns in pairwise(cuts):
        if to_ns - from_ns < SHORTEST_NS:
            continue
        ticks = timeline.ticks
        a, b = ticks.upto(np.array([from_ns, to_ns], dtype=np.float64)).tolist()
        rates = _offered(ticks["rate_rps"][a:b])
        pieces = 1
        if len(rates) and np.ptp(rates) > 0.05 * rates.max():
            pieces = max(1, min(PIECES, (to_ns - from_ns) // PIECE_SHORTEST_NS))
        bounds = [from_ns + (to_ns - from_ns) * i // pieces for i in range(pieces + 1)]
        yield from pairwise(bounds)


def _step(
    timeline: Timeline,
    start_ns: int,
    from_ns: int,
    to_ns: int,
    ttft_ns: Floats,
    sent: int | None,
    knows_itl: bool,
) -> dict[str, object] | None:
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
    if sent is None:
        sent = int(ticks["sent"][a:b].sum())
    gaps, itl = (timeline.counts(name, (from_ns, to_ns)) for name in ("chunk_gap", "itl"))
    gap_p50, gap_p99 = quantiles_ns(gaps, (0.5, 0.99))[0]
    itl_p50, itl_p99 = quantiles_ns(itl, (0.5, 0.99))[0] if knows_itl else (np.nan, np.nan)
    ttft_p50, ttft_p99 = np.percentile(ttft_ns, (50, 99)) if len(ttft_ns) else (np.nan, np.nan)
    return {
        "from_s": round((from_ns - start_ns) / 1e9, 3),
        "to_s": round((to_ns - start_ns) / 1e9, 3),
        "offered_rps": _mean(rates),
        "concurrency": _mean(slots),
        "achieved_rps": sent / seconds,
        "output_tps": float(ticks["output_tokens"][a:b].sum()) / seconds,
        "count": len(ttft_ns),
        "ttft_p50_ms": _ms(ttft_p50),
        "ttft_p99_ms": _ms(ttft_p99),
        "chunk_gap_p50_ms": _ms(gap_p50),
        "chunk_gap_p99_ms": _ms(gap_p99),
        "itl_p50_ms": _ms(itl_p50),
        "itl_p99_ms": _ms(itl_p99),
    }


def _knows_itl(timeline: Timeline) -> bool:
    ticks = timeline.ticks
    itl, gaps = (int(timeline.counts(name, (-1.0, np.inf)).sum()) for name in ("itl", "chunk_gap"))
    return itl_is_known(itl, gaps, int(ticks["itl_unknown"].sum()), int(ticks["succeeded"].sum()))


def _used(
    step: Mapping[str, object],
    from_ns: int,
    to_ns: int,
    meters: Sequence[EnergyCurve],
    per_hour: float | None,
) -> dict[str, object]:
    output_tps = step["output_tps"]
    assert isinstance(output_tps, float)
    seconds = (to_ns - from_ns) / 1e9
    energy = described(used(meters, from_ns, to_ns), seconds, output_tps * seconds)
    names = ("joules", "mean_w", "j_per_output_token", "output_tps_per_w")
    money = None if per_hour is None else per_million(per_hour, output_tps)
    return {**{name: energy[name] for name in names}, "cost_per_million_output_tokens": money}


def _offered(values: Floats) -> Floats:
    """What was offered while there was load: a worker's last tick may find it over already."""
    return values[values > 0]


def _mean(values: Floats) -> float | None:
    finite = np.sort(values[np.isfinite(values)])
    return float(finite.mean()) if len(finite) else None


def _ms(ns: float) -> float | None:
    return None if np.isnan(ns) else round(float(ns) / 1e6, 6)
