"""The stages of a plan: from the lines of their beginnings and ends, and the requests due in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sessions.metrics import Floats, Requests, e2e, itl_is_known, tpot, ttft_from_due
from sessions.plan.config import PlanConfig, WorkloadConfig
from sessions.plan.slo import kept_targets
from sessions.plan.stages import Stage, StageBefore
from sessions.steady.stretch import stage_stretch, window
from sessions.summary.arithmetic import mean, ms, per, total, whole
from sessions.summary.asked import stage_lengths
from sessions.summary.energy import energy_use
from sessions.summary.exact_quantiles import exact_quantiles
from sessions.summary.plan_figures import column, provider_costs
from sessions.summary.plan_fit import Fit, fit
from sessions.summary.plan_schema import Plan, PlanStage, StageLatency, Window, window_since
from sessions.summary.prompt_figures import cached_share
from sessions.summary.slo_figures import stage_with_slo
from sessions.summary.telemetry import gpus_over
from sessions.timeline.energy import EnergyCurve
from sessions.timeline.requests import NONE
from sessions.timeline.sketches import quantiles_ns
from sessions.timeline.stage_list import stages_of
from sessions.timeline.timeline import Timeline


class StageTimes(NamedTuple):
    """One stage in session time: its last beginning, and how it came out of it."""

    number: int
    state: str
    begin_ns: int
    load_over_ns: int
    over_ns: int | None


def stage_times(timeline: Timeline, ended: bool) -> list[StageTimes]:
    """When each stage was on, in the order of their numbers. `ended`: the run is over."""
    found: dict[int, StageTimes] = {}
    newest_ns = max(timeline.newest_ns, int(timeline.requests.rows["end_ns"].max(initial=0)))
    for change in timeline.stages:
        at = found.get(change.number)
        if change.event == "begin":
            state = "cut" if ended else "running"
            drains = (t_ns for t_ns, name, _ in timeline.states if name == "draining" and t_ns > change.t_ns)
            until_ns = min(newest_ns, next(drains, newest_ns))
            found[change.number] = StageTimes(change.number, state, change.t_ns, until_ns, None)
        elif at is None:
            continue
        elif change.event == "load_over":
            found[change.number] = at._replace(load_over_ns=change.t_ns)
        elif change.event == "over":
            found[change.number] = at._replace(
                state="done", load_over_ns=min(at.load_over_ns, change.t_ns), over_ns=change.t_ns
            )
        elif change.event == "left" and at.over_ns is None:
            until_ns = min(at.load_over_ns, change.t_ns)
            found[change.number] = at._replace(state="left", load_over_ns=until_ns)
    return [found[number] for number in sorted(found)]


def failures_sought(
    asked: Sequence[Stage], stages: Sequence[PlanStage], before: Sequence[StageBefore] = ()
) -> int:
    """Failures that `stop = "failed"` looks for: of the first stage in a list that has no success, behind one
    that has some, in this session or in the one whose plan goes on here."""
    found = 0
    succeeded = {stage.number + 1: stage.succeeded for stage in before}
    succeeded.update((stage.number, stage.succeeded) for stage in stages)
    for stage in stages:
        here = asked[stage.number - 1]
        ends = here.stop == "failed" and stage.number > 1 and here.table == asked[stage.number - 2].table
        if ends and stage.requests and not stage.succeeded and succeeded.get(stage.number - 1):
            found += stage.failed
    return found


def plan_result(
    timeline: Timeline,
    plan: PlanConfig,
    workload: WorkloadConfig,
    start_ns: int,
    ended: bool,
    curves: Sequence[EnergyCurve] = (),
    gpus: int = 0,
) -> Plan:
    """What each stage came to. `gpus`: how many the load runs on; 0 where that is not known."""
    asked = stages_of(plan, timeline.stages)
    stages = [
        _stage(timeline, plan, asked[times.number], workload, times, start_ns, curves, gpus)
        for times in stage_times(timeline, ended)
        if times.number < len(asked)
    ]
    return Plan(
        name=plan.name,
        title=plan.title,
        source=plan.source,
        scale=plan.scale,
        stages_asked=len(asked),
        columns=plan.columns,
        charts=plan.charts,
        stages=stages,
        fits=[made for text in plan.fits if (made := _fit(stages, text)) is not None],
        published=plan.published,
        providers=provider_costs(plan.providers, stages),
        currency=plan.currency,
    )


def _stage(
    timeline: Timeline,
    plan: PlanConfig,
    asked: Stage,
    workload: WorkloadConfig,
    times: StageTimes,
    start_ns: int,
    curves: Sequence[EnergyCurve],
    gpus: int,
) -> PlanStage:
    rows = timeline.requests.rows
    due = rows[slice(*np.searchsorted(rows["due_ns"], (times.begin_ns, times.load_over_ns + 1)))]
    measured_ns = times.begin_ns + round(asked.warm_up_s * 1e9)
    if asked.warm_up_requests and len(due):
        first = min(asked.warm_up_requests, len(due) - 1)
        measured_ns = max(measured_ns, int(due["due_ns"][first]))
    to_ns = times.load_over_ns
    number_is_up = asked.requests is not None and len(due) >= asked.requests
    if len(due) and (number_is_up or (asked.duration_s is None and times.state == "done")):
        to_ns = max(measured_ns, int(due["due_ns"][-1]))  # that it was is told only when all are answered
    counted = due[np.searchsorted(due["due_ns"], measured_ns) :]
    good = counted[counted["error"] == NONE]
    cut_off = int(timeline.requests.cut_off(counted).sum())
    last_ns = int(good["end_ns"].max(initial=times.load_over_ns))
    span_ns = (measured_ns, last_ns)
    seconds, sending = (last_ns - measured_ns) / 1e9, (to_ns - measured_ns) / 1e9
    output, given = total(good["output_tokens"]), whole(good["input_tokens"])
    # Gaps are told apart by time alone: once the next stage has begun, they are of both.
    itl_p50, itl_p99 = _itl(timeline, span_ns if asked.drain else (measured_ns, to_ns))
    ticks = timeline.ticks
    a, b, c = ticks.upto(np.array([measured_ns, to_ns, times.over_ns or to_ns], dtype=np.float64)).tolist()
    not_sent = int(ticks["not_sent"][a:c].sum())
    # Of one that is on, requests that have not ended have no line: its ticks tell of all that was due.
    offered = len(counted) + not_sent if times.state != "running" else int(ticks["due"][a:b].sum())
    came = output or 0
    if len(counted) < len(due) or not asked.drain:  # tokens of others took their part of the energy as well
        came = int(ticks["output_tokens"][a : int(ticks.upto(last_ns))].sum())
    energy = energy_use(curves, measured_ns, last_ns, came)
    tpot_ms = _latency(tpot(good))
    output_tps = per(output, seconds)
    asked_input, asked_output = stage_lengths(workload, asked)
    made = PlanStage(
        number=times.number + 1,
        name=asked.name,
        state=times.state,
        from_s=_s(times.begin_ns - start_ns),
        measured_from_s=_s(measured_ns - start_ns),
        to_s=_s(to_ns - start_ns),
        over_s=None if times.over_ns is None or not asked.drain else _s(times.over_ns - start_ns),
        offered_rps=None
        if asked.concurrency is not None
        else per(offered, _gaps_ns(asked, due, counted, measured_ns, to_ns) / 1e9),
        concurrency=asked.concurrency,
        input_tokens=asked_input,
        output_tokens=asked_output,
        requests=len(counted),
        succeeded=len(good),
        failed=len(counted) - len(good) - cut_off,
        cut_off=cut_off,
        not_sent=not_sent,
        warm_up_requests=len(due) - len(counted),
        input_tokens_mean=mean(good["input_tokens"]),
        output_tokens_mean=mean(good["output_tokens"]),
        request_rps=per(len(good), seconds),
        output_tps=output_tps,
        total_tps=None if given is None or output is None else per(given + output, seconds),
        output_tps_sending=per(float(ticks["output_tokens"][a:b].sum()), sending),
        ttft_ms=_latency(ttft_from_due(good)),
        itl_mean_ms=_itl_mean_ms(good),
        itl_p50_ms=itl_p50,
        itl_p99_ms=itl_p99,
        tpot_ms=tpot_ms,
        e2e_ms=_latency(e2e(good)),
        tps_per_user=1000.0 / tpot_ms.p50 if tpot_ms.p50 else None,
        joules_per_output_token=energy.j_per_output_token,
        mean_w=energy.mean_w,
        output_tps_per_gpu=output_tps / gpus if gpus and output_tps is not None else None,
        cached_share=cached_share(good),
        gpu_memory_share=memory_share(timeline, span_ns),
        targets=[],
        window=_window(timeline, asked, times, start_ns),
    )
    sent_ns = times.begin_ns, times.over_ns or times.load_over_ns
    return stage_with_slo(made, kept_targets(plan.targets), timeline, counted, span_ns, sent_ns)


def _gaps_ns(asked: Stage, due: Requests, counted: Requests, measured_ns: int, to_ns: int) -> int:
    """How long as many gaps as `counted` has requests took: one of `due` more than lies between them, that
    before the first; and that behind the last of constant arrivals, whose first request is due at once."""
    before = len(due) - len(counted)
    if asked.warm_up_requests and before > 0 and len(counted):
        return to_ns - int(due["due_ns"][before - 1])
    if asked.arrivals == "constant" and asked.rate_rps and asked.requests and len(due) >= asked.requests:
        return to_ns - measured_ns + round(1e9 / asked.rate_rps)
    return to_ns - measured_ns


def memory_share(timeline: Timeline, span_ns: tuple[int, int]) -> float | None:
    """Used of all memory of the GPUs that the load runs on; None where that was not read."""
    used = total = 0.0
    for gpu in gpus_over(timeline, *span_ns):
        most, whole = gpu.memory_used_bytes.max, gpu.memory_total_bytes
        if most is not None and whole:
            used, total = used + most, total + whole
    return used / total if total else None


def _fit(stages: Sequence[PlanStage], text: str) -> Fit | None:
    """Of `Y over X`, over the stages that have both."""
    y_name, _, x_name = text.partition(" over ")
    points = [(column(stage, x_name), column(stage, y_name)) for stage in stages]
    known = [(x, y) for x, y in points if x is not None and y is not None]
    return fit(y_name, x_name, [x for x, _ in known], [y for _, y in known])


def _window(timeline: Timeline, asked: Stage, times: StageTimes, start_ns: int) -> Window | None:
    """Judged as it was on the screen when nothing more was due."""
    over = times.state != "running" or times.load_over_ns < timeline.newest_ns
    stretch = stage_stretch(timeline, asked, times.begin_ns, times.load_over_ns, over)
    return window_since(window(timeline, stretch), start_ns)


def _latency(values_ns: Floats) -> StageLatency:
    of = exact_quantiles(values_ns, 1e6, bounds=True)
    return StageLatency(of.count, of.mean, of.p50, of.p90, of.p95, of.p99, of.p99_upper_99)


def _itl(timeline: Timeline, span_ns: tuple[int, int]) -> tuple[float | None, float | None]:
    counts, gaps = (timeline.counts(name, span_ns) for name in ("itl", "chunk_gap"))
    if not itl_is_known(int(counts.sum()), int(gaps.sum()), 0, 0) or not counts.sum():
        return None, None
    p50, p99 = quantiles_ns(counts, (0.5, 0.99))[0]
    return ms(p50), ms(p99)


def _itl_mean_ms(good: Requests) -> float | None:
    """Exact: the gaps of a request add up to its span."""
    known = good[good["itl_known"] & (good["output_tokens"] > 1)]
    later = int((known["output_tokens"] - 1).sum(dtype=np.int64))
    span_ns = float((known["last_token_ns"] - known["first_token_ns"]).sum(dtype=np.float64))
    return span_ns / later / 1e6 if later else None


def _s(ns: int) -> float:
    return round(ns / 1e9, 3)
