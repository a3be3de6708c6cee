"""A run cut at its load changes: how latency went with the rate. A ramp is cut into pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from sessions.columns import Floats, quantiles_ns
from sessions.energy import EnergyCurve, described, used
from sessions.prices import per_million
from sessions.timeline import Timeline

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
    meters: Sequence[EnergyCurve] = (),
    per_hour: float | None = None,
) -> list[dict[str, object]]:
    """One object a stage of constant load within `[start_ns, end_ns]`, seconds counted from `start_ns`.

    `due_ns` and `ttft_ns` are those of the requests that succeeded, in any order. TTFT is exact, by when a
    request was due; ITL comes from the sketches (1 %), by when a token came. Stages without load or shorter
    than a second are left out. `meters` are those of the GPUs that the load runs on, `per_hour` what they
    cost; joules and money are over exactly the stage.
    """
    order = np.lexsort((ttft_ns, due_ns))
    due_ns, ttft_ns = due_ns[order], ttft_ns[order]
    found: list[dict[str, object]] = []
    for from_ns, to_ns in _spans(timeline, start_ns, end_ns):
        step = _step(
            timeline, start_ns, from_ns, to_ns, ttft_ns[slice(*np.searchsorted(due_ns, (from_ns, to_ns)))]
        )
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
    timeline: Timeline, start_ns: int, from_ns: int, to_ns: int, ttft_ns: Floats
) -> dict[str, object] | None:
    ticks = timeline.ticks
    a, b = ticks.upto(np.array([from_ns, to_ns], dtype=np.float64)).tolist()
    if b <= a or not (ticks["due"][a:b].any() or ticks["in_flight"][a:b].any()):
        return None
    seconds = (to_ns - from_ns) / 1e9
    rates, slots = _offered(ticks["rate_rps"][a:b]), _offered(ticks["concurrency"][a:b])
    itl = timeline.counts("itl", (from_ns, to_ns))
    if 2 * itl.sum() < (gaps := timeline.counts("chunk_gap", (from_ns, to_ns))).sum():
        itl = gaps
    itl_p50, itl_p99 = quantiles_ns(itl, (0.5, 0.99))[0]
    ttft_p50, ttft_p99 = np.percentile(ttft_ns, (50, 99)) if len(ttft_ns) else (np.nan, np.nan)
    return {
        "from_s": round((from_ns - start_ns) / 1e9, 3),
        "to_s": round((to_ns - start_ns) / 1e9, 3),
        "offered_rps": _mean(rates),
        "concurrency": _mean(slots),
        "achieved_rps": float(ticks["sent"][a:b].sum()) / seconds,
        "output_tps": float(ticks["output_tokens"][a:b].sum()) / seconds,
        "count": len(ttft_ns),
        "ttft_p50_ms": _ms(ttft_p50),
        "ttft_p99_ms": _ms(ttft_p99),
        "itl_p50_ms": _ms(itl_p50),
        "itl_p99_ms": _ms(itl_p99),
    }


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
