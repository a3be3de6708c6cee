"""A timeline at one instant, as the frame a screen draws. Pure: the same data and instant, the same frame.

Columns stand on absolute multiples of `slot_ns`, so that a chart moves only when a column closes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

import numpy as np

from loadgen.errors import cause_words
from sessions.bottleneck.client_headroom import warning
from sessions.bottleneck.client_saturation import saturation_now
from sessions.bottleneck.history import BottleneckHistory
from sessions.bottleneck.rules import UNJUDGED
from sessions.frame.by_target import lost_targets
from sessions.frame.gpus import RECENT_NS, gpu_note, gpus_at, poll_ms_at, power_at
from sessions.frame.heading import heading
from sessions.frame.held_means import Axis
from sessions.frame.limit_now import limit_now
from sessions.frame.outcome import outcome_of
from sessions.frame.plan import plan_at
from sessions.frame.schema import Band, Cause, ChartMark, Frame, Limit
from sessions.frame.server_hosts import hosts_at, server_at
from sessions.frame.stats import stat_of
from sessions.frame.targets import targets_at
from sessions.frame.workload import workload_at
from sessions.steady.stretch import WindowNow
from sessions.store.manifest import END_REASONS, Manifest
from sessions.timeline.attained import Attained, attained
from sessions.timeline.columns import Floats
from sessions.timeline.event import Event
from sessions.timeline.failures import Cause as TimelineCause
from sessions.timeline.streamed import streamed
from sessions.timeline.timeline import Timeline

_GAUGE_AGE_NS = 5_000_000_000
_MARKS_CAP = 2000
JUDGED_A_FRAME = 90
"""Seconds of the session, about, of which one frame finds out what bound. A screen that draws 10 frames a
second has gone through an hour in 4 s."""
FAILING_LEAST, FAILING_SHARE = 3, 0.9
"""So many failures, and such a share of what ended, are said across the screen."""
_CAUSES_CAP = 8
_LAST_TICKS = 4096
CLIENT_BLOCKS = 4
"""Times 4096 ticks of which one frame finds out, at most, how the client was."""


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
    history: BottleneckHistory | None = None,
    windows: WindowNow | None = None,
    start_ns: int | None = None,
) -> Frame:
    """The frame at `at_ns`: `slots` columns of `window_ns // slots`.

    Args:
        session: its name while there is no manifest.
        history: what bound when, kept from frame to frame by those who draw many: each of them judges a
            bounded number of seconds more.
        windows: likewise, of the verdict on the load that is on.
        start_ns: where the first column begins, a multiple of a column's length; None where the last column
            holds `at_ns`. Columns beyond `at_ns` are gaps, and so are some that are narrower than a tick.
    """
    history = BottleneckHistory(timeline) if history is None else history
    windows = WindowNow(timeline) if windows is None else windows
    slots = max(slots, 1)
    slot_ns = max(window_ns // slots, 1)
    if start_ns is None:
        start_ns = (max(-(-at_ns // slot_ns), 1) - slots) * slot_ns
    edges = np.minimum(start_ns + np.arange(slots + 1, dtype=np.float64) * slot_ns, at_ns)
    axis = Axis(at_ns, start_ns, slot_ns, slots, edges)

    ticks = timeline.ticks
    row = int(ticks.upto(at_ns))
    gained = ticks.sums(_TOTALS, np.array([0, row])).sum(axis=(1, 2)).astype(np.int64)
    totals = dict(zip(_TOTALS, gained.tolist(), strict=True))
    series = rates(timeline, edges)
    in_flight, backlog = _standing(timeline, at_ns)
    run = streamed(timeline, at_ns)
    is_gap = not run.itl_is_known
    itl = "chunk_gap" if is_gap else "itl"
    only_input = manifest is not None and manifest.server.get("endpoint") == "embeddings"
    only_input |= totals["input_tokens"] > 0 and not (totals["chunks"] or totals["output_tokens"])
    trouble = saturation_now(timeline, at_ns)
    troubled = history.client.upto(at_ns, CLIENT_BLOCKS)
    state, message = _state(timeline, manifest, at_ns, killed)
    over = state in ("ended", "killed")
    outcome = outcome_of(manifest, over=over)
    lately = (min(timeline.first_ns, at_ns) if over else at_ns - RECENT_NS, at_ns)
    recent = rates(timeline, np.array(lately, dtype=np.float64))
    since_ns = lately[0] if over else max(lately[0], _changed_ns(timeline, at_ns))
    of_load = recent
    if since_ns > lately[0]:
        of_load = rates(timeline, np.array([since_ns, at_ns], dtype=np.float64))
    targets = len(timeline.targets.each)
    unreachable_since_ns = None if over else timeline.reach.unreachable_since(at_ns, targets)
    rate, concurrency = _offered(timeline, at_ns)
    closed = _closed_loop(timeline, manifest, at_ns)
    gpus, server = gpus_at(timeline, axis), server_at(timeline, axis)
    began = 0 < timeline.first_ns <= at_ns
    config = None if manifest is None else manifest.config
    plan = None if config is None else plan_at(timeline, config.plan, at_ns, config, state)
    limit, pending = _limit(history, at_ns)
    causes = timeline.causes(at_ns)
    return Frame(
        session=manifest.session.name or manifest.session.id if manifest is not None else session,
        target=manifest.target if manifest is not None else "",
        model=manifest.model if manifest is not None else "",
        imported=manifest is not None and manifest.imported is not None,
        simulated=(manifest is not None and manifest.simulated) or timeline.simulated(at_ns),
        state=state,
        state_message=message,
        unreachable_since_ns=unreachable_since_ns,
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
        due_rps=_one(of_load["due"]),
        achieved_rps=_one(of_load["sent"]),
        completed_rps=_one(of_load["succeeded"]),
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
        only_input=only_input,
        input_tps=_one(recent["input_tokens"]),
        tokens_per_chunk=None
        if is_gap or not totals["chunks"]
        else totals["output_tokens"] / totals["chunks"],
        itl_is_chunk_gap=is_gap,
        recent_s=float(-(-(lately[1] - lately[0]) // 1_000_000_000)),
        ttft_recent=stat_of(timeline.sketches("ttft_from_due", lately)),
        ttft_run=stat_of(run.ttft_from_due),
        itl_recent=stat_of(timeline.sketches(itl, lately)),
        itl_run=stat_of(run.shown_gaps),
        send_lag_recent=stat_of(timeline.sketches("send_lag", lately)),
        ttft=_band(timeline, "ttft_from_due", edges),
        itl=_band(timeline, itl, edges),
        offered=series["rate_rps"],
        achieved=series["sent"],
        output_tokens=series["output_tokens"],
        input_tokens=series["input_tokens"],
        in_flight_series=series["in_flight"],
        failed_series=series["failed"],
        gpus=gpus,
        gpu_note=gpu_note(timeline, manifest, at_ns) if all(gpu.stale for gpu in gpus) else "",
        server=server,
        hosts=hosts_at(timeline, at_ns),
        power=power_at(timeline, at_ns),
        poll_ms=poll_ms_at(timeline, at_ns),
        plan=plan,
        window=None if manifest is None else windows.at(manifest.config.load, manifest.config.plan, at_ns),
        limit=limit if over else limit_now(limit, server, gpus, in_flight=in_flight, closed=closed),
        limits_pending=pending,
        marks=tuple(
            ChartMark(event.t_ns, axis.slot(event.t_ns), event.kind, event.label)
            for event in _events(history, timeline, causes, at_ns)
        ),
        client_saturated=trouble.saturated,
        client_note=trouble.note or warning(timeline, manifest, at_ns),
        cut_off=totals["cut_off"],
        e2e_recent=stat_of(timeline.sketches("e2e", lately)) if only_input else None,
        e2e_run=stat_of(timeline.sketches("e2e", (0, at_ns))) if only_input else None,
        e2e=_band(timeline, "e2e", edges) if only_input else None,
        drains_until_ns=_drains_until_ns(timeline, manifest, at_ns)
        if state == "draining" and (plan is None or plan.state != "draining" or plan.stage == plan.of)
        else None,
        client_saturated_s=None if troubled is None else troubled.seconds,
        client_judged_s=None if troubled is None else troubled.of_seconds,
        causes=tuple(Cause(*cause[:4]) for cause in causes),
        failing=_failing(timeline, at_ns, totals, over),
        attained=attained(timeline, manifest, lately)
        if outcome is None or outcome.attainment is None
        else Attained(outcome.attainment),
        insecure=manifest is not None and manifest.unverified,
        targets=targets_at(timeline, manifest, lately, None if outcome is None else outcome.figures),
        lost_targets=() if over or unreachable_since_ns else lost_targets(timeline, manifest, at_ns),
        heading=heading(timeline, manifest, at_ns),
        workload=workload_at(timeline, at_ns),
        last_rate_rps=_last(timeline, "rate_rps", row) if over and not closed else None,
        last_concurrency=_last(timeline, "concurrency", row) if over and closed else None,
        rates_s=(at_ns - since_ns) / 1e9 if began else None,
        outcome=outcome,
    )


_TOTALS = (
    *("due", "sent", "succeeded", "failed", "cut_off", "not_sent", "stale_retries"),
    *("chunks", "input_tokens", "output_tokens", "itl_unknown"),
)
_PER_SECOND = ("due", "sent", "succeeded", "failed", "input_tokens", "output_tokens")


def _closed_loop(timeline: Timeline, manifest: Manifest | None, at_ns: int) -> bool:
    """Of a plan, stages may differ in it."""
    change = timeline.load(at_ns)
    if change is not None:
        return change.concurrency is not None
    return manifest is not None and manifest.config.load.concurrency is not None


def rates(timeline: Timeline, edges: Floats) -> dict[str, Floats]:
    """Per column: counts a second and mean in-flight, each worker's added up; mean offered rate.

    Divided by the time that the ticks cover, not by the column's length: the open column is not low for
    being open. NaN where no tick ended.
    """
    ticks = timeline.ticks
    rows = ticks.upto(edges)
    names = (*_PER_SECOND, "in_flight_ns", "dt", "rate_rps")
    sums, known = ticks.sums_and_counts(names, rows)
    *counted, in_flight_ns, covered_ns, offered = sums
    seen = covered_ns.any(axis=1)
    out: dict[str, Floats] = {}
    for name, gained in zip((*_PER_SECOND, "in_flight"), (*counted, in_flight_ns), strict=True):
        weighed = gained if name == "in_flight" else gained * 1e9
        share = np.divide(weighed, covered_ns, out=np.zeros_like(gained), where=covered_ns > 0)
        out[name] = np.where(seen, share.sum(axis=1), np.nan)
    counts = known[-1].sum(axis=1)
    out["rate_rps"] = np.divide(
        offered.sum(axis=1), counts, out=np.full(len(counts), np.nan), where=counts > 0
    )
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


def _limit(history: BottleneckHistory, at_ns: int) -> tuple[Limit, bool]:
    """What binds, and whether more of the seconds before are still to be judged."""
    shown = history.shown(at_ns, JUDGED_A_FRAME)
    pending = not history.judged(at_ns)
    if shown is None:
        return Limit(UNJUDGED, "", 0), pending
    return Limit(*shown, 0 if pending else history.since_ns(at_ns)), pending


def _events(
    history: BottleneckHistory, timeline: Timeline, causes: Sequence[TimelineCause], at_ns: int
) -> list[Event]:
    """What happened, what bound, and when requests first failed of what, by time."""
    happened, bound = timeline.events_upto(at_ns), history.events(at_ns, most=0)
    failed = [
        Event(cause.first_ns, "error", f"requests fail: {cause_words(cause.kind, cause.text)}")
        for cause in causes[:_CAUSES_CAP]
        if cause.first_ns and cause.kind != "unfinished"
    ]
    return sorted([*happened[-_MARKS_CAP:], *bound[-_MARKS_CAP:], *failed])[-_MARKS_CAP:]


def _failing(timeline: Timeline, at_ns: int, totals: Mapping[str, int], over: bool) -> bool:
    """Nearly all fail: of the whole run once it is over, else of what ended in the last seconds."""
    failed, succeeded = totals["failed"], totals["succeeded"]
    if not over:
        ticks = timeline.ticks
        a, b = ticks.upto(np.array([at_ns - RECENT_NS, at_ns], dtype=np.float64)).tolist()
        lately = int(ticks["failed"][a:b].sum()), int(ticks["succeeded"][a:b].sum())
        failed, succeeded = lately if sum(lately) else (failed, succeeded)
    return failed >= FAILING_LEAST and failed >= FAILING_SHARE * (failed + succeeded)


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


def _changed_ns(timeline: Timeline, at_ns: int) -> int:
    """When the load was last changed, by a key or a plan; 0 where it never was. A ramp is one change."""
    changes = timeline.loads[: bisect_right(timeline.loads, at_ns, key=lambda load: load.t_ns)]
    return next((load.t_ns for load in reversed(changes) if load.change != "workload"), 0)


def _last(timeline: Timeline, load: str, row: int) -> float | None:
    """The newest load above 0 of the last minutes before tick `row`."""
    loads = timeline.ticks[load][max(row - _LAST_TICKS, 0) : row]
    positive = loads[loads > 0]
    return float(positive[-1]) if len(positive) else None


def _band(timeline: Timeline, metric: str, edges: Floats) -> Band:
    p50, p95, p99 = timeline.bands_ns(metric, edges).T / 1e6
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


def _drains_until_ns(timeline: Timeline, manifest: Manifest | None, at_ns: int) -> int | None:
    since = [t_ns for t_ns, state, _ in timeline.states if state == "draining" and t_ns <= at_ns]
    if not since or manifest is None:
        return None
    return max(since) + int(manifest.config.drain_s * 1e9)


def _sentence(reason: str, message: str) -> str:
    said = END_REASONS.get(reason, reason)
    return f"{said}: {message}" if message and message != said else said
