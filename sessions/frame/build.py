"""A timeline at one instant, as the frame a screen draws. Pure: the same data and instant, the same frame.

Columns stand on absolute multiples of `slot_ns`, so that a chart moves only when a column closes.
"""

from __future__ import annotations

import numpy as np

from sessions.bottleneck.client_headroom import doubt
from sessions.bottleneck.client_saturation import saturation_now
from sessions.bottleneck.history import BottleneckHistory
from sessions.frame.gpus import RECENT_NS, Axis, gpu_note, gpus_at, poll_ms_at, power_at
from sessions.frame.schema import Band, ChartMark, Frame, Limit, Stat
from sessions.frame.server_hosts import hosts_at, server_at
from sessions.metrics import QUANTILES, THIN_FLOORS, itl_is_known
from sessions.store.manifest import END_REASONS, Manifest
from sessions.timeline.columns import Floats, Ints, binned, quantiles_ns
from sessions.timeline.timeline import Event, Timeline

_GAUGE_AGE_NS = 5_000_000_000
_MARKS_CAP = 2000
_SHOWN = ("p50", "p95", "p99")
_QS = tuple(QUANTILES[name] for name in _SHOWN)


def build(
    timeline: Timeline,
    manifest: Manifest | None,
    *,
    at_ns: int,
    window_ns: int,
    slots: int,
    live: bool,
    killed: bool,
    session: str = "",
    limits: BottleneckHistory | None = None,
) -> Frame:
    """The frame at `at_ns`: `slots` columns of `window_ns // slots`, the last of which holds `at_ns`.

    `session` names the session while there is no manifest; `limits` is kept from frame to frame by those
    who draw many. Columns narrower than a tick leave gaps.
    """
    limits = BottleneckHistory(timeline) if limits is None else limits
    slots = max(slots, 1)
    slot_ns = max(window_ns // slots, 1)
    end_ns = max(-(-at_ns // slot_ns), 1) * slot_ns
    start_ns = end_ns - slots * slot_ns
    edges = np.minimum(start_ns + np.arange(slots + 1, dtype=np.float64) * slot_ns, at_ns)
    axis = Axis(at_ns, start_ns, slot_ns, slots, edges)

    ticks = timeline.ticks
    row = int(ticks.upto(at_ns))
    totals = {name: int(ticks[name][:row].sum()) for name in _TOTALS}
    recent = _rates(timeline, np.array([at_ns - RECENT_NS, at_ns], dtype=np.float64))
    series = _rates(timeline, edges)
    in_flight, backlog = _standing(timeline, at_ns)
    ttft_run = timeline.counts("ttft_from_due", (-1.0, at_ns))
    itl_run = timeline.counts("itl", (-1.0, at_ns))
    gap_run = timeline.counts("chunk_gap", (-1.0, at_ns))
    is_gap = not itl_is_known(
        int(itl_run.sum()), int(gap_run.sum()), totals["itl_unknown"], totals["succeeded"]
    )
    itl = "chunk_gap" if is_gap else "itl"
    ttft_recent = timeline.counts("ttft_from_due", (at_ns - RECENT_NS, at_ns))
    trouble = saturation_now(timeline, at_ns, float(quantiles_ns(ttft_recent, (0.5,))[0, 0]))
    state, message = _state(timeline, manifest, at_ns, killed)
    rate, concurrency = _offered(timeline, at_ns)
    closed = manifest is not None and manifest.config.load.concurrency is not None
    gpus = gpus_at(timeline, axis)
    began = 0 < timeline.first_ns <= at_ns
    return Frame(
        session=manifest.session.name or manifest.session.id if manifest is not None else session,
        target=manifest.target if manifest is not None else "",
        model=manifest.model if manifest is not None else "",
        simulated=(manifest is not None and manifest.simulated) or timeline.simulated(at_ns),
        state=state,
        state_message=message,
        unreachable_since_ns=None if state in ("ended", "killed") else timeline.unreachable_since(at_ns),
        at_ns=at_ns,
        first_ns=timeline.first_ns if began else 0,
        last_ns=timeline.known_ns,
        live=live,
        start_ns=start_ns,
        slot_ns=slot_ns,
        slots=slots,
        closed_loop=closed,
        rate_rps=None if closed else rate,
        concurrency=concurrency,
        due_rps=_one(recent["due"]),
        achieved_rps=_one(recent["sent"]),
        completed_rps=_one(recent["succeeded"]),
        in_flight=in_flight,
        backlog=backlog,
        due=totals["due"],
        sent=totals["sent"],
        succeeded=totals["succeeded"],
        failed=totals["failed"],
        not_sent=totals["not_sent"],
        stale_retries=totals["stale_retries"],
        errors=timeline.errors(at_ns),
        output_tps=_one(recent["output_tokens"]),
        tokens_per_chunk=None
        if is_gap or not totals["chunks"]
        else totals["output_tokens"] / totals["chunks"],
        itl_is_chunk_gap=is_gap,
        recent_s=RECENT_NS / 1e9,
        ttft_recent=_stat(ttft_recent),
        ttft_run=_stat(ttft_run),
        itl_recent=_stat(timeline.counts(itl, (at_ns - RECENT_NS, at_ns))),
        itl_run=_stat(gap_run if is_gap else itl_run),
        send_lag_recent=_stat(timeline.counts("send_lag", (at_ns - RECENT_NS, at_ns))),
        ttft=_band(timeline, "ttft_from_due", edges),
        itl=_band(timeline, itl, edges),
        offered=series["rate_rps"],
        achieved=series["sent"],
        output_tokens=series["output_tokens"],
        in_flight_series=series["in_flight"],
        failed_series=series["failed"],
        gpus=gpus,
        gpu_note=gpu_note(timeline, manifest, at_ns) if all(gpu.stale for gpu in gpus) else "",
        server=server_at(timeline, axis),
        hosts=hosts_at(timeline, at_ns),
        power=power_at(timeline, at_ns),
        poll_ms=poll_ms_at(timeline, at_ns),
        limit=_limit(limits, at_ns),
        marks=tuple(
            ChartMark(event.t_ns, axis.slot(event.t_ns), event.kind, event.label)
            for event in _events(limits, timeline, at_ns)
        ),
        client_saturated=trouble.saturated,
        client_note=trouble.note or doubt(timeline, manifest, at_ns),
    )


_TOTALS = (
    *("due", "sent", "succeeded", "failed", "not_sent", "stale_retries"),
    *("chunks", "output_tokens", "itl_unknown"),
)
_PER_SECOND = ("due", "sent", "succeeded", "failed", "output_tokens")


def _rates(timeline: Timeline, edges: Floats) -> dict[str, Floats]:
    """Per column: counts a second and mean in-flight, each worker's added up; mean offered rate.

    Divided by the time that the ticks cover, not by the column's length: the open column is not low for
    being open. NaN where no tick ended.
    """
    ticks = timeline.ticks
    rows = ticks.upto(edges)
    a, b = int(rows[0]), int(rows[-1])
    columns, workers = len(edges) - 1, max(len(timeline.workers), 1)
    column = np.repeat(np.arange(columns), np.diff(rows))
    worker = np.searchsorted(np.array(timeline.workers), ticks["worker"][a:b])
    key = column * workers + worker
    dt = ticks["dt"][a:b]

    def by_worker(weights: Floats) -> Floats:
        return binned(key, weights, columns * workers).reshape(columns, workers)

    covered = by_worker(dt)
    seen = covered.any(axis=1)
    out: dict[str, Floats] = {}
    for name in (*_PER_SECOND, "in_flight"):
        values = ticks[name][a:b]
        gained = by_worker(values * dt / 1e9 if name == "in_flight" else values)
        share = np.divide(gained * 1e9, covered, out=np.zeros_like(gained), where=covered > 0)
        out[name] = np.where(seen, share.sum(axis=1), np.nan)
    offered = ticks["rate_rps"][a:b]
    known = ~np.isnan(offered)
    sums = binned(column[known], offered[known], columns)
    counts = np.bincount(column[known], minlength=columns)
    out["rate_rps"] = np.divide(sums, counts, out=np.full(columns, np.nan), where=counts > 0)
    return out


def _one(values: Floats) -> float | None:
    return None if np.isnan(values[0]) else float(values[0])


def _standing(timeline: Timeline, at_ns: int) -> tuple[int, int]:
    """In flight and backlog now: each worker's newest tick, unless it is too old to be alive."""
    ticks = timeline.ticks
    a, b = ticks.upto(np.array([at_ns - _GAUGE_AGE_NS, at_ns], dtype=np.float64)).tolist()
    newest = {int(worker): i for i, worker in enumerate(ticks["worker"][a:b].tolist(), a)}
    rows = list(newest.values())
    return int(ticks["in_flight"][rows].sum()), int(ticks["backlog"][rows].sum())


def _limit(limits: BottleneckHistory, at_ns: int) -> Limit:
    found = limits.at(at_ns)
    return Limit(found.limit, found.why, limits.since_ns(at_ns))


def _events(limits: BottleneckHistory, timeline: Timeline, at_ns: int) -> list[Event]:
    """What happened and what bound, by time."""
    return sorted([*timeline.events_upto(at_ns)[-_MARKS_CAP:], *limits.events(at_ns)])[-_MARKS_CAP:]


def _offered(timeline: Timeline, at_ns: int) -> tuple[float | None, int | None]:
    """Rate and concurrency asked for now: of the newest tick, or of a change made since."""
    ticks = timeline.ticks
    row = int(ticks.upto(at_ns))
    change = timeline.load(at_ns)
    if change is not None and (not row or change.t_ns > ticks["t"][row - 1]):
        return change.rate_rps, change.concurrency
    if not row:
        return None, None
    rate, slots = ticks["rate_rps"][row - 1], ticks["concurrency"][row - 1]
    return (None if np.isnan(rate) else float(rate)), (None if np.isnan(slots) else int(slots))


def _stat(counts: Ints) -> Stat:
    n = int(counts.sum())
    if not n:
        return Stat()
    p50, p95, p99 = (float(value) / 1e6 for value in quantiles_ns(counts, _QS)[0])
    return Stat(n, p50, p95, p99, frozenset(name for name in _SHOWN if n < THIN_FLOORS[name]))


def _band(timeline: Timeline, metric: str, edges: Floats) -> Band:
    p50, p95, p99 = quantiles_ns(timeline.counts(metric, edges), _QS).T / 1e6
    return Band(p50, p95, p99)


def _state(timeline: Timeline, manifest: Manifest | None, at_ns: int, killed: bool) -> tuple[str, str]:
    end = timeline.end
    if end is not None and end.t_ns <= at_ns:
        return "ended", _sentence(end.reason, end.message)
    if end is None and at_ns >= timeline.newest_ns:
        if killed:
            return "killed", END_REASONS["killed"]
        if manifest is not None and manifest.end is not None:
            return "ended", _sentence(manifest.end.reason, manifest.end.message)
    return timeline.state(at_ns)


def _sentence(reason: str, message: str) -> str:
    said = END_REASONS.get(reason, reason)
    return f"{said}: {message}" if message and message != said else said
