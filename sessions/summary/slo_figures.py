"""The SLO of a run and of each stage of its plan: which requests and figures targets are held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import numpy as np

from loadgen.records import TICK_NS
from sessions.metrics import Requests, itl_is_known
from sessions.plan.slo import Target, Verdict, overall
from sessions.summary.plan_figures import column
from sessions.summary.plan_schema import Plan, PlanStage
from sessions.summary.quantile_schema import ExactQuantiles
from sessions.summary.schema import Summary
from sessions.summary.slo import Gaps, Scheduled, slo_of
from sessions.summary.slo_schema import Slo
from sessions.timeline.sketches import quantiles_ns
from sessions.timeline.timeline import Timeline


def stage_with_slo(
    made: PlanStage,
    targets: Sequence[Target],
    timeline: Timeline,
    counted: Requests,
    span_ns: tuple[int, int],
    sent_ns: tuple[int, int],
) -> PlanStage:
    """`made` with what it says of `targets`. `counted`: its requests; `sent_ns`: when it began, and when all
    was answered or given up."""
    if not targets:
        return made
    a, b = timeline.ticks.upto(np.array([sent_ns[0], sent_ns[1] + TICK_NS], dtype=np.float64)).tolist()
    not_sent = int(timeline.ticks["not_sent"][a:b].sum())
    scheduled = Scheduled(counted, not_sent, (span_ns[1] - span_ns[0]) / 1e9, made.cut_off)
    slo = slo_of(targets, scheduled, _gaps(timeline, span_ns, made.itl_mean_ms), partial(column, made))
    results = slo.targets
    if made.state == "running":  # its slow requests have not ended yet
        results = [msgspec.structs.replace(result, verdict="undecided") for result in results]
    return msgspec.structs.replace(
        made,
        targets=results,
        scheduled=slo.scheduled,
        good=slo.good,
        attainment=slo.attainment,
        goodput_rps=slo.goodput_rps,
    )


def run_slo(
    summary: Summary,
    targets: Sequence[Target],
    timeline: Timeline,
    gpus: int,
    gpu_memory_share: Callable[[], float | None],
) -> Slo | None:
    """What a whole run says of `targets`; None without any. Of a plan, what its stages say together. `gpus`:
    how many the load runs on; 0 where that is not known."""
    if not targets:
        return None
    if summary.plan is not None:
        return _of_stages(summary.plan)
    exact = {"itl": summary.itl_ms, "chunk_gap": summary.chunk_gap_ms}
    start_ns = timeline.first_ns
    span_ns = (start_ns, start_ns + round(summary.duration_s * 1e9))
    sketched = _gaps(timeline, span_ns, summary.itl_ms.mean)

    def gaps(metric: str, statistic: str) -> tuple[float | None, int]:
        of: ExactQuantiles = exact[metric]
        if statistic in ("mean", "max", "p50", "p90", "p95", "p99"):
            return getattr(of, statistic), of.count
        return sketched(metric, statistic)

    def figures(name: str) -> float | None:
        through, tpot_ms = summary.throughput, summary.tpot_ms.p50
        found: dict[str, float | None] = {
            "request_rps": through.request_rps,
            "output_tps": through.output_tps,
            "total_tps": through.total_tps,
            "tps_per_user": 1000.0 / tpot_ms if tpot_ms else None,
            "output_tps_per_gpu": through.output_tps / gpus if gpus and through.output_tps else None,
            "joules_per_output_token": summary.energy.j_per_output_token,
        }
        return gpu_memory_share() if name == "gpu_memory" else found.get(name)

    scheduled = Scheduled(
        timeline.requests.rows, summary.requests.not_sent, summary.duration_s, summary.requests.cut_off
    )
    return slo_of(targets, scheduled, gaps, figures)


def _of_stages(plan: Plan) -> Slo:
    verdicts: list[Verdict] = [result.verdict for stage in plan.stages for result in stage.targets]
    if plan.limit is not None:  # steps that miss are how a limit is found
        found = plan.limit.passed is not None
        verdicts = ["pass" if found else "fail" if plan.limit.over else "undecided"]
    scheduled = sum(stage.scheduled for stage in plan.stages)
    known = [stage.good for stage in plan.stages if stage.good is not None]
    good = sum(known) if known else None
    attained = None if good is None or not scheduled else good / scheduled
    return Slo(overall(verdicts), scheduled, good, attained, None, [])


def _gaps(timeline: Timeline, span_ns: tuple[int, int], itl_mean_ms: float | None) -> Gaps:
    """From sketches, within 1 %."""

    def of(metric: str, statistic: str) -> tuple[float | None, int]:
        counts = timeline.counts(metric, span_ns)
        total = int(counts.sum())
        if metric == "itl":
            if not itl_is_known(total, int(timeline.counts("chunk_gap", span_ns).sum()), 0, 0):
                return None, 0
            if statistic == "mean":
                return itl_mean_ms, total
        if not total or statistic == "mean":
            return None, total
        quantile = 1.0 if statistic == "max" else float(statistic[1:]) / 100
        return round(float(quantiles_ns(counts, (quantile,))[0][0]) / 1e6, 6), total

    return of
